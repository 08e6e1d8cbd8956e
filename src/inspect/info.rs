//! Whether a program will run, and if not why; what it needs and what it was built with.
//!
//! [`Info`] is what `rvjit info --json` writes; the field names are its interface. Addresses are numbers.

use super::attributes;
use super::foreign;
use super::functions::functions;
use super::{Loaded, loaded};
use crate::elf::{ElfError, Image, sections};
use crate::exit_status::{CANNOT_RUN, NOT_FOUND};
use crate::memory::{Memory, MemoryConfig, PAGE_SIZE, Permissions, Placement};
use crate::platform::Platform;
use crate::platform::scan::{MTVEC, Scan};
use crate::report::names::symbol_offset;
use crate::rv32::{Extension, PrivilegedOp};
use crate::syscall::{semihosting, strace};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;

/// The version of the JSON.
pub const SCHEMA: u32 = 1;

/// What is known about a file without running it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Info {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The path.
    pub program: String,
    /// Whether it will run, as far as can be told.
    pub runs: bool,
    /// The exit status of `rvjit info`: 0, 126, or 127 for a file that is not found.
    pub status: u8,
    /// Why it will not run.
    pub problems: Vec<String>,
    /// The architecture string of the section `.riscv.attributes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The extensions in it that rvjit does not have. A program may name them and not use them.
    pub unsupported_extensions: Vec<String>,
    /// What is told only of a program that can be loaded.
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    pub image: Option<ImageInfo>,
}

/// What is known about a program that can be loaded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageInfo {
    /// What it takes its surroundings to be: the name of a platform.
    pub platform: &'static str,
    /// What speaks for that; empty where nothing speaks for another one.
    pub platform_reasons: Vec<String>,
    /// Address of the first instruction.
    pub entry: u32,
    /// Loadable segments.
    pub segments: Vec<SegmentInfo>,
    /// Memory that it needs.
    pub memory: MemoryInfo,
    /// The C library, or `rust`, or `none`, by the names in its symbol table; `unknown` without one.
    pub libc: &'static str,
    /// How it talks to its surroundings: `newlib system calls`, `risc0 calls`, `sp1 calls`, `semihosting`, `tohost`.
    pub interfaces: Vec<&'static str>,
    /// Functions.
    pub functions: usize,
    /// Instructions that the scan saw.
    pub instructions: usize,
    /// Words that cannot be executed.
    pub foreign: Vec<Foreign>,
    /// Whether they go to a trap handler of the program's own, which returns.
    pub handles_traps: bool,
    /// System calls, by number.
    pub syscalls: Vec<CallInfo>,
    /// Semihosting calls, by operation.
    pub semihosting: Vec<CallInfo>,
    /// Control and status registers, by number.
    pub csrs: Vec<u16>,
}

/// A segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SegmentInfo {
    /// Guest address.
    pub address: u32,
    /// Bytes in memory.
    pub size: u32,
    /// Bytes in the file.
    pub file_size: usize,
    /// `rwx`, with `-` for what is not allowed.
    pub permissions: String,
}

/// What a program needs of memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemoryInfo {
    /// Bytes of its segments.
    pub segment_bytes: u64,
    /// Pages of 4 KiB that they cover; stack and heap come on top as they are used.
    pub segment_pages: u32,
    /// The placements that suit it, best first.
    pub placements: Vec<&'static str>,
}

/// A word that cannot be executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Foreign {
    /// Its address.
    pub address: u32,
    /// The word.
    pub word: u32,
    /// The function and the place in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// What it is: name and extension; empty where it is nothing that is known.
    pub guess: String,
    /// Whether direct jumps and calls lead there from the entry; else only a function's symbol does.
    pub from_entry: bool,
}

/// A system call or a semihosting call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallInfo {
    /// Its number; absent for calls whose number is computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// Its name; absent for one that rvjit does not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    /// Where it is made.
    pub sites: Vec<u32>,
}

impl Info {
    /// Looks at a file.
    #[must_use]
    pub fn of(path: &Path, program: String, wanted: Option<Platform>) -> Info {
        match Image::open(path) {
            Ok(image) => of_image(&image, program, wanted),
            Err(error) => {
                // A file that is refused may still say what it was built for.
                let bytes = match &error {
                    ElfError::Dynamic if path.is_file() => std::fs::read(path).unwrap_or_default(),
                    _ => Vec::new(),
                };
                let status = match error {
                    ElfError::NotFound => NOT_FOUND,
                    _ => CANNOT_RUN,
                };
                Info::new(program, status, vec![error.to_string()], &bytes)
            }
        }
    }

    fn new(program: String, status: u8, problems: Vec<String>, bytes: &[u8]) -> Info {
        let all = sections(bytes);
        let attributes = all.iter().find(|s| s.name == ".riscv.attributes");
        let arch = attributes
            .and_then(|s| bytes.get(s.data.clone()))
            .and_then(attributes::arch);
        let unsupported = |name: &String| !is_supported(name);
        let extensions = arch.as_deref().map(attributes::extensions);
        Info {
            schema: SCHEMA,
            program,
            runs: status == 0,
            status,
            problems,
            unsupported_extensions: extensions
                .unwrap_or_default()
                .into_iter()
                .filter(unsupported)
                .collect(),
            arch,
            image: None,
        }
    }
}

/// Names beside those of the table's rows: parts and sums of extensions that are there, compressed forms, hints.
const BESIDE: [&str; 11] = [
    "e",
    "c",
    "zca",
    "zcb",
    "b",
    "zaamo",
    "zalrsc",
    "zmmul",
    "zicntr",
    "zihintntl",
    "zicbop",
];

/// Whether a program may use this extension.
fn is_supported(name: &str) -> bool {
    let mut rows = Extension::ALL.into_iter().filter_map(Extension::name);
    BESIDE.contains(&name) || rows.any(|row| row == name)
}

fn of_image(image: &Image, program: String, wanted: Option<Platform>) -> Info {
    let mut problems = Vec::new();
    let mut details = None;
    match loaded(image, wanted, 8 << 20) {
        Err(error) => problems.push(error.to_string()),
        Ok(mut loaded) => {
            problems.extend(too_large(&loaded.memory));
            let found = details_of(image, &mut loaded);
            let reached: Vec<&Foreign> = found.foreign.iter().filter(|f| f.from_entry).collect();
            if !found.handles_traps
                && let Some(first) = reached.first()
            {
                problems.push(leads_to(image, &loaded, first, reached.len()));
            }
            details = Some(found);
        }
    }
    let status = if problems.is_empty() { 0 } else { CANNOT_RUN };
    let mut info = Info::new(program, status, problems, image.bytes());
    info.image = details;
    info
}

/// Why a run does not get past the first of so many words that cannot be executed.
fn leads_to(image: &Image, loaded: &Loaded, first: &Foreign, count: usize) -> String {
    let place = first.symbol.as_deref().unwrap_or("no function");
    let name = match first.guess.as_str() {
        "" => "no known instruction",
        name => name,
    };
    let more = match count {
        1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    let advice = foreign::advice(first.word, image, loaded.decision.platform);
    let advice = advice.map_or_else(String::new, |advice| format!("; {advice}"));
    format!(
        "its entry leads to {:#010x} at {:#010x} ({place}), which cannot be executed ({name}){more}{advice}",
        first.word, first.address
    )
}

/// Why a run without `--memory` ends before the first instruction.
fn too_large(memory: &Memory) -> Option<String> {
    let default = MemoryConfig::default().limit_pages;
    // The stack begins with arguments.
    let needed = memory.pages_used() + 1;
    (needed > default).then(|| {
        let mib = |pages: u32| pages.div_ceil((1 << 20) / PAGE_SIZE);
        format!(
            "it fills {} MiB of memory before it begins, and --memory is {} MiB by default: give it --memory {}M",
            mib(needed),
            mib(default),
            mib(needed) + 1
        )
    })
}

fn details_of(image: &Image, loaded: &mut Loaded) -> ImageInfo {
    let placements = loaded.placements(image).into_iter().map(Placement::name);
    let placements = placements.collect();
    let memory = &mut loaded.memory;
    let mut scan = Scan::of_image(image);
    scan.follow(&mut |pc| memory.fetch_half(pc).ok(), image.entry);
    let from_entry: BTreeSet<u32> = scan.foreign.keys().copied().collect();
    let functions = functions(image, memory);
    for function in &functions {
        scan.follow(&mut |pc| memory.fetch_half(pc).ok(), function.range.start);
    }
    let foreign = scan.foreign.iter().map(|(&address, &word)| Foreign {
        address,
        word,
        symbol: symbol_offset(image, address),
        guess: foreign::name(word),
        from_entry: from_entry.contains(&address),
    });
    let calls = |sites: &std::collections::BTreeMap<Option<u32>, Vec<u32>>,
                 name: fn(u32) -> Option<&'static str>| {
        let call = |(number, sites): (&Option<u32>, &Vec<u32>)| CallInfo {
            number: *number,
            name: number.and_then(name),
            sites: sites.clone(),
        };
        sites.iter().map(call).collect::<Vec<_>>()
    };
    // Start-up code that only reports a trap and ends sets `mtvec`, too.
    let returns = scan
        .privileged
        .values()
        .any(|&word| word == PrivilegedOp::Mret.word());
    let bare = loaded.decision.platform == Platform::Bare;
    let handles_traps = bare && returns && scan.csrs.contains_key(&MTVEC);
    let reasons = loaded.decision.reasons.iter();
    ImageInfo {
        platform: loaded.decision.platform.name(),
        platform_reasons: reasons.map(ToString::to_string).collect(),
        entry: image.entry,
        segments: segments(image),
        memory: memory_info(image, placements),
        libc: libc(image),
        interfaces: interfaces(image, loaded.decision.platform, &scan),
        functions: functions.len(),
        instructions: scan.reached.len(),
        foreign: foreign.collect(),
        handles_traps,
        syscalls: calls(&scan.ecalls, strace::name),
        semihosting: calls(&scan.semihosting, semihosting::name),
        csrs: scan.csrs.keys().copied().collect(),
    }
}

fn segments(image: &Image) -> Vec<SegmentInfo> {
    let one = |segment: &crate::elf::Segment| {
        let has = |flag: fn(Permissions) -> bool, letter| match segment.permissions {
            Some(permissions) if flag(permissions) => letter,
            _ => '-',
        };
        SegmentInfo {
            address: segment.vaddr,
            size: segment.memsz,
            file_size: segment.data.len(),
            permissions: [
                has(|_| true, 'r'),
                has(Permissions::writable, 'w'),
                has(Permissions::executable, 'x'),
            ]
            .iter()
            .collect(),
        }
    };
    image.segments.iter().map(one).collect()
}

fn memory_info(image: &Image, placements: Vec<&'static str>) -> MemoryInfo {
    let mut pages = BTreeSet::new();
    for segment in &image.segments {
        let last = segment.vaddr + (segment.memsz - 1);
        pages.extend(segment.vaddr / PAGE_SIZE..=last / PAGE_SIZE);
    }
    MemoryInfo {
        segment_bytes: image.segments.iter().map(|s| u64::from(s.memsz)).sum(),
        segment_pages: u32::try_from(pages.len()).unwrap_or(u32::MAX),
        placements,
    }
}

/// By names that only the one or the other defines.
fn libc(image: &Image) -> &'static str {
    let symbols = image.symbols().entries();
    if symbols.is_empty() {
        return "unknown";
    }
    let any = |test: &dyn Fn(&str) -> bool| symbols.iter().any(|symbol| test(&symbol.name));
    if any(&|name| name.contains("picolibc")) || image.special.sys_semihost.is_some() {
        "picolibc"
    } else if any(&|name| matches!(name, "_impure_ptr" | "_global_impure_ptr" | "__sinit")) {
        "newlib"
    } else if any(&|name| {
        name.starts_with("_ZN4core") || name.starts_with("_R") || name == "rust_begin_unwind"
    }) {
        "rust"
    } else {
        "none"
    }
}

fn interfaces(image: &Image, platform: Platform, scan: &Scan) -> Vec<&'static str> {
    let mut found = Vec::new();
    if !scan.ecalls.is_empty() {
        found.push(match platform {
            Platform::Newlib | Platform::Bare => "newlib system calls",
            Platform::Risc0 => "risc0 calls",
            Platform::Sp1 => "sp1 calls",
        });
    }
    if !scan.semihosting.is_empty() {
        found.push("semihosting");
    }
    if image.special.tohost.is_some() {
        found.push("tohost");
    }
    found
}
