//! Read-only grants inside other grants: what they hold stays as it is, whatever path leads there.
//!
//! A path is matched with a grant by its names, but a symbolic link of one grant, or `..` behind one, may lead into the
//! host directory of another. Where that one is read-only, the path is followed here as the host would follow it, and
//! what it leads to may not be changed: nor, on that way, what was granted for writing inside the read-only one.

use cap_std::fs::Dir;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

/// Symbolic links that are followed in one path, as on Linux.
const MOST_LINKS: usize = 40;

/// The names of a directory relative to another one.
pub(super) type Names = Vec<OsString>;

/// What is read-only inside a granted directory that is not.
#[derive(Debug, Default)]
pub(super) struct Nested(Vec<Names>);

/// Whether what a path leads to may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Protection {
    /// The file, symbolic links followed, may not.
    pub(super) contents: bool,
    /// The name, to be made, removed or given to something else, may not.
    pub(super) name: bool,
}

impl Nested {
    /// What of `read_only` lies inside `host`; all are absolute and without symbolic links.
    pub(super) fn new<'a>(host: &Path, read_only: impl IntoIterator<Item = &'a Path>) -> Nested {
        let inside = read_only
            .into_iter()
            .filter(|inner| *inner != host)
            .filter_map(|inner| inner.strip_prefix(host).ok())
            .map(|rest| rest.iter().map(OsStr::to_owned).collect());
        Nested(inside.collect())
    }

    /// What holds for a path of the granted directory. A path that cannot be followed is not to be changed.
    pub(super) fn protection(&self, dir: &Dir, path: &Path) -> Protection {
        if self.0.is_empty() {
            return Protection::default();
        }
        let inside = |names: &Names| self.0.iter().any(|inner| names.starts_with(inner));
        // Nor can a directory be moved away, with what it has inside.
        let holds = |names: &Names| self.0.iter().any(|inner| inner.starts_with(names));
        let contents = follow(dir, path, true);
        let name = follow(dir, path, false);
        Protection {
            contents: contents.is_none_or(|names| inside(&names)),
            name: name.is_none_or(|names| inside(&names) || holds(&names)),
        }
    }
}

/// The names that a path comes to without symbolic links and `..`; what does not exist is taken as it is. `None` for too
/// many links, and for a path that leaves the directory.
fn follow(dir: &Dir, path: &Path, last: bool) -> Option<Names> {
    let mut todo: Vec<PathBuf> = Vec::new();
    let add = |todo: &mut Vec<PathBuf>, path: &Path| {
        todo.extend(path.components().rev().map(|part| part.as_os_str().into()));
    };
    add(&mut todo, path);
    let (mut done, mut links) = (Names::new(), 0);
    while let Some(next) = todo.pop() {
        match next.components().next() {
            Some(Component::CurDir) | None => continue,
            Some(Component::ParentDir) => {
                done.pop()?;
                continue;
            }
            Some(Component::RootDir | Component::Prefix(_)) => return None,
            Some(Component::Normal(name)) => done.push(name.to_owned()),
        }
        if todo.is_empty() && !last {
            break;
        }
        if let Ok(target) = dir.read_link_contents(done.iter().collect::<PathBuf>()) {
            links += 1;
            if links > MOST_LINKS {
                return None;
            }
            done.pop();
            add(&mut todo, &target);
        }
    }
    Some(done)
}

#[cfg(test)]
mod tests {
    use super::super::SyscallConfig;
    use super::super::abi::{Errno, flag, nr};
    use super::super::sandbox::DirGrant;
    use super::super::tests::Guest;
    use std::fs;
    use std::os::unix::fs::symlink;

    const WR: u32 = 1;
    const RDWR: u32 = 2;

    /// `/w` may be changed; its directory `ro`, which holds `deep/f`, is granted again, only for reading.
    fn guest(host: &tempfile::TempDir, inner: &str) -> Guest {
        let root = host.path();
        fs::create_dir_all(root.join("ro/deep")).unwrap();
        fs::create_dir_all(root.join("d")).unwrap();
        fs::write(root.join("ro/deep/f"), "kept").unwrap();
        fs::write(root.join("d/g"), "").unwrap();
        symlink("ro", root.join("link")).unwrap();
        symlink("../ro/deep", root.join("d/deep")).unwrap();
        symlink("ro/deep/f", root.join("file")).unwrap();
        symlink("ro/new", root.join("dangling")).unwrap();
        symlink("file", root.join("twice")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let grant = |host, guest: &str, read_only| DirGrant {
            host,
            guest: guest.to_owned(),
            read_only,
        };
        Guest::new(SyscallConfig {
            dirs: vec![
                grant(root.to_owned(), "/w", false),
                grant(root.join("ro"), inner, true),
            ],
            ..SyscallConfig::default()
        })
    }

    #[test]
    fn a_read_only_grant_inside_another_cannot_be_changed_by_any_path() {
        for inner in ["/w/ro", "/elsewhere"] {
            let host = tempfile::tempdir().unwrap();
            let mut guest = guest(&host, inner);
            let refused = Errno::EROFS.result().cast_signed();
            for path in [
                "/w/ro/deep/f",
                "/w/link/deep/f",
                "/w/./link/deep/../deep/f",
                "/w/d/../ro/deep/f",
                "/w/d/../link/deep/f",
                "/w/d/deep/f",
                "/w/d/deep/../deep/f",
                "/w/file",
                "/w/twice",
            ] {
                for flags in [WR, RDWR, WR | flag::TRUNC] {
                    assert_eq!(guest.open(path, flags), refused, "{path} {flags:#x}");
                }
                let fd = guest.open(path, 0);
                assert_eq!(guest.get(fd, 10).as_deref(), Ok("kept"), "{path}");
                guest.call(nr::CLOSE, &[fd.cast_unsigned()]);
            }
            for path in [
                "/w/ro/new",
                "/w/link/new",
                "/w/d/deep/../new",
                "/w/dangling",
            ] {
                let made = guest.open(path, WR | flag::CREAT);
                assert_eq!(made, refused, "{path}");
            }
            assert_eq!(guest.path(nr::UNLINK, "/w/link/deep/f", &[]), refused);
            assert_eq!(guest.path(nr::MKDIR, "/w/link/deep/d", &[0o755]), refused);
            for (from, to) in [
                ("/w/link/deep/f", "/w/f"),
                ("/w/d/g", "/w/link/g"),
                ("/w/d/g", "/w/d/deep/f"),
            ] {
                let (from, to) = (guest.string(1, from), guest.string(2, to));
                assert_eq!(guest.call(nr::RENAME, &[from, to]), refused);
                assert_eq!(guest.call(nr::LINK, &[from, to]), refused);
            }
            // Nor can it be reached by another name.
            if inner == "/elsewhere" {
                let (from, to) = (guest.string(1, "/w/ro"), guest.string(2, "/w/mine"));
                assert_eq!(guest.call(nr::RENAME, &[from, to]), refused);
            }
            assert!(guest.open("/w/loop", WR) < 0);
            let kept = fs::read_to_string(host.path().join("ro/deep/f")).unwrap();
            assert_eq!(kept, "kept");
            assert_eq!(fs::read_dir(host.path().join("ro")).unwrap().count(), 1);
        }
    }

    #[test]
    fn what_is_around_it_can_be_changed() {
        let host = tempfile::tempdir().unwrap();
        let mut guest = guest(&host, "/w/ro");
        assert!(guest.open("/w/d/g", RDWR) > 0);
        assert!(guest.open("/w/d/../new", WR | flag::CREAT) > 0);
        // The links are the outer directory's.
        assert_eq!(guest.path(nr::UNLINK, "/w/file", &[]), 0);
        assert_eq!(guest.path(nr::UNLINK, "/w/link", &[]), 0);
        let (from, to) = (guest.string(1, "/w/d/g"), guest.string(2, "/w/h"));
        assert_eq!(guest.call(nr::RENAME, &[from, to]), 0);
        assert!(host.path().join("ro/deep/f").exists());
    }
}
