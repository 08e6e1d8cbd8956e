//! Platforms and RAM as they are asked for, also where that cannot be, and what a wrong one costs.

mod common;

use common::{in_fixtures, stderr, stdout};

/// Options, program, status, a part of standard error.
type Row<'a> = (&'a [&'a str], &'a str, i32, &'a str);

fn check(rows: &[Row<'_>]) {
    for (options, program, status, says) in rows {
        let output = in_fixtures(&[&["run"], *options, &[*program]].concat());
        let text = stderr(&output);
        let case = format!("{options:?} {program}: {text}");
        assert_eq!(output.status.code(), Some(*status), "{case}");
        assert!(text.contains(says), "{case}");
        let lines = text.lines().filter(|line| !line.starts_with("  "));
        assert_eq!(lines.count(), usize::from(*status != 0), "{case}");
    }
}

#[test]
fn a_platform_can_be_chosen() {
    check(&[
        // A process taken for a machine runs, as long as it does not count on being protected or on arguments.
        (&["--platform", "bare"], "hello.elf", 0, ""),
        (&["--platform", "bare"], "tohost_local.elf", 0, ""),
        (&["--platform", "bare"], "memory.elf", 0, ""),
        (
            &["--platform", "bare"],
            "fault_null_read.elf",
            139,
            "null page",
        ),
        // A machine taken for a process misses its RAM.
        (&["--platform", "newlib"], "bare_ram.elf", 139, "unmapped"),
        (&["--platform", "newlib"], "semi.elf", 0, ""),
        (&["--platform", "sp1"], "bare_ram.elf", 139, "unmapped"),
        (&["--platform", "auto"], "hello.elf", 0, ""),
    ]);
}

#[test]
fn ram_can_be_placed() {
    check(&[
        (&["--ram", "0x80000000..0x88000000"], "bare_ram.elf", 0, ""),
        (
            &[
                "--ram",
                "0x87fff000..0x88000000",
                "--ram",
                "0x80000000..0x84001000",
            ],
            "bare_ram.elf",
            0,
            "",
        ),
        (
            &["--ram", "0x80400000..0x80500000"],
            "bare_ram.elf",
            139,
            "reading 0x800ffffc: unmapped",
        ),
        (
            &["--ram", "0x80000000..0x90000000"],
            "bare_ram_wild.elf",
            0,
            "",
        ),
        (
            &["--ram", "0x80000000..0x100000000"],
            "bare_ram_wild.elf",
            0,
            "",
        ),
        // RAM counts as it is touched, and not more than is allowed of it.
        (
            &["--ram", "0x80000000..0x100000000", "--memory", "64K"],
            "bare_ram.elf",
            0,
            "",
        ),
        (&["--memory", "8K"], "bare_ram.elf", 137, "--memory"),
    ]);
}

#[test]
fn what_cannot_be_is_refused_in_one_line() {
    check(&[
        (&["--platform", "newlib"], "low.elf", 125, "covers page 0"),
        (
            &["--platform", "newlib"],
            "noflags.elf",
            125,
            "not inside an executable segment",
        ),
        (
            &["--placement", "identity"],
            "low.elf",
            125,
            "the identity placement has no memory below",
        ),
        (
            &["--ram", "0x80000000..0x80010000"],
            "hello.elf",
            125,
            "no RAM to place",
        ),
        (
            &["--ram", "0x80010000..0x80000000"],
            "bare_ram.elf",
            125,
            "A below B",
        ),
        (
            &["--ram", "0x80000000..0x80000000"],
            "bare_ram.elf",
            125,
            "A below B",
        ),
        (
            &["--ram", "0..0x100001000"],
            "bare_ram.elf",
            125,
            "at most 0x100000000",
        ),
        (
            &["--ram", "0x80000000..0x80000800"],
            "bare_ram.elf",
            125,
            "multiples of 0x1000",
        ),
        (
            &["--ram", "0x1000..0x3000", "--ram", "0x2000..0x4000"],
            "bare_ram.elf",
            125,
            "overlap",
        ),
        (
            &["--ram", "0..0x8000000"],
            "low.elf",
            125,
            "where the CLINT would be",
        ),
        (
            &["--ram", "0x10000000..0x10001000"],
            "low.elf",
            125,
            "where the UART would be",
        ),
        (
            &["--uart", "0x80400100"],
            "bare_ram.elf",
            125,
            "where the UART would be",
        ),
        (&["--uart", "0x100000"], "bare_ram.elf", 125, "overlap"),
        (&["--uart", "none"], "hello.elf", 125, "--platform bare"),
        // Nobody asked for RAM there.
        (&["--uart", "0x84000000"], "low.elf", 0, ""),
    ]);
    for options in [
        ["--ram", "0x80000000"],
        ["--ram", "1..x"],
        ["--ram", ""],
        ["--platform", "linux"],
    ] {
        let output = in_fixtures(&[&["run"], &options[..], &["bare_ram.elf"]].concat());
        assert_eq!(output.status.code(), Some(125), "{options:?}");
        assert!(!stderr(&output).is_empty(), "{options:?}");
    }
}

#[test]
fn info_tells_the_platform_and_why() {
    let rows = [
        ("hello.elf", "newlib", "reads its arguments"),
        ("hello_stripped.elf", "newlib", "reads its arguments"),
        ("tohost_local.elf", "newlib", "reads its arguments"),
        ("tohost_pass.elf", "bare", "the symbol tohost"),
        ("tohost_abs.elf", "bare", "the symbol tohost"),
        ("semi.elf", "bare", "a semihosting call"),
        ("bare_ram.elf", "bare", "sets sp itself at 0x80400080"),
        (
            "bare_rom.elf",
            "bare",
            "the segment at 0x80000000 is loaded at",
        ),
        ("noflags.elf", "bare", "its flags do not let"),
        ("low.elf", "bare", "covers page 0"),
        ("rvc_flag.elf", "newlib", "nothing speaks for another"),
    ];
    for (program, platform, reason) in rows {
        let output = in_fixtures(&["info", program]);
        let text = stdout(&output);
        let mut lines = text.lines();
        let line = lines.find(|line| line.starts_with("  platform "));
        let line = line.unwrap_or_default();
        assert!(
            line.contains(&format!(" {platform}: ")),
            "{program}: {line}"
        );
        assert!(line.contains(reason), "{program}: {line}");
        let json = stdout(&in_fixtures(&["info", "--json", program]));
        assert!(
            json.contains(&format!("\"platform\": \"{platform}\"")),
            "{json}"
        );
    }
    let wanted = stdout(&in_fixtures(&["info", "--platform", "bare", "hello.elf"]));
    assert!(
        wanted.contains("platform       bare: --platform"),
        "{wanted}"
    );
}
