//! `rvjit disasm`, `info`, `completions` and `man`: what each option prints and where, and what is refused.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod common;

use common::{assert_one_line, fixtures, in_fixtures, stderr, stdout};
use rvjit::elf::Image;
use rvjit::inspect::functions::functions;
use rvjit::inspect::info::Info;
use rvjit::inspect::listing::list;
use rvjit::inspect::{memory_of, object};
use rvjit::jit::back::translate::Mode;
use rvjit::jit::view::preview::{Host, options, translate_ahead};
use rvjit::memory::Placement;
use serde_json::Value;
use std::fs;

/// Standard output of a command that must succeed and say nothing else.
fn shown(args: &[&str]) -> String {
    let output = in_fixtures(args);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{args:?}: {}",
        stderr(&output)
    );
    assert!(output.stderr.is_empty(), "{args:?}: {}", stderr(&output));
    stdout(&output)
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&shown(args)).unwrap()
}

fn array(value: &Value) -> &Vec<Value> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("{value} is no array"))
}

fn strings(value: &Value) -> Vec<&str> {
    array(value).iter().map(|v| v.as_str().unwrap()).collect()
}

#[test]
fn guest_code_is_shown_as_objdump_does() {
    let text = shown(&["disasm", "hello.elf", "--func", "main"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "hello.elf:");
    assert_eq!(lines[1..3], ["", "00010074 <main>:"]);
    assert_eq!(lines[3], "   10074:\t00010537          \tlui\ta0,0x10");
    let call = "   10084:\t0bc000ef          \tjal\t0x10140 <put>";
    assert!(lines.contains(&call), "{text}");
    assert_eq!(lines.last(), Some(&"   10094:\t00008067          \tret"));
}

#[test]
fn everything_is_shown_without_a_selection() {
    let all = shown(&["disasm", "--all", "hello.elf"]);
    assert_eq!(shown(&["disasm", "hello.elf"]), all);
    for name in ["main", "_start", "put"] {
        assert!(all.contains(&format!(" <{name}>:\n")), "{name}");
    }
    let two = shown(&["disasm", "--func", "put", "--func", "main", "hello.elf"]);
    let heads: Vec<&str> = two.lines().filter(|line| line.ends_with(">:")).collect();
    assert_eq!(heads, ["00010074 <main>:", "00010140 <put>:"]);
}

#[test]
fn host_code_stands_beside_the_guests() {
    let rows = [
        ("arm64", "identity", "ldr w14, [x15, #12]"),
        ("arm64", "window", "ldr w14, [x27, "),
        ("arm64", "paged", "ldrh w"),
        ("x86-64", "identity", "d+0xc]"),
        ("x86-64", "paged", "movzx"),
    ];
    for (target, placement, part) in rows {
        let placed = ["--target", target, "--placement", placement];
        let args = [
            &["disasm", "--jit"][..],
            &placed,
            &["--func", "main", "hello.elf"],
        ]
        .concat();
        let text = shown(&args);
        let title = format!("hello.elf: {target}, {placement} placement\n");
        assert!(text.starts_with(&title), "{text}");
        let head = "00010074 <main>: 9 guest instructions (36 bytes), ";
        let head = text.lines().find(|line| line.starts_with(head));
        assert!(
            head.is_some_and(|head| head.contains(", expansion ")),
            "{text}"
        );
        let line = text.lines().find(|line| line.contains("lw      ra,12(sp)"));
        assert!(line.is_some_and(|line| line.contains(" | ")), "{text}");
        assert!(text.contains(part), "{target} {placement}: {text}");
    }
    let totals = shown(&["disasm", "--jit", "--target", "arm64", "hello.elf"]);
    let last = totals.lines().last().unwrap();
    assert!(last.starts_with("total of "), "{last}");
}

#[test]
fn ops_stand_between_guest_and_host() {
    let only = [
        "disasm",
        "--ops",
        "--target",
        "arm64",
        "--func",
        "main",
        "hello.elf",
    ];
    let text = shown(&only);
    for line in [
        "10078: ff010113 addi    sp,sp,-16                       | ; sp = add sp, -16",
        "| ; sw [sp + 12] = ra",
        "| ; a0 = 0x10398",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(
        !text.contains("str w14") && !text.contains("cold:"),
        "{text}"
    );
    let both = shown(&[&only[..], &["--jit"]].concat());
    let at = |part: &str| both.find(part).unwrap_or_else(|| panic!("{part}\n{both}"));
    assert!(at("; sw [sp + 12] = ra") < at("str w14"));
    let value = json(&[&only[..], &["--json"]].concat());
    let insns = value["functions"][0]["insns"].as_array().unwrap();
    assert_eq!(insns[1]["ops"], serde_json::json!(["sp = add sp, -16"]));
    let without = json(&["disasm", "--jit", "--json", "--func", "main", "hello.elf"]);
    assert!(without["functions"][0]["insns"][1].get("ops").is_none());
}

/// The target and placement that are written when none is.
#[test]
fn the_defaults_are_this_host_and_the_best_placement() {
    let value = json(&["disasm", "--jit", "--json", "--func", "main", "hello.elf"]);
    let own = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x86-64"
    };
    assert_eq!(value["target"], own);
    assert_eq!(value["placement"], "identity");
}

#[test]
fn json_holds_what_the_text_shows() {
    let guest = json(&["disasm", "--json", "hello.elf", "--func", "main"]);
    assert_eq!(guest["schema"], 1);
    assert_eq!(guest["program"], "hello.elf");
    assert!(guest.get("target").is_none() && guest["functions"][0].get("host").is_none());
    let insns = array(&guest["functions"][0]["insns"]);
    assert_eq!(insns.len(), 9);
    assert_eq!(insns[4]["pc"], 0x10084);
    assert_eq!(insns[4]["word"], 0x0bc0_00ef);
    assert_eq!(insns[4]["text"], "jal\t0x10140");
    assert_eq!(insns[4]["symbol"], "put");

    for target in ["arm64", "x86-64"] {
        let value = json(&["disasm", "--jit", "--json", "--target", target, "sort.elf"]);
        assert_eq!(value["target"], target);
        for function in array(&value["functions"]) {
            let host = &function["host"];
            let insns = array(&function["insns"]);
            assert_eq!(function["bytes"], 4 * insns.len());
            let lines: Vec<&Value> = insns.iter().flat_map(|i| array(&i["host"])).collect();
            assert_eq!(host["insns"], lines.len(), "{}", function["name"]);
            let len = |insn: &&Value| insn["bytes"].as_str().unwrap().len() / 2;
            assert_eq!(host["bytes"], lines.iter().map(len).sum::<usize>());
            let cold: Vec<&Value> = array(&host["cold"]).iter().collect();
            assert_eq!(host["cold_bytes"], cold.iter().map(len).sum::<usize>());
            let expansion = host["expansion"].as_f64().unwrap();
            let expected = lines.len() as f64 / insns.len() as f64;
            assert!(
                (expansion - expected).abs() < 1e-9,
                "{expansion} {expected}"
            );
        }
    }
}

#[test]
fn a_range_is_cut_at_functions() {
    let heads = |range: &str| -> Vec<String> {
        let value = json(&["disasm", "--json", "--range", range, "hello.elf"]);
        let head = |f: &Value| {
            let name = f["name"].as_str().unwrap();
            format!(
                "{name} {:#x} {}",
                f["address"].as_u64().unwrap(),
                f["bytes"]
            )
        };
        array(&value["functions"]).iter().map(head).collect()
    };
    assert_eq!(heads("0x10078..0x10080"), ["main+0x4 0x10078 8"]);
    assert_eq!(heads("main.._start"), ["main 0x10074 36"]);
    assert_eq!(
        heads("0x10090..0x100a0"),
        ["main+0x1c 0x10090 8", "_start 0x10098 8"]
    );
    assert_eq!(heads("65656..65664"), ["main+0x4 0x10078 8"]);
}

#[test]
fn bad_values_of_disasm_are_refused() {
    let rows: [(&[&str], &str); 15] = [
        (&["--func", "mian"], "no function is named 'mian'"),
        (&["--func", "mai"], "there is 'main'"),
        (&["--range", "main"], "bad range 'main': write A..B"),
        (&["--range", "_start..main"], "bad range"),
        (&["--range", "0x10074..0x10074"], "bad range"),
        (&["--range", "0x10074..0x10076"], "bad range"),
        (&["--range", "nothing..0x10078"], "bad range"),
        (&["--range", "0x+10074..0x10078"], "bad range"),
        (&["--range", "0x20000..0x20004"], "no code from 0x00020000"),
        (&["--range", "0x1..0x2", "--all"], "cannot be used with"),
        (&["--func", "main", "--all"], "cannot be used with"),
        (&["--jit", "--target", "mips"], "invalid value 'mips'"),
        (
            &["--target", "arm64"],
            "--target needs --jit, --ops or --emit",
        ),
        (
            &["--placement", "paged"],
            "--placement needs --jit, --ops or --emit",
        ),
        (&["--color", "pink"], "invalid value 'pink'"),
    ];
    for (args, says) in rows {
        let output = in_fixtures(&[&["disasm", "hello.elf"], args].concat());
        assert_one_line(&output, &format!("{args:?}"));
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(125), "{args:?}: {text}");
        assert!(text.contains(says), "{args:?}: {text}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    let usage = stderr(&in_fixtures(&["disasm", "--bogus", "hello.elf"]));
    assert!(usage.contains("see 'rvjit disasm --help'"), "{usage}");
    for (program, status) in [("nowhere.elf", 127), ("hello.out", 126), (".", 126)] {
        let output = in_fixtures(&["disasm", program]);
        assert_one_line(&output, program);
        assert_eq!(output.status.code(), Some(status), "{program}");
        assert!(output.stdout.is_empty(), "{program}");
    }
}

#[test]
fn an_object_has_a_symbol_for_each_function() {
    let folder = tempfile::tempdir().unwrap();
    for (target, machine) in [("arm64", 183), ("x86-64", 62)] {
        let path = folder.path().join(format!("{target}.o"));
        let file = path.to_str().unwrap();
        let text = shown(&["disasm", "--emit", file, "--target", target, "sort.elf"]);
        assert!(text.is_empty(), "{text}");
        let bytes = fs::read(&path).unwrap();
        let elf = goblin::elf::Elf::parse(&bytes).unwrap();
        assert!(elf.is_64 && elf.little_endian);
        assert_eq!((elf.header.e_machine, elf.header.e_type), (machine, 1));
        let value = json(&[
            "disasm", "--emit", file, "--jit", "--json", "--target", target, "sort.elf",
        ]);
        assert_eq!(fs::read(&path).unwrap(), bytes, "the same bytes every time");
        for function in array(&value["functions"]) {
            let name = function["name"].as_str().unwrap();
            let offset = function["host"]["offset"].as_u64().unwrap();
            let found = elf.syms.iter().any(|symbol| {
                elf.strtab.get_at(symbol.st_name) == Some(name)
                    && symbol.st_value == offset
                    && symbol.st_size > 0
                    && symbol.is_function()
            });
            assert!(found, "{target}: {name}");
        }
    }
    let output = in_fixtures(&["disasm", "--emit", "nowhere/x.o", "hello.elf"]);
    assert_one_line(&output, "unwritable");
    assert_eq!(output.status.code(), Some(125));
    assert!(stderr(&output).contains("cannot write nowhere/x.o"));
}

/// Without symbols, what the entry reaches is shown, one function for each call.
#[test]
fn a_stripped_program_is_followed_from_its_entry() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stripped.elf");
    let mut bytes = fs::read(fixtures().join("hello.elf")).unwrap();
    // e_shoff, e_shnum and e_shstrndx.
    bytes[32..36].fill(0);
    bytes[48..52].fill(0);
    fs::write(&path, bytes).unwrap();
    let program = path.to_str().unwrap();
    let value = json(&["disasm", "--json", program]);
    let names: Vec<&str> = array(&value["functions"])
        .iter()
        .map(|f| f["name"].as_str().unwrap())
        .collect();
    for name in ["sub_00010074", "sub_00010098", "sub_00010140"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let info = json(&["info", "--json", program]);
    assert_eq!(info["libc"], "unknown");
    assert!(info.get("arch").is_none());
}

#[test]
fn colours_are_for_terminals() {
    for args in [
        &["disasm", "hello.elf"][..],
        &["disasm", "--jit", "hello.elf"],
        &["info", "hello.elf"],
    ] {
        let plain = shown(args);
        assert!(!plain.contains('\x1b'), "{args:?}");
        assert_eq!(shown(&[args, &["--color", "never"]].concat()), plain);
        let colored = shown(&[args, &["--color", "always"]].concat());
        assert!(colored.contains("\x1b["), "{args:?}");
        let mut stripped = String::new();
        for part in colored.split('\x1b') {
            stripped += match part.strip_prefix('[') {
                Some(rest) => rest.split_once('m').unwrap().1,
                None => part,
            };
        }
        assert_eq!(stripped, plain, "{args:?}");
    }
}

#[test]
fn a_bad_end_is_coloured_only_where_asked_for() {
    let plain = stderr(&in_fixtures(&["run", "nullcrash.elf"]));
    assert!(
        !plain.contains('\x1b') && plain.contains("memory fault"),
        "{plain}"
    );
    let colored = stderr(&in_fixtures(&["run", "--color", "always", "nullcrash.elf"]));
    assert!(
        colored.starts_with("rvjit: nullcrash.elf: \x1b["),
        "{colored}"
    );
    let never = stderr(&in_fixtures(&["run", "--color", "never", "nullcrash.elf"]));
    assert_eq!(never, plain);
}

/// Neither the scan nor listings may panic, hang or grow without bounds, whatever the file says.
#[test]
fn damaged_files_are_no_panic() {
    let good = fs::read(fixtures().join("sort.elf")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.elf");
    let (mut parsed, mut refused) = (0, 0);
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    // The tables are behind the code: half of the damage goes there.
    let tables = good.len() / 2;
    for round in 0..400 {
        let mut bytes = good.clone();
        for _ in 0..1 + random(4) {
            let at = match round % 3 {
                0 => random(116),
                1 => tables + random(good.len() - tables),
                _ => random(good.len()),
            };
            let values = [0, 1, 4, 0x7f, 0x80, 0xff];
            bytes[at] = values[random(values.len())];
        }
        fs::write(&path, &bytes).unwrap();
        let info = Info::of(&path, "damaged".to_owned(), None);
        let Ok(image) = Image::parse(bytes) else {
            assert!(!info.runs);
            refused += 1;
            continue;
        };
        parsed += 1;
        let Ok(mut memory) = memory_of(&image) else {
            continue;
        };
        let functions = functions(&image, &mut memory);
        let ranges: Vec<_> = functions.iter().map(|f| f.range.clone()).collect();
        let options = options(Placement::Window, image.isa());
        let mode = Mode::default();
        let ahead = translate_ahead(Host::X86_64, options, mode, &mut memory, &ranges);
        let code = Some((&ahead, Placement::Window));
        let listing = list("damaged".to_owned(), &image, &mut memory, &functions, code);
        assert_eq!(listing.functions.len(), functions.len());
        assert!(object::write(&ahead, &functions).is_ok());
    }
    assert!(parsed > 100 && refused > 50, "{parsed} {refused}");
}

#[test]
fn info_tells_what_a_program_is() {
    let text = shown(&["info", "hello.elf"]);
    assert!(text.starts_with("hello.elf: will run\n"), "{text}");
    for part in ["rv32i2p1_m2p0", "0x00010098", "64 write", "93 exit", "r-x"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let info = json(&["info", "--json", "hello.elf"]);
    assert_eq!(info["schema"], 1);
    assert_eq!((&info["runs"], &info["status"]), (&true.into(), &0.into()));
    assert_eq!(info["entry"], 0x10098);
    assert_eq!(info["libc"], "none");
    assert_eq!(strings(&info["interfaces"]), ["newlib system calls"]);
    assert_eq!(
        strings(&info["memory"]["placements"]),
        ["identity", "window", "paged"]
    );
    assert_eq!(info["memory"]["segment_pages"], 1);
    assert_eq!(info["segments"][0]["permissions"], "r-x");
    assert!(array(&info["unsupported_extensions"]).is_empty());
    let calls: Vec<&Value> = array(&info["syscalls"])
        .iter()
        .map(|c| &c["name"])
        .collect();
    assert_eq!(calls, ["write", "exit"]);
    let unknown = json(&["info", "--json", "unknown_syscall.elf"]);
    let numbers: Vec<&Value> = array(&unknown["syscalls"])
        .iter()
        .filter(|call| call.get("name").is_none())
        .map(|call| &call["number"])
        .collect();
    assert_eq!(numbers, [4000, 0xffff_ffffu32]);
}

#[test]
fn info_knows_a_program_with_a_trap_handler() {
    let emulate = json(&["info", "--json", "machine_emulate.elf"]);
    assert_eq!(emulate["status"], 0);
    let words = array(&emulate["foreign"]);
    assert!(words.iter().any(|word| word["from_entry"] == true));
    assert!(shown(&["info", "machine_emulate.elf"]).contains("for the program's trap handler"));
    assert_eq!(emulate["handles_traps"], true);
    let hello = json(&["info", "--json", "hello.elf"]);
    assert_eq!(hello["handles_traps"], false);
}

#[test]
fn info_tells_how_a_program_talks() {
    let semi = json(&["info", "--json", "semi.elf"]);
    assert_eq!(strings(&semi["interfaces"]), ["semihosting"]);
    let names: Vec<&Value> = array(&semi["semihosting"])
        .iter()
        .map(|c| &c["name"])
        .collect();
    assert_eq!(names, ["SYS_WRITEC", "SYS_WRITE0", "SYS_EXIT"]);
    let tohost = json(&["info", "--json", "tohost_pass.elf"]);
    assert_eq!(strings(&tohost["interfaces"]), ["tohost"]);
}

#[test]
fn info_tells_why_a_program_will_not_run() {
    let output = in_fixtures(&["info", "--json", "fault_illegal.elf"]);
    assert_eq!(output.status.code(), Some(126));
    assert!(output.stderr.is_empty());
    let info: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(
        (&info["runs"], &info["status"]),
        (&false.into(), &126.into())
    );
    let foreign = &info["foreign"][0];
    assert_eq!(foreign["word"], 0xffff_ffffu32);
    assert_eq!(foreign["from_entry"], true);
    assert_eq!(foreign["symbol"], "main+0x14");
    let problem = strings(&info["problems"])[0];
    assert!(problem.contains("main+0x14"), "{problem}");

    let rows = [
        ("fault_illegal_compressed.elf", 126, "C extension"),
        ("hello.out", 126, "not an ELF file"),
        (".", 126, "directory"),
        ("nowhere.elf", 127, "no such file"),
    ];
    for (program, status, says) in rows {
        let output = in_fixtures(&["info", program]);
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(status), "{program}: {text}");
        assert!(
            text.starts_with(&format!("{program}: will not run: ")),
            "{text}"
        );
        assert!(text.contains(says), "{program}: {text}");
        assert!(output.stderr.is_empty(), "{program}");
    }
}

/// What does not fit the memory of a run without options will not run so, and can be looked at all the same.
#[test]
fn large_programs_are_looked_at() {
    const MIB: u32 = 260;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.elf");
    let mut bytes = fs::read(fixtures().join("hello.elf")).unwrap();
    // The header of the attributes becomes that of a second segment, of zeros.
    assert_eq!(bytes[52..56], 0x7000_0003_u32.to_le_bytes());
    let words = [
        1,
        0x1000,
        0x100_0000,
        0x100_0000,
        MIB << 20,
        MIB << 20,
        6,
        4,
    ];
    let header: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    bytes[52..84].copy_from_slice(&header);
    fs::write(&path, bytes).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(0x1000 + (u64::from(MIB) << 20)).unwrap();
    let program = path.to_string_lossy();

    let info = in_fixtures(&["info", &program]);
    assert_eq!(info.status.code(), Some(126), "{}", stderr(&info));
    let text = stdout(&info);
    let advice = text.split_once("give it --memory ").unwrap().1;
    let memory = advice.lines().next().unwrap();
    for (options, status) in [(&["--memory", memory][..], 0), (&[], 125)] {
        let output = in_fixtures(&[options, &[&program]].concat());
        assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
    }
    let main = shown(&["disasm", "--func", "main", &program]);
    assert!(main.contains("<main>:\n"), "{main}");
}

/// A file that is refused by its header still says what it was built for; flags and architecture strings refuse nothing.
#[test]
fn info_tells_the_architecture_of_any_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rvc.elf");
    let mut bytes = fs::read(fixtures().join("hello.elf")).unwrap();
    // Compressed code, and floats in registers; not E, whose calls are others.
    bytes[36] |= 0x7;
    let arch = b"rv32i2p1_m2p0_zmmul1p0";
    let at = bytes.windows(arch.len()).position(|w| w == arch).unwrap();
    bytes[at..at + arch.len()].copy_from_slice(b"rv32i2p1_v2p0_zmmul1p0");
    for (kind, status) in [(2, 0), (3, 126)] {
        bytes[16] = kind;
        fs::write(&path, &bytes).unwrap();
        let output = in_fixtures(&["info", "--json", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(status));
        let info: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(info["arch"], "rv32i2p1_v2p0_zmmul1p0");
        assert_eq!(strings(&info["unsupported_extensions"]), ["v"]);
        assert_eq!(info.get("segments").is_some(), status == 0);
        let run = in_fixtures(&[path.to_str().unwrap()]);
        assert_eq!(run.status.code(), Some(status));
    }
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let text = shown(&["completions", shell]);
        for word in ["disasm", "info", "completions", "placement"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
    let output = in_fixtures(&["completions", "dos"]);
    assert_one_line(&output, "dos");
    assert_eq!(output.status.code(), Some(125));
    assert!(output.stdout.is_empty());
}

#[test]
fn the_man_page_has_every_command_and_option() {
    let page = shown(&["man"]);
    assert!(page.contains(".TH rvjit 1"), "{page}");
    for part in [
        "COMMAND RUN",
        "COMMAND DISASM",
        "COMMAND INFO",
        "timeout",
        "emit",
        "152",
    ] {
        assert!(page.contains(part), "{part}");
    }
}
