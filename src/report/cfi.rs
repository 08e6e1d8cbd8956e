//! One step up the call stack by DWARF's call frame information (DWARF 5, 6.4).

use super::lines::Slice;
use crate::elf::Image;
use crate::memory::Memory;
use gimli::{
    BaseAddresses, CfaRule, CieOrFde, CommonInformationEntry, DebugFrame, EhFrame, EndianSlice,
    LittleEndian, Register, RegisterRule, UnwindContext, UnwindSection,
};

const RA: usize = 1;
const SP: usize = 2;

/// Steps for the list of all entries; one takes about 20 ns. Programs have an entry for each function.
const MOST_LISTED: usize = 1 << 24;
/// Steps for an entry's common part.
const COMMON: usize = 64;

/// An entry: first address, the one behind the last, and where it is.
type Entry = (u32, u32, usize);

/// One of the two sections, and its entries by address.
struct Section<S> {
    section: S,
    bases: BaseAddresses,
    entries: Vec<Entry>,
}

/// The call frame information of a program.
pub(super) struct CallFrames<'a> {
    debug: Option<Section<DebugFrame<Slice<'a>>>>,
    eh: Option<Section<EhFrame<Slice<'a>>>>,
    context: UnwindContext<usize>,
}

/// What a step found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The caller's registers, and the address that it continues at.
    Caller {
        /// x0 to x31; those that nobody saved hold what they held.
        registers: [u32; 32],
        /// The return address.
        pc: u32,
        /// Whether it was saved in memory; else it is still in its register, as in a leaf function.
        saved: bool,
    },
    /// Nothing describes this address, or the description cannot be followed.
    Unknown,
}

impl<'a> CallFrames<'a> {
    /// Lists the entries.
    pub(super) fn new(image: &'a Image) -> CallFrames<'a> {
        let slice = |name| Some(EndianSlice::new(image.section(name)?.0, LittleEndian));
        let debug = slice(".debug_frame").map(|bytes| {
            let mut section = DebugFrame::from(bytes);
            // Old versions of the section do not tell.
            section.set_address_size(4);
            Section::new(section, BaseAddresses::default(), bytes.len())
        });
        let eh = slice(".eh_frame").map(|bytes| {
            let mut section = EhFrame::from(bytes);
            section.set_address_size(4);
            let address = |name| image.section(name).map_or(0, |found| u64::from(found.1));
            let bases = BaseAddresses::default()
                .set_eh_frame(address(".eh_frame"))
                .set_text(address(".text"));
            Section::new(section, bases, bytes.len())
        });
        CallFrames {
            debug,
            eh,
            context: UnwindContext::new(),
        }
    }

    /// The caller of the function that `pc` is in. `pay` is asked for a step for each byte that says how to find it.
    pub(super) fn step(
        &mut self,
        pc: u32,
        registers: &[u32; 32],
        memory: &Memory,
        pay: &dyn Fn(usize) -> bool,
    ) -> Step {
        let context = &mut self.context;
        let debug = self.debug.as_ref();
        let step = debug.and_then(|section| section.step(pc, registers, memory, pay, context));
        let eh = self.eh.as_ref();
        step.or_else(|| eh?.step(pc, registers, memory, pay, context))
            .unwrap_or(Step::Unknown)
    }
}

impl<'a, S: UnwindSection<Slice<'a>>> Section<S> {
    /// Lists the entries of a section of so many bytes.
    fn new(section: S, bases: BaseAddresses, len: usize) -> Section<S> {
        let mut entries = Vec::new();
        let mut all = section.entries(&bases);
        let mut steps = 0;
        // Entries share their common part; one after the other has the same.
        let mut common: Option<(S::Offset, CommonInformationEntry<Slice<'a>>)> = None;
        // Whatever is damaged ends the list.
        while let Ok(Some(entry)) = all.next() {
            steps += 1;
            if steps > MOST_LISTED {
                break;
            }
            let CieOrFde::Fde(partial) = entry else {
                continue;
            };
            let parsed = partial.parse(|section, bases, at| {
                if let Some((known, entry)) = &common
                    && *known == at
                {
                    return Ok(entry.clone());
                }
                let entry = section.cie_from_offset(bases, at);
                // What is damaged may have been read to its end.
                let bytes = entry.as_ref().map_or(len, |entry| entry.entry_len());
                steps += COMMON + bytes / 1024;
                common = entry.clone().ok().map(|entry| (at, entry));
                entry
            });
            if let Ok(fde) = parsed
                && let Ok(start) = u32::try_from(fde.initial_address())
                && let Ok(end) = u32::try_from(fde.end_address())
            {
                entries.push((start, end, fde.offset()));
            }
        }
        entries.sort_by_key(|entry| entry.0);
        Section {
            section,
            bases,
            entries,
        }
    }

    fn step(
        &self,
        pc: u32,
        registers: &[u32; 32],
        memory: &Memory,
        pay: &dyn Fn(usize) -> bool,
        context: &mut UnwindContext<usize>,
    ) -> Option<Step> {
        let before = self.entries.partition_point(|entry| entry.0 <= pc);
        let &(_, end, offset) = self.entries.get(before.checked_sub(1)?)?;
        if pc >= end {
            return None;
        }
        let fde = self
            .section
            .fde_from_offset(&self.bases, offset.into(), S::cie_from_offset)
            .ok()?;
        if !pay(fde.entry_len() + fde.cie().entry_len()) {
            return None;
        }
        let row = fde
            .unwind_info_for_address(&self.section, &self.bases, context, pc.into())
            .ok()?;
        let CfaRule::RegisterAndOffset { register, offset } = *row.cfa() else {
            return None;
        };
        let base = *registers.get(usize::from(register.0))?;
        let cfa = add(base, offset)?;
        let mut caller = *registers;
        caller[SP] = cfa;
        let mut saved = false;
        for number in 1..32_u16 {
            let place = usize::from(number);
            caller[place] = match row.register(Register(number)) {
                RegisterRule::Offset(offset) => {
                    saved |= place == RA;
                    let mut bytes = [0; 4];
                    memory.peek(add(cfa, offset)?, &mut bytes).ok()?;
                    u32::from_le_bytes(bytes)
                }
                RegisterRule::ValOffset(offset) => add(cfa, offset)?,
                RegisterRule::Register(other) => *registers.get(usize::from(other.0))?,
                // No rule: unchanged, or gone.
                _ => continue,
            };
        }
        Some(Step::Caller {
            registers: caller,
            pc: caller[RA],
            saved,
        })
    }
}

fn add(base: u32, offset: i64) -> Option<u32> {
    Some(base.wrapping_add_signed(i32::try_from(offset).ok()?))
}
