//! Files, lines and inlined functions are those that addr2line finds, at each instruction of the programs here.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod common;

use addr2line::{Context, gimli};
use common::fixtures;
use gimli::{EndianSlice, LittleEndian};
use rvjit::elf::Image;
use rvjit::inspect::functions::code_ranges;
use rvjit::report::lines::Lines;
use rvjit::report::names::demangle;
use std::fs;

/// A function, a file, a line.
type Frame = (Option<String>, Option<String>, u32);

fn theirs(context: &Context<EndianSlice<'_, LittleEndian>>, pc: u32) -> Vec<Frame> {
    let mut found = Vec::new();
    let mut frames = context.find_frames(pc.into()).skip_all_loads().unwrap();
    while let Some(frame) = frames.next().unwrap() {
        let name = frame
            .function
            .as_ref()
            .map(|f| demangle(&f.raw_name().unwrap()));
        let place = frame.location;
        let file = place.as_ref().and_then(|l| l.file.map(str::to_owned));
        let line = place.filter(|l| l.file.is_some()).and_then(|l| l.line);
        found.push((name, file, line.unwrap_or(0)));
    }
    found
}

fn ours(lines: &Lines<'_>, pc: u32) -> Vec<Frame> {
    let frame = |frame: &rvjit::report::lines::SourceFrame| {
        let place = frame.place.as_ref();
        (
            frame.function.clone(),
            place.map(|place| place.file.clone()),
            place.map_or(0, |place| place.line),
        )
    };
    lines.frames(pc).iter().map(frame).collect()
}

#[test]
fn lines_are_those_of_addr2line() {
    // Other programs, too: files behind colons.
    let more = std::env::var("RVJIT_ELF").unwrap_or_default();
    let more = more
        .split(':')
        .filter(|path| !path.is_empty())
        .map(Into::into);
    let all = fs::read_dir(fixtures()).unwrap().map(|e| e.unwrap().path());
    let (mut programs, mut inlined) = (0, 0);
    for path in all.chain(more) {
        let Ok(image) = Image::open(&path) else {
            continue;
        };
        let mut lines = Lines::new(&image);
        if lines.is_empty() {
            continue;
        }
        programs += 1;
        let section = |id: gimli::SectionId| -> Result<_, gimli::Error> {
            let bytes = image.section(id.name()).map_or(&[][..], |found| found.0);
            Ok(EndianSlice::new(bytes, LittleEndian))
        };
        let context = Context::from_dwarf(gimli::Dwarf::load(section).unwrap()).unwrap();
        let ranges = code_ranges(&image);
        let pcs: Vec<u32> = ranges.into_iter().flat_map(|r| r.step_by(2)).collect();
        lines.look_up(pcs.iter().copied());
        assert!(!lines.is_cut(), "{}", path.display());
        for pc in pcs {
            let expected = theirs(&context, pc);
            inlined += usize::from(expected.len() > 1);
            assert_eq!(ours(&lines, pc), expected, "{} {pc:#x}", path.display());
        }
    }
    assert!(programs > 0, "no program with debug information");
    println!("{programs} programs, {inlined} places in inlined functions");
}
