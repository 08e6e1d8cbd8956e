//! Files: what the guest's flags do to the user's, and what it cannot reach.

use super::tests::*;
use super::*;
use crate::memory::Permissions;
use abi::flag::{APPEND, CREAT, DIRECTORY, EXCL, NOFOLLOW, TRUNC};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

const RD: u32 = 0;
const WR: u32 = 1;
const RDWR: u32 = 2;

fn dir_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

#[test]
fn nothing_is_reachable_without_a_grant() {
    let mut guest = Guest::bare();
    for path in ["/etc/passwd", ".", "/", "x", "..", "/proc/self/exe"] {
        assert_eq!(guest.open(path, RD), -2, "{path}");
        assert_eq!(guest.path(nr::STAT, path, &[DATA]), -2, "{path}");
        assert_eq!(guest.path(nr::MKDIR, path, &[0o777]), -2, "{path}");
    }
}

#[test]
fn open_flags_mean_what_newlib_means() {
    // Flags, what is there before; then the result (a descriptor, or an error) and what is there when "new" was
    // written.
    let cases: [(u32, Option<&str>, i32, Option<&str>); 26] = [
        (RD, Some("0123456"), 3, Some("0123456")),
        (RD, None, -2, None),
        (WR, None, -2, None),
        (WR, Some("0123456"), 3, Some("new3456")),
        (RDWR, Some("0123456"), 3, Some("new3456")),
        (WR | CREAT, None, 3, Some("new")),
        (WR | CREAT, Some("0123456"), 3, Some("new3456")),
        (WR | CREAT | TRUNC, Some("0123456"), 3, Some("new")),
        (WR | TRUNC, Some("0123456"), 3, Some("new")),
        (WR | TRUNC, None, -2, None),
        (WR | CREAT | APPEND, Some("0123456"), 3, Some("0123456new")),
        (
            RDWR | CREAT | APPEND,
            Some("0123456"),
            3,
            Some("0123456new"),
        ),
        (WR | CREAT | APPEND, None, 3, Some("new")),
        (WR | CREAT | APPEND | TRUNC, Some("0123456"), 3, Some("new")),
        (WR | CREAT | EXCL, Some("0123456"), -17, Some("0123456")),
        (WR | CREAT | EXCL, None, 3, Some("new")),
        (RD | CREAT, None, 3, Some("")),
        (RD | CREAT, Some("0123456"), 3, Some("0123456")),
        (RD | CREAT | EXCL, None, 3, Some("")),
        (RD | CREAT | TRUNC, None, 3, Some("")),
        (RD | CREAT | TRUNC, Some("0123456"), 3, Some("")),
        (
            RD | DIRECTORY | TRUNC,
            Some("0123456"),
            -20,
            Some("0123456"),
        ),
        (
            WR | DIRECTORY | TRUNC,
            Some("0123456"),
            -20,
            Some("0123456"),
        ),
        (
            WR | DIRECTORY | TRUNC | APPEND,
            Some("0123456"),
            -20,
            Some("0123456"),
        ),
        (3, Some("0123456"), -22, Some("0123456")),
        (RD | 1 << 30, Some("0123456"), -22, Some("0123456")),
    ];
    for (flags, before, result, after) in cases {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        if let Some(text) = before {
            fs::write(&file, text).unwrap();
        }
        let mut guest = Guest::with_dir(dir.path(), false);
        let case = format!("{flags:#x} on {before:?}");
        assert_eq!(guest.open("f", flags), result, "{case}");
        if result >= 0 {
            let written = guest.put(result, "new");
            assert_eq!(written, if flags & 3 == RD { -9 } else { 3 }, "{case}");
            let can_read = guest.get(result, 10).is_ok();
            assert_eq!(can_read, flags & 3 != WR, "{case}");
            assert_eq!(guest.call(nr::CLOSE, &[3]), 0, "{case}");
        }
        assert_eq!(fs::read_to_string(&file).ok().as_deref(), after, "{case}");
    }
}

#[test]
fn a_read_only_file_can_be_opened_with_creat() {
    let dir = dir_with(&[("f", "text")]);
    let file = dir.path().join("f");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    let mut guest = Guest::with_dir(dir.path(), false);
    assert_eq!(guest.open("f", RD | CREAT), 3);
    assert_eq!(guest.get(3, 10), Ok("text".to_owned()));
}

/// Through its own memory a program would change what it may not, and rvjit too.
#[test]
#[cfg(target_os = "linux")]
fn no_process_is_changed_through_a_file() {
    let mut guest = Guest::with_dir("/proc".as_ref(), false);
    for flags in [WR, RDWR, WR | APPEND, RDWR | TRUNC] {
        assert_eq!(guest.open("self/mem", flags), -13, "{flags:#x}");
    }
    assert_eq!(guest.open("self/status", RD), 3);
    assert_eq!(guest.get(3, 5), Ok("Name:".to_owned()));
}

#[test]
fn created_files_have_the_mode_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut guest = Guest::with_dir(dir.path(), false);
    assert_eq!(guest.path(nr::OPEN, "f", &[WR | CREAT, 0o4600]), 3);
    let mode = fs::metadata(dir.path().join("f"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn offsets_are_signed() {
    let dir = dir_with(&[("f", "0123456789")]);
    let mut guest = Guest::with_dir(dir.path(), false);
    assert_eq!(guest.open("f", RDWR), 3);
    let minus = |n: i32| (-n).cast_unsigned();
    let cases = [
        (minus(1), 2, 9),
        (minus(4), 1, 5),
        (3, 0, 3),
        (2, 1, 5),
        (5, 2, 15),
        (minus(1), 0, -22),
        (minus(100), 1, -22),
        (minus(11), 2, -22),
        (0, 3, -22),
        (0, 1, 15),
        (0x7fff_ffff, 0, 0x7fff_ffff),
        (1, 1, -139),
        (0, 1, 0x7fff_ffff),
    ];
    for (offset, whence, expected) in cases {
        let got = guest.call(nr::LSEEK, &[3, offset, whence, 0x77, 0x88]);
        assert_eq!(got, expected, "{offset:#x} {whence}");
    }
    assert_eq!(
        guest.call(nr::LSEEK, &[1, 0, 1]),
        -29,
        "a pipe has no position"
    );
    assert_eq!(guest.call(nr::LSEEK, &[9, 0, 1]), -9);
    guest.call(nr::LSEEK, &[3, minus(3), 2]);
    assert_eq!(guest.get(3, 100), Ok("789".to_owned()));
}

#[test]
fn large_files_are_read_whole() {
    let text = "0123456789abcdef".repeat(0x2000);
    let dir = dir_with(&[("f", &text)]);
    let mut guest = Guest::with_dir(dir.path(), false);
    guest
        .memory
        .map(0x40_0000, 0x4_0000, Permissions::RW)
        .unwrap();
    assert_eq!(guest.open("f", RD), 3);
    assert_eq!(guest.call(nr::READ, &[3, 0x40_0000, 0x3_0000]), 0x2_0000);
    let mut bytes = vec![0; text.len()];
    guest.memory.read(0x40_0000, &mut bytes).unwrap();
    assert!(bytes == text.as_bytes());
    assert_eq!(guest.call(nr::READ, &[3, 0x40_0000, 0x3_0000]), 0);
}

#[test]
fn directories_are_no_files() {
    let dir = dir_with(&[("d/f", "x"), ("f", "y")]);
    let mut guest = Guest::with_dir(dir.path(), false);
    for flags in [WR, RD | TRUNC, RD | CREAT, RD | CREAT | TRUNC, WR | CREAT] {
        assert_eq!(guest.open("d", flags), -21, "{flags:#x}");
    }
    assert_eq!(guest.open("d", RD), 3);
    assert_eq!(guest.get(3, 10), Err(-21));
    assert_eq!(guest.open("d", RD | DIRECTORY), 4);
    assert_eq!(guest.open("f", RD | DIRECTORY), -20);
    assert_eq!(guest.open("f/", RD), -20);
    assert_eq!(guest.open("f/x", RD), -20);
    assert_eq!(guest.path(nr::UNLINK, "d", &[]), -21);
    assert_eq!(guest.path(nr::CHDIR, "f", &[]), -20);
    assert_eq!(guest.open("", RD), -2);
    // Paths relative to a directory's descriptor.
    let path = guest.string(0, "f");
    assert_eq!(guest.call(nr::OPENAT, &[3, path, RD, 0]), 5);
    assert_eq!(guest.get(5, 10), Ok("x".to_owned()));
    assert_eq!(guest.call(nr::OPENAT, &[5, path, RD, 0]), -20);
    assert_eq!(guest.call(nr::OPENAT, &[77, path, RD, 0]), -9);
    assert_eq!(guest.call(nr::OPENAT, &[1, path, RD, 0]), -20);
    for cwd in [-2, -100i32] {
        let fd = guest.call(nr::OPENAT, &[cwd.cast_unsigned(), path, RD, 0]);
        assert_eq!(guest.get(fd, 10), Ok("y".to_owned()));
    }
    let path = guest.string(0, "/f");
    assert!(
        guest.call(nr::OPENAT, &[77, path, RD, 0]) > 0,
        "absolute: no descriptor needed"
    );
}

#[test]
fn no_path_leads_out_of_a_grant() {
    let outside = dir_with(&[
        ("secret", "secret"),
        ("granted/in", "in"),
        ("granted/d/in", "x"),
    ]);
    let granted = outside.path().join("granted");
    symlink("../secret", granted.join("relative")).unwrap();
    symlink(outside.path().join("secret"), granted.join("absolute")).unwrap();
    symlink("..", granted.join("up")).unwrap();
    symlink("/", granted.join("root")).unwrap();
    symlink("nowhere", granted.join("dangling")).unwrap();
    symlink("../created", granted.join("dangling-out")).unwrap();
    symlink("in", granted.join("good")).unwrap();
    symlink("loop", granted.join("loop")).unwrap();
    let mut guest = Guest::with_dir(&granted, false);
    let secret = outside.path().join("secret");
    let absolute = secret.to_str().unwrap();
    let cases = [
        ("../secret", -2),
        ("../granted/in", -2),
        ("/../secret", -2),
        ("d/../../secret", -2),
        (absolute, -2),
        ("/etc/passwd", -2),
        ("relative", -13),
        ("absolute", -13),
        ("up/secret", -13),
        ("root/etc/passwd", -13),
        ("dangling", -2),
        ("dangling-out", -13),
        ("loop", -92),
    ];
    for (path, expected) in cases {
        assert_eq!(guest.open(path, RD), expected, "{path}");
        assert_eq!(guest.path(nr::STAT, path, &[DATA]), expected, "stat {path}");
        let write = guest.open(path, WR | TRUNC);
        assert_eq!(write, expected, "write {path}");
    }
    for path in ["../new", "up/new", "root/new", "dangling-out"] {
        assert!(
            guest.open(path, WR | CREAT) < 0 || path == "../new",
            "{path}"
        );
        assert!(guest.path(nr::MKDIR, path, &[0o777]) < 0, "{path}");
    }
    let to_parent = guest.string(1, "up/stolen");
    let from = guest.string(2, "in");
    for number in [nr::LINK, nr::RENAME] {
        assert!(guest.call(number, &[from, to_parent]) < 0, "{number}");
    }
    assert!(guest.path(nr::UNLINK, "up/secret", &[]) < 0);
    assert!(guest.path(nr::CHDIR, "up", &[]) < 0);
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 2);
    let fd = guest.open("good", RD);
    assert_eq!(guest.get(fd, 10), Ok("in".to_owned()));
    assert_eq!(guest.open("good", RD | NOFOLLOW), -92);
    // lstat looks at the link itself.
    assert_eq!(guest.path(nr::LSTAT, "absolute", &[DATA]), 0);
    assert_eq!(guest.word(DATA + 16) & 0o170_000, 0o120_000);
}

#[test]
fn a_read_only_grant_stays_as_it_is() {
    let dir = dir_with(&[("f", "text"), ("d/f", "x")]);
    let mut guest = Guest::with_dir(dir.path(), true);
    let fd = guest.open("f", RD);
    assert_eq!(guest.get(fd, 10), Ok("text".to_owned()));
    assert!(guest.open("f", RD | CREAT) > 0);
    let cases = [
        ("f", WR, -30),
        ("f", RDWR, -30),
        ("f", RD | TRUNC, -30),
        ("f", WR | APPEND, -30),
        ("f", WR | CREAT | TRUNC, -30),
        ("f", WR | CREAT | EXCL, -17),
        ("new", WR | CREAT, -30),
        ("new", RD | CREAT, -30),
        ("new", WR, -2),
        ("d", WR, -21),
    ];
    for (path, flags, expected) in cases {
        assert_eq!(guest.open(path, flags), expected, "{path} {flags:#x}");
    }
    assert_eq!(guest.path(nr::UNLINK, "f", &[]), -30);
    assert_eq!(guest.path(nr::UNLINK, "none", &[]), -2);
    assert_eq!(guest.path(nr::MKDIR, "new", &[0o777]), -30);
    assert_eq!(guest.path(nr::MKDIR, "d", &[0o777]), -17);
    assert_eq!(guest.path(nr::ACCESS, "f", &[2]), -30);
    assert_eq!(guest.path(nr::ACCESS, "f", &[4]), 0);
    let (from, to) = (guest.string(1, "f"), guest.string(2, "g"));
    assert_eq!(guest.call(nr::RENAME, &[from, to]), -30);
    assert_eq!(guest.call(nr::LINK, &[from, to]), -30);
    assert_eq!(fs::read_to_string(dir.path().join("f")).unwrap(), "text");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn names_are_made_moved_and_removed() {
    let dir = dir_with(&[("f", "text")]);
    let mut guest = Guest::with_dir(dir.path(), false);
    let (f, g, d) = (
        guest.string(1, "f"),
        guest.string(2, "g"),
        guest.string(3, "d"),
    );
    assert_eq!(guest.call(nr::LINK, &[f, g]), 0);
    assert_eq!(guest.call(nr::LINK, &[f, g]), -17);
    assert_eq!(guest.call(nr::UNLINK, &[g]), 0);
    assert_eq!(guest.call(nr::LINKAT, &[FDCWD, f, FDCWD, g, 0x400]), -22);
    assert_eq!(guest.call(nr::LINKAT, &[FDCWD, f, FDCWD, g, 0]), 0);
    assert_eq!(guest.call(nr::UNLINK, &[f]), 0);
    assert_eq!(guest.call(nr::UNLINK, &[f]), -2);
    assert_eq!(guest.call(nr::RENAMEAT, &[FDCWD, g, FDCWD, f]), 0);
    assert_eq!(guest.call(nr::RENAMEAT2, &[FDCWD, f, FDCWD, g, 0]), 0);
    assert_eq!(guest.call(nr::RENAMEAT2, &[FDCWD, f, FDCWD, g, 1]), -22);
    assert_eq!(guest.call(nr::RENAME, &[f, g]), -2);
    assert_eq!(guest.call(nr::MKDIR, &[d, 0o700]), 0);
    assert_eq!(guest.call(nr::MKDIRAT, &[FDCWD, d, 0o700]), -17);
    assert!(guest.open("d/x", WR | CREAT) > 0);
    for flags in [8, 0x200] {
        assert_eq!(
            guest.call(nr::UNLINKAT, &[FDCWD, d, flags]),
            -90,
            "ENOTEMPTY"
        );
    }
    assert_eq!(guest.call(nr::UNLINKAT, &[FDCWD, d, 0]), -21);
    assert_eq!(guest.path(nr::UNLINK, "d/x", &[]), 0);
    assert_eq!(guest.call(nr::UNLINKAT, &[FDCWD, d, 8]), 0);
    assert_eq!(guest.call(nr::UNLINKAT, &[FDCWD, g, 4]), -22);
    assert_eq!(guest.path(nr::UNLINK, ".", &[]), -16);
    assert_eq!(fs::read_to_string(dir.path().join("g")).unwrap(), "text");
}

#[test]
fn grants_do_not_mix() {
    let (a, b) = (dir_with(&[("f", "a")]), dir_with(&[]));
    let grant = |dir: &tempfile::TempDir, guest: &str, read_only| DirGrant {
        host: dir.path().to_owned(),
        guest: guest.to_owned(),
        read_only,
    };
    let mut guest = Guest::new(SyscallConfig {
        dirs: vec![grant(&a, "/a", false), grant(&b, "/a/b", false)],
        ..SyscallConfig::default()
    });
    let (from, to) = (guest.string(1, "/a/f"), guest.string(2, "/a/b/f"));
    assert_eq!(guest.call(nr::LINK, &[from, to]), -18);
    assert_eq!(guest.call(nr::RENAME, &[from, to]), -18);
    assert!(guest.open("/a/b/new", WR | CREAT) > 0);
    assert!(b.path().join("new").exists());
    assert_eq!(guest.open("/a/b/f", RD), -2);
    assert!(guest.open("/a/b/../f", RD) > 0);
}

#[test]
fn the_current_directory_is_the_guests() {
    let dir = dir_with(&[("d/e/f", "x")]);
    let mut guest = Guest::with_dir(dir.path(), false);
    let cwd = |guest: &mut Guest, size| {
        let len = guest.call(nr::GETCWD, &[DATA, size]);
        let text = guest.memory.read_c_string(DATA, 100).unwrap();
        (len, String::from_utf8(text).unwrap())
    };
    assert_eq!(cwd(&mut guest, 100), (2, "/".to_owned()));
    assert_eq!(guest.path(nr::CHDIR, "d/e", &[]), 0);
    assert_eq!(cwd(&mut guest, 5), (5, "/d/e".to_owned()));
    assert_eq!(cwd(&mut guest, 4).0, -34);
    assert!(guest.open("f", RD) > 0);
    assert_eq!(guest.path(nr::CHDIR, "../../../..", &[]), 0);
    assert_eq!(cwd(&mut guest, 100), (2, "/".to_owned()));
    assert_eq!(guest.path(nr::CHDIR, "none", &[]), -2);
}

#[test]
fn stat_and_access_see_the_file() {
    let dir = dir_with(&[("f", "12345"), ("x", "")]);
    fs::set_permissions(dir.path().join("x"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(dir.path().join("f"), fs::Permissions::from_mode(0o640)).unwrap();
    let mut guest = Guest::with_dir(dir.path(), false);
    let path = guest.string(0, "f");
    let calls: [(u32, &[u32]); 4] = [
        (nr::STAT, &[path, DATA]),
        (nr::LSTAT, &[path, DATA]),
        (nr::FSTATAT, &[FDCWD, path, DATA, 0]),
        (nr::FSTAT, &[3, DATA]),
    ];
    assert_eq!(guest.open("f", RD), 3);
    for (number, args) in calls {
        let path = guest.string(0, "f");
        assert_eq!(path, DATA + 0x8000);
        guest.memory.write(DATA, &[0xff; 132]).unwrap();
        assert_eq!(guest.call(number, args), 0);
        assert_eq!(guest.word(DATA + 16), 0o100_640, "{number}");
        assert_eq!(guest.word(DATA + 48), 5, "{number}");
        assert_eq!(guest.word(DATA + 52), 0, "{number}");
        assert_eq!(guest.word(DATA + 124), 0, "{number}");
        assert_eq!(guest.word(DATA + 128), u32::MAX, "{number}");
    }
    let cases = [
        ("f", 0, 0),
        ("f", 6, 0),
        ("f", 1, -13),
        ("x", 5, 0),
        ("no", 0, -2),
        ("f", 8, -22),
    ];
    for (path, mode, expected) in cases {
        assert_eq!(
            guest.path(nr::ACCESS, path, &[mode]),
            expected,
            "{path} {mode}"
        );
    }
    let path = guest.string(0, "f");
    for (flags, expected) in [(2, 0), (0x900, 0), (4, -22), (0x1000, -22)] {
        let got = guest.call(nr::FSTATAT, &[FDCWD, path, DATA, flags]);
        assert_eq!(got, expected, "{flags:#x}");
    }
    assert_eq!(guest.call(nr::FACCESSAT, &[FDCWD, path, 4, 0]), 0);
}

#[test]
fn descriptors_are_reused_and_limited() {
    let dir = dir_with(&[("f", "x")]);
    let mut guest = Guest::with_dir(dir.path(), false);
    for fd in 3..256 {
        assert_eq!(guest.open("f", RD), fd);
    }
    assert_eq!(guest.open("f", RD), -24);
    assert_eq!(guest.call(nr::CLOSE, &[7]), 0);
    assert_eq!(guest.open("f", RD), 7, "the lowest free");
}

#[test]
fn a_file_written_is_read_back_by_another_descriptor() {
    let dir = tempfile::tempdir().unwrap();
    let mut guest = Guest::with_dir(dir.path(), false);
    assert_eq!(guest.open("f", WR | CREAT), 3);
    assert_eq!(guest.open("f", RD), 4);
    assert_eq!(guest.put(3, "abc"), 3);
    assert_eq!(guest.get(4, 10), Ok("abc".to_owned()));
    assert_eq!(guest.get(3, 10), Err(-9));
    assert_eq!(guest.put(4, "abc"), -9);
}

#[test]
fn two_guests_share_nothing() {
    let dir = dir_with(&[("f", "x")]);
    let mut one = Guest::with_dir(dir.path(), false);
    let mut two = Guest::with_dir(dir.path(), false);
    assert_eq!(one.open("f", RD), 3);
    assert_eq!(two.get(3, 1), Err(-9));
    one.put(1, "one");
    two.put(1, "two");
    assert_eq!(
        (one.out.text(), two.out.text()),
        ("one".into(), "two".into())
    );
    one.call(nr::BRK, &[HEAP + 100]);
    assert_eq!(two.call(nr::BRK, &[0]).cast_unsigned(), HEAP);
}
