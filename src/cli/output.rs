//! Files that are written when a run has ended.
//!
//! The guest may have been granted the directory that they are in, and nothing it does there may lead us elsewhere:
//! where a file goes is looked up before the guest runs, symbolic links and all, and from then on held as an open
//! directory. A file is made beside its place and moved there, so that a full disk costs nobody what was there before.

use super::Failure;
use super::patient::{self, Patient};
use crate::sys::fd::O_NONBLOCK;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Symbolic links that are followed one after the other, as on Linux.
const MOST_LINKS: usize = 40;
/// Bytes of the largest file that is written to as it is: it is kept in memory meanwhile.
const MOST_KEPT: u64 = 256 << 20;
/// Names that are tried for the file beside.
const MOST_NAMES: u32 = 100;

/// A file to be.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    place: io::Result<Place>,
}

#[derive(Debug)]
enum Place {
    /// One of the system's own, as `/dev/stdout`: nothing but its path leads to it.
    System(PathBuf),
    /// A name in a directory, and the pipe or device that has it.
    Folder(Dir, OsString, Option<FileId>),
}

/// A file of this host: device and number.
type FileId = (u64, u64);

impl Output {
    /// Looks up where a file goes. It is no error yet if that is nowhere: the program runs all the same.
    pub(super) fn new(path: &Path) -> Output {
        Output {
            path: path.to_owned(),
            place: look_up(path),
        }
    }

    /// The path, as it was typed.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file.
    pub(super) fn write(self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.place.and_then(|place| match place {
            Place::System(path) if path == Path::new("/dev/stdout") => {
                let mut stdout = Patient(io::stdout());
                stdout.write_all(bytes).and_then(|()| stdout.flush())
            }
            Place::System(path) if path == Path::new("/dev/stderr") => {
                patient::stderr().write_all(bytes)
            }
            // What a descriptor stands for may be a file with something in it.
            Place::System(path) => {
                let file = fs::OpenOptions::new().append(true).open(path)?;
                Patient(file).write_all(bytes)
            }
            Place::Folder(folder, name, special) => write_in(&folder, &name, special, bytes),
        });
        written.map_err(|error| cannot_write(&self.path, &error))
    }
}

/// A directory of files to be.
#[derive(Debug)]
pub(super) struct OutputFolder {
    path: PathBuf,
    folder: io::Result<Dir>,
    program: Option<FileId>,
}

impl OutputFolder {
    /// Makes the directory where there is none. It is no error yet if that fails. `program` will not be overwritten.
    pub(super) fn new(path: &Path, program: &Path) -> OutputFolder {
        let made = fs::create_dir_all(path);
        OutputFolder {
            path: path.to_owned(),
            program: file_id(program),
            folder: made.and_then(|()| Dir::open_ambient_dir(path, ambient_authority())),
        }
    }

    /// Lets files be written into it, by their names.
    pub(super) fn write(
        &self,
        files: impl FnOnce(&dyn Fn(&str, &[u8]) -> io::Result<()>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let written = match &self.folder {
            Ok(folder) => files(&|name, bytes| {
                let before = folder.metadata(name).ok().map(|m| (m.dev(), m.ino()));
                if before.is_some() && before == self.program {
                    return Err(io::Error::other(format!("{name} is the program")));
                }
                write_in(folder, name.as_ref(), None, bytes)
            }),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        written.map_err(|error| {
            let folder = self.path.display();
            Failure::own(format_args!("cannot write to {folder}: {error}"))
        })
    }
}

pub(super) fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::own(format_args!("cannot write {}: {error}", path.display()))
}

/// Refuses to replace the program by what is said about it.
pub(super) fn refuse_program<'a>(
    program: &Path,
    outputs: impl IntoIterator<Item = &'a Path>,
) -> Result<(), Failure> {
    let Some(own) = file_id(program) else {
        return Ok(());
    };
    match outputs.into_iter().find(|path| file_id(path) == Some(own)) {
        Some(path) => Err(Failure::own(format_args!(
            "{} is the program, and would be overwritten",
            path.display()
        ))),
        None => Ok(()),
    }
}

/// Refuses to write two things to one file. Pipes and devices take all that comes.
pub(super) fn refuse_same(outputs: &[&Path]) -> Result<(), Failure> {
    // A file that is there has one number and any names; one that is not, a name in a directory.
    let same = |one: &Path, other: &Path| match (file_id(one), file_id(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => match (look_up(one), look_up(other)) {
            (Ok(Place::Folder(a, name, None)), Ok(Place::Folder(b, other, None))) => {
                let id = |folder: &Dir| folder.dir_metadata().ok().map(|m| (m.dev(), m.ino()));
                name == other && id(&a).is_some() && id(&a) == id(&b)
            }
            _ => false,
        },
        _ => false,
    };
    for (n, path) in outputs.iter().enumerate() {
        if outputs[..n].iter().any(|other| same(path, other)) {
            return Err(Failure::own(format_args!(
                "{} would be written by two options",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Which regular file a path leads to.
fn file_id(path: &Path) -> Option<FileId> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((metadata.dev(), metadata.ino()))
}

/// Makes a file that is written as the run goes on. Of a named pipe the reader is waited for.
pub(super) fn create(path: &Path) -> io::Result<fs::File> {
    let special = fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir());
    if !special {
        return fs::File::create(path);
    }
    let mut options = fs::OpenOptions::new();
    options.append(true).custom_flags(O_NONBLOCK);
    open_pipe(|| options.open(path))
}

/// Opens what may be a pipe that nobody reads yet.
fn open_pipe<F>(open: impl Fn() -> io::Result<F>) -> io::Result<F> {
    let mut opened = None;
    patient::wait_until(|| match open() {
        Ok(file) => {
            opened = Some(file);
            Ok(true)
        }
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
            std::thread::sleep(Duration::from_millis(20));
            Ok(false)
        }
        Err(error) => Err(error),
    })?;
    opened.ok_or_else(|| ErrorKind::NotFound.into())
}

fn look_up(path: &Path) -> io::Result<Place> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let is_folder = path.as_os_str().as_bytes().ends_with(b"/");
        let Some(name) = path.file_name().filter(|_| !is_folder) else {
            return Err(ErrorKind::IsADirectory.into());
        };
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        // Links there lead to what is no file, or to one that somebody has open. Folders above may be closed to us.
        if let Ok(folder) = fs::canonicalize(folder)
            && (folder == Path::new("/dev") || folder.starts_with("/proc"))
        {
            return Ok(Place::System(folder.join(name)));
        }
        match fs::read_link(folder.join(name)) {
            Ok(link) => {
                may_follow(folder, name)?;
                path = folder.join(link);
            }
            Err(_) => {
                let folder = Dir::open_ambient_dir(folder, ambient_authority())?;
                let metadata = folder.symlink_metadata(name).ok();
                let special = metadata.filter(|m| !m.is_file() && !m.is_dir());
                let special = special.map(|m| (m.dev(), m.ino()));
                return Ok(Place::Folder(folder, name.to_owned(), special));
            }
        }
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

/// What Linux asks of links that it follows in folders as /tmp (`fs.protected_symlinks`): nobody else laid them there.
fn may_follow(folder: &Path, name: &OsStr) -> io::Result<()> {
    const STICKY_AND_FOR_ALL: u32 = 0o1002;
    let above = fs::metadata(folder)?;
    let link = fs::symlink_metadata(folder.join(name))?;
    let ours = || fs::metadata("/proc/self").is_ok_and(|process| process.uid() == link.uid());
    if above.mode() & STICKY_AND_FOR_ALL != STICKY_AND_FOR_ALL
        || above.uid() == link.uid()
        || ours()
    {
        return Ok(());
    }
    Err(ErrorKind::PermissionDenied.into())
}

/// Writes a file. `special` is the pipe or device that had the name when it was looked up: only to that is written as it
/// is.
fn write_in(folder: &Dir, name: &OsStr, special: Option<FileId>, bytes: &[u8]) -> io::Result<()> {
    let expected = |m: &Metadata| m.is_file() || special == Some((m.dev(), m.ino()));
    let before = match folder.symlink_metadata(name) {
        Ok(metadata) if metadata.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        // A link, a pipe or a device that was not there before the run is replaced, not followed or waited for.
        Ok(metadata) => Some(metadata).filter(expected),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let open = |options: &OpenOptions| folder.open_with(name, options);
    match &before {
        // What may not be written is not replaced either.
        Some(metadata) if metadata.is_file() => drop(open(OpenOptions::new().write(true))?),
        // A named pipe or a device.
        Some(_) => {
            let mut options = OpenOptions::new();
            options.append(true).custom_flags(O_NONBLOCK);
            let file = open_pipe(|| open(&options))?.into_std();
            return Patient(file).write_all(bytes);
        }
        None => {}
    }
    let in_place = |error| match &before {
        Some(_) => {
            let file = match open(OpenOptions::new().read(true).write(true)) {
                Ok(file) => file,
                // One that may not be read is kept by nobody.
                Err(_) => open(OpenOptions::new().write(true).truncate(true))?,
            };
            overwrite(file.into_std(), bytes)
        }
        None => Err(error),
    };
    // The file may be writable where its directory is not, or be mounted by itself, as containers do.
    let (beside, mut file) = match create_beside(folder) {
        Ok(created) => created,
        Err(error) => return in_place(error),
    };
    // Neither its owner nor its other names lose a file.
    let replaceable = match &before {
        None => Ok(true),
        Some(before) => file.metadata().map(|new| {
            before.nlink() == 1 && (before.uid(), before.gid()) == (new.uid(), new.gid())
        }),
    };
    if !matches!(replaceable, Ok(true)) {
        let _ = folder.remove_file(&beside);
        return in_place(ErrorKind::Other.into());
    }
    let permissions = before.as_ref().map(Metadata::permissions);
    let written = permissions
        .map_or(Ok(()), |permissions| file.set_permissions(permissions))
        .and_then(|()| file.write_all(bytes));
    let moved = written.map(|()| folder.rename(&beside, folder, name));
    if !matches!(moved, Ok(Ok(()))) {
        // Nobody can be told when that fails, too.
        let _ = folder.remove_file(&beside);
    }
    moved?.or_else(in_place)
}

/// Writes to a file that cannot be replaced. Where that fails, for a full disk above all, it is again what it was.
fn overwrite(mut file: fs::File, bytes: &[u8]) -> io::Result<()> {
    let mut old = Vec::new();
    if file.metadata()?.len() > 0 {
        (&file).take(MOST_KEPT + 1).read_to_end(&mut old)?;
    }
    if old.len() as u64 > MOST_KEPT {
        let why = "it has other names or another owner, and is too large to be kept meanwhile";
        return Err(io::Error::other(why));
    }
    let mut write = |bytes: &[u8]| {
        file.rewind()?;
        file.write_all(bytes)?;
        file.set_len(bytes.len() as u64)
    };
    // What has its place on the disk keeps it until the end.
    write(bytes).inspect_err(|_| _ = write(&old))
}

/// A new file and its name.
fn create_beside(folder: &Dir) -> io::Result<(String, File)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    for number in 0..MOST_NAMES {
        let name = format!(".rvjit-{}-{number}", std::process::id());
        match folder.open_with(&name, &options) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            file => return file.map(|file| (name, file)),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;

    fn names(folder: &Path) -> Vec<OsString> {
        let mut names: Vec<OsString> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_made_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        Output::new(&file).write(b"one").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let held = fs::File::open(&file).unwrap();
        Output::new(&file).write(b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(io::read_to_string(held).unwrap(), "one", "not in place");
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o640);
        assert_eq!(names(dir.path()), ["file"], "nothing is left");
        for bad in [
            dir.path(),
            &dir.path().join("new/"),
            &dir.path().join("no/x"),
        ] {
            assert!(Output::new(bad).write(b"x").is_err(), "{bad:?}");
        }
        assert_eq!(names(dir.path()), ["file"]);
    }

    #[test]
    fn links_of_the_user_are_followed_and_links_of_the_guest_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("granted")).unwrap();
        fs::write(at("outside"), "precious").unwrap();
        symlink("../outside", at("granted/out")).unwrap();
        symlink("granted/real", at("link")).unwrap();
        Output::new(&at("link")).write(b"text").unwrap();
        assert!(at("link").is_symlink());
        assert_eq!(fs::read(at("granted/real")).unwrap(), b"text");

        // In between the guest runs.
        let output = Output::new(&at("granted/report"));
        fs::rename(at("granted/out"), at("granted/report")).unwrap();
        output.write(b"report").unwrap();
        assert_eq!(fs::read(at("outside")).unwrap(), b"precious");
        assert_eq!(fs::read(at("granted/report")).unwrap(), b"report");

        fs::create_dir(at("elsewhere")).unwrap();
        let output = OutputFolder::new(&at("granted/code"), Path::new(""));
        fs::remove_dir(at("granted/code")).unwrap();
        symlink("../elsewhere", at("granted/code")).unwrap();
        let written = output.write(|write| write("listing.txt", b"x"));
        assert!(written.is_err() && names(&at("elsewhere")).is_empty());
    }

    /// Opening it would wait for a reader.
    #[test]
    fn a_pipe_that_was_not_there_before_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        let output = Output::new(&file);
        let made = Command::new("mkfifo").arg(&file).status().unwrap();
        assert!(made.success());
        output.write(b"text").unwrap();
        assert!(file.metadata().unwrap().is_file());
        assert_eq!(fs::read(&file).unwrap(), b"text");
    }

    #[test]
    fn two_outputs_are_two_files() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("d")).unwrap();
        fs::write(at("old"), "").unwrap();
        fs::hard_link(at("old"), at("hard")).unwrap();
        symlink("old", at("soft")).unwrap();
        symlink("new", at("dangling")).unwrap();
        let null = PathBuf::from("/dev/null");
        let rows = [
            (at("new"), at("new"), false),
            (at("new"), at("d/../new"), false),
            (at("new"), at("dangling"), false),
            (at("old"), at("hard"), false),
            (at("old"), at("soft"), false),
            (at("new"), at("old"), true),
            (at("new"), at("d/new"), true),
            (null.clone(), null, true),
        ];
        for (one, other, good) in rows {
            let refused = refuse_same(&[&one, &other]).is_err();
            assert_eq!(refused, !good, "{one:?} {other:?}");
        }
    }

    #[test]
    fn other_names_of_a_file_lead_to_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        fs::write(&one, "long before").unwrap();
        fs::hard_link(&one, &other).unwrap();
        Output::new(&one).write(b"text").unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"text");
        assert_eq!(names(dir.path()), ["one", "other"]);
    }

    #[test]
    fn links_that_somebody_else_laid_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (link, target) = (dir.path().join("link"), dir.path().join("target"));
        symlink("target", &link).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        Output::new(&link).write(b"text").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"text", "our own");
        if std::os::unix::fs::lchown(&link, Some(12345), None).is_err() {
            println!("skipped: only root can give a link away");
            return;
        }
        assert!(Output::new(&link).write(b"more").is_err());
        assert_eq!(fs::read(&target).unwrap(), b"text");
    }

    #[test]
    fn what_is_no_file_is_written_to_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let path = pipe.clone();
        let reader = std::thread::spawn(move || fs::read(path).unwrap());
        Output::new(&pipe).write(b"text").unwrap();
        assert_eq!(reader.join().unwrap(), b"text");
        assert_eq!(names(dir.path()), ["pipe"]);
        Output::new(Path::new("/dev/null")).write(b"text").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
