//! The directories that the guest was granted, and how its paths lead into them.
//!
//! The guest sees one tree in which each grant appears at its guest path; nothing else exists. A path is matched
//! with the longest guest path that begins it, and the rest is looked up by cap-std, which never leaves the granted
//! directory, whatever symbolic links say. What is not granted does not exist (`ENOENT`); a symbolic link that leads
//! out of its grant may not be followed (`EACCES`). A directory that is granted under its own name has two: what `.` names
//! can be reached by the absolute path too, and the other way about. What is granted read-only cannot be changed through a grant around
//! it either (`nested`).

use super::abi::Errno;
use super::nested::Nested;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A host directory that the guest may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirGrant {
    /// The directory on the host.
    pub host: PathBuf,
    /// Where the guest sees it. A relative path is relative to the guest's first current directory, `/`.
    pub guest: String,
    /// Whether the guest may only read.
    pub read_only: bool,
}

/// Why text is no [`DirGrant`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantError {
    /// The host directory is missing.
    NoHost(String),
    /// `::` is followed by no guest path.
    NoGuest(String),
}

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GrantError::NoHost(text) => write!(f, "no host directory in '{text}'"),
            GrantError::NoGuest(text) => write!(f, "no guest path after '::' in '{text}'"),
        }
    }
}

impl std::error::Error for GrantError {}

impl DirGrant {
    /// Parses `HOST[::GUEST][:ro]`. Without a guest path the guest sees the directory under the host's name.
    ///
    /// # Errors
    /// [`GrantError`] when a part is empty.
    pub fn parse(text: &str) -> Result<DirGrant, GrantError> {
        let (dirs, read_only) = match text.strip_suffix(":ro") {
            // "HOST::ro" names a guest path "ro".
            Some(dirs) if !dirs.ends_with(':') => (dirs, true),
            Some(_) | None => (text, false),
        };
        let (host, guest) = dirs.split_once("::").unwrap_or((dirs, dirs));
        if host.is_empty() {
            return Err(GrantError::NoHost(text.to_owned()));
        }
        if guest.is_empty() {
            return Err(GrantError::NoGuest(text.to_owned()));
        }
        Ok(DirGrant {
            host: PathBuf::from(host),
            guest: guest.to_owned(),
            read_only,
        })
    }
}

/// An absolute guest path without `.` and `..`: its names.
pub(super) type GuestPath = Vec<Vec<u8>>;

/// The path as text.
pub(super) fn path_text(path: &GuestPath) -> Vec<u8> {
    if path.is_empty() {
        return b"/".to_vec();
    }
    path.iter().fold(Vec::new(), |mut text, name| {
        text.push(b'/');
        text.extend_from_slice(name);
        text
    })
}

#[derive(Debug)]
struct Grant {
    dir: Dir,
    read_only: bool,
    nested: Nested,
}

/// Where a guest path leads.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// The granted directory.
    pub(super) dir: &'a Dir,
    /// Which grant it is.
    pub(super) grant: usize,
    /// The path in it, `.` for itself.
    pub(super) rest: PathBuf,
    /// Whether the file that the path leads to may not be changed.
    pub(super) read_only: bool,
    /// Whether the path's last name may not be made, removed or given to something else.
    fixed: bool,
}

impl Place<'_> {
    /// Fails where the name may not be made, removed or given to something else.
    pub(super) fn for_change(self) -> Result<Self, Errno> {
        if self.fixed {
            return Err(Errno::EROFS);
        }
        Ok(self)
    }

    /// Whether this is the granted directory itself, which cannot be removed or renamed.
    pub(super) fn is_root(&self) -> bool {
        self.rest.as_os_str() == "."
    }
}

/// The guest's tree.
#[derive(Debug)]
pub(super) struct Sandbox {
    grants: Vec<Grant>,
    /// Guest paths, and the grant that each leads to. Of equal ones the last counts: other names of directories come
    /// before those that were asked for.
    names: Vec<(GuestPath, usize)>,
    /// The current directory.
    pub(super) cwd: GuestPath,
}

impl Sandbox {
    /// Opens the granted directories.
    pub(super) fn new(grants: &[DirGrant]) -> Result<Sandbox, (PathBuf, io::Error)> {
        let failed = |grant: &DirGrant, error| (grant.host.clone(), error);
        let place = |grant: &DirGrant| grant.host.canonicalize().map_err(|e| failed(grant, e));
        let places: Vec<PathBuf> = grants.iter().map(place).collect::<Result<_, _>>()?;
        let open = |(grant, place): (&DirGrant, &PathBuf)| {
            let dir = Dir::open_ambient_dir(place, ambient_authority());
            let all = grants.iter().zip(&places);
            let read_only = all.filter(|(grant, _)| grant.read_only);
            Ok(Grant {
                dir: dir.map_err(|error| failed(grant, error))?,
                read_only: grant.read_only,
                nested: Nested::new(place, read_only.map(|(_, place)| place.as_path())),
            })
        };
        let opened = grants.iter().zip(&places).map(open);
        let root = GuestPath::new();
        let at = |path: &[u8]| normalize(&root, path);
        let here = current_directories();
        let other = |(n, grant): (usize, &DirGrant)| {
            let names = other_names(grant, &here);
            names.into_iter().map(move |name| (at(&name), n))
        };
        let asked = |(n, grant): (usize, &DirGrant)| (at(grant.guest.as_bytes()), n);
        let names = grants.iter().enumerate().flat_map(other);
        Ok(Sandbox {
            grants: opened.collect::<Result<_, _>>()?,
            names: names.chain(grants.iter().enumerate().map(asked)).collect(),
            cwd: GuestPath::new(),
        })
    }

    /// Whether nothing is granted.
    pub(super) fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }

    /// Looks up a path; `base` is where a relative one starts.
    pub(super) fn place(&self, base: &GuestPath, path: &[u8]) -> Result<Place<'_>, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let lexical = normalize(base, path);
        let name = self.longest(&lexical).ok_or(Errno::ENOENT)?;
        let (guest, grant) = (&self.names[name].0, self.names[name].1);
        let skip = guest.len();
        // Inside a grant `..` is the host's to resolve, since before it may stand a symbolic link or no directory.
        // Only a path that goes above the grant, or ends in another one, is resolved by its names alone.
        let written = join(base, path);
        let literal = written
            .iter()
            .position(|name| name == b"..")
            .map_or(&written[..], |at| &written[..at]);
        let names = if self.longest(literal) == Some(name) && stays_below(&written[skip..]) {
            &written[skip..]
        } else {
            &lexical[skip..]
        };
        let mut rest = names.join(&b'/');
        if rest.is_empty() {
            rest.push(b'.');
        } else if path.ends_with(b"/") || path.ends_with(b"/.") {
            rest.push(b'/');
        }
        let found = &self.grants[grant];
        let rest = PathBuf::from(OsString::from_vec(rest));
        let protection = found.nested.protection(&found.dir, &rest);
        Ok(Place {
            dir: &found.dir,
            grant,
            rest,
            read_only: found.read_only || protection.contents,
            fixed: found.read_only || protection.name,
        })
    }

    /// The longest of the names that begin this path; of equals the last.
    fn longest(&self, path: &[Vec<u8>]) -> Option<usize> {
        (0..self.names.len())
            .filter(|&at| path.starts_with(&self.names[at].0))
            .max_by_key(|&at| self.names[at].0.len())
    }
}

/// The names of the host's current directory: without symbolic links, and as the shell has it.
fn current_directories() -> Vec<PathBuf> {
    let Ok(real) = std::env::current_dir() else {
        return Vec::new();
    };
    let shell = std::env::var_os("PWD").map(PathBuf::from);
    let same = |path: &PathBuf| path.is_absolute() && path.canonicalize().is_ok_and(|p| p == real);
    let shell = shell.filter(|path| *path != real && same(path));
    [real].into_iter().chain(shell).collect()
}

/// What else a directory is called that the guest sees under the host's name: absolute for relative, and relative for
/// absolute where it is in the current directory.
fn other_names(grant: &DirGrant, here: &[PathBuf]) -> Vec<Vec<u8>> {
    if grant.host.as_os_str() != OsStr::new(&grant.guest) {
        return Vec::new();
    }
    let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
    if grant.host.is_relative() {
        return here
            .iter()
            .map(|here| bytes(&here.join(&grant.host)))
            .collect();
    }
    let inside = here
        .iter()
        .filter_map(|here| grant.host.strip_prefix(here).ok());
    inside.map(bytes).collect()
}

/// The names of a path, `..` among them, after those of `base` where it is relative.
fn join(base: &GuestPath, path: &[u8]) -> GuestPath {
    let mut names = if path.starts_with(b"/") {
        GuestPath::new()
    } else {
        base.clone()
    };
    names.extend(
        path.split(|&byte| byte == b'/')
            .filter(|name| !name.is_empty() && *name != b".")
            .map(<[u8]>::to_vec),
    );
    names
}

/// The same with `..` resolved by names alone; above the root is the root.
pub(super) fn normalize(base: &GuestPath, path: &[u8]) -> GuestPath {
    let mut names = GuestPath::new();
    for name in join(base, path) {
        if name == b".." {
            names.pop();
        } else {
            names.push(name);
        }
    }
    names
}

/// Whether no prefix of the names goes above where they start.
fn stays_below(names: &[Vec<u8>]) -> bool {
    let mut depth = 0usize;
    names.iter().all(|name| {
        if name == b".." {
            let inside = depth > 0;
            depth = depth.saturating_sub(1);
            inside
        } else {
            depth += 1;
            true
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_parsed() {
        let cases = [
            ("data", ("data", "data", false)),
            ("data:ro", ("data", "data", true)),
            ("/a/b::/c", ("/a/b", "/c", false)),
            ("/a/b::/c:ro", ("/a/b", "/c", true)),
            (".", (".", ".", false)),
            ("a::ro", ("a", "ro", false)),
            ("a:b::c", ("a:b", "c", false)),
        ];
        for (text, (host, guest, read_only)) in cases {
            let grant = DirGrant::parse(text).unwrap();
            assert_eq!(grant.host, PathBuf::from(host), "{text}");
            assert_eq!(grant.guest, guest, "{text}");
            assert_eq!(grant.read_only, read_only, "{text}");
        }
        assert!(matches!(DirGrant::parse(""), Err(GrantError::NoHost(_))));
        assert!(matches!(DirGrant::parse("::x"), Err(GrantError::NoHost(_))));
        assert!(matches!(
            DirGrant::parse("x::"),
            Err(GrantError::NoGuest(_))
        ));
    }

    #[test]
    fn a_directory_has_its_relative_and_its_absolute_name() {
        let here = [PathBuf::from("/real/here"), PathBuf::from("/link")];
        let rows: [(&str, &[&str]); 9] = [
            (".", &["/real/here/.", "/link/."]),
            ("data", &["/real/here/data", "/link/data"]),
            ("..", &["/real/here/..", "/link/.."]),
            ("/real/here", &[""]),
            ("/real/here/sub/", &["sub"]),
            ("/link/sub", &["sub"]),
            ("/real/hereafter", &[]),
            ("/real", &[]),
            (".::/there", &[]),
        ];
        for (text, expected) in rows {
            let names = other_names(&DirGrant::parse(text).unwrap(), &here);
            let expected: Vec<&[u8]> = expected.iter().map(|name| name.as_bytes()).collect();
            assert_eq!(names, expected, "{text}");
        }
    }

    #[test]
    fn the_longest_guest_path_wins_and_dots_are_resolved() {
        let host = tempfile::tempdir().unwrap();
        let grant = |guest: &str, read_only| DirGrant {
            host: host.path().to_owned(),
            guest: guest.to_owned(),
            read_only,
        };
        let sandbox = Sandbox::new(&[grant("data", false), grant("/data/sub", true)]).unwrap();
        let root = GuestPath::new();
        let below = normalize(&root, b"/data/in");
        type Case<'a> = (&'a GuestPath, &'a str, Option<(usize, &'a str)>);
        let cases: [Case<'_>; 16] = [
            (&root, "data/x", Some((0, "x"))),
            (&root, "/data", Some((0, "."))),
            (&root, "/data/", Some((0, "."))),
            (&root, "/data/x/", Some((0, "x/"))),
            (&root, "/data/sub", Some((1, "."))),
            (&root, "/data/sub/./y", Some((1, "y"))),
            (&root, "/data/subway", Some((0, "subway"))),
            (&root, "/data/a/../b", Some((0, "a/../b"))),
            (&root, "/data/../data/b", Some((0, "b"))),
            (&root, "/data/a/../sub/b", Some((1, "b"))),
            (&root, "/data/sub/../b", Some((0, "b"))),
            (&root, "/data/../etc/passwd", None),
            (&root, "/etc/passwd", None),
            (&root, "..", None),
            (&below, "../x", Some((0, "in/../x"))),
            (&below, "../../x", None),
        ];
        for (base, path, expected) in cases {
            let place = sandbox.place(base, path.as_bytes()).ok();
            let got = place.as_ref().map(|p| (p.grant, p.rest.to_str().unwrap()));
            assert_eq!(got, expected, "{path}");
        }
        assert_eq!(sandbox.place(&root, b"").unwrap_err(), Errno::ENOENT);
    }
}
