//! ELF files: what is in one, whether it can be run, and how it comes into guest memory.
//!
//! The headers are read with goblin, and every number in them is checked here: a file that [`Image::parse`] accepts
//! has segments that lie inside the file, inside the guest's 4 GiB and apart from each other, and an entry in one of
//! them. No input may panic or allocate more than a few times its own size.

mod error;
mod file;
mod flat;
mod layout;
mod sections;
mod stack;
mod symbols;
mod toolchain;
mod unpack;

pub use error::{ElfError, LoadError};
pub use layout::{Layout, Plan, load};
pub use sections::{Section, sections};
pub use stack::initial_stack;
pub use symbols::{Symbol, SymbolKind, Symbols};
pub use toolchain::Toolchain;

use crate::memory::Permissions;
use crate::rv32::{Fetched, Isa};
use crate::sys::fd::{O_NONBLOCK, wait_readable};
use file::FileBytes;
use goblin::container::{Container, Ctx};
use goblin::elf::header::{
    EI_CLASS, EI_DATA, ELFCLASS32, ELFCLASS64, ELFDATA2LSB, EM_RISCV, ET_CORE, ET_DYN, ET_EXEC,
    ET_REL, Header,
};
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_INTERP, PT_LOAD, ProgramHeader};
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;
use unpack::Unpacked;

/// The largest file that is read: 1 GiB, four times what a program with much debug information has.
pub const LARGEST_FILE: u64 = 1 << 30;

const HEADER_SIZE: usize = 52;
const PROGRAM_HEADER_SIZE: usize = 32;

/// A part of the file that is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// First guest address.
    pub vaddr: u32,
    /// Where a bare-metal image keeps the data until its start-up code copies it.
    pub paddr: u32,
    /// Bytes in memory; at least one.
    pub memsz: u32,
    /// The bytes in the file; what is left of `memsz` is zero.
    pub data: Range<usize>,
    /// What the guest may do; `None` for a segment that allows nothing.
    pub permissions: Option<Permissions>,
}

impl Segment {
    /// The first address after the segment.
    #[must_use]
    pub fn end(&self) -> u64 {
        u64::from(self.vaddr) + u64::from(self.memsz)
    }

    /// Whether the address is inside.
    #[must_use]
    pub fn contains(&self, addr: u32) -> bool {
        self.vaddr <= addr && u64::from(addr) < self.end()
    }

    /// Where the machine of a bare-metal image has the data before its start-up code copies it; `None` where that is
    /// the segment itself. Linkers that know no load addresses write 0.
    #[must_use]
    pub fn copy(&self) -> Option<Range<u64>> {
        let moved = self.paddr != self.vaddr && self.paddr != 0 && !self.data.is_empty();
        let end = u64::from(self.paddr) + self.data.len() as u64;
        (moved && end <= 1 << 32).then(|| self.paddr.into()..end)
    }

    fn executable(&self) -> bool {
        self.permissions.is_some_and(Permissions::executable)
    }
}

/// A program that was found fit to run.
#[derive(Debug)]
pub struct Image {
    file: FileBytes,
    /// Address of the first instruction.
    pub entry: u32,
    /// Loadable segments by address.
    pub segments: Vec<Segment>,
    /// `e_flags`. What they say of extensions is no reason not to run it: only what is reached counts.
    pub flags: u32,
    /// Addresses that the symbol table gives for names with a meaning to the loader.
    pub special: SpecialSymbols,
    tables: Option<symbols::Tables>,
    symbols: OnceLock<Symbols>,
    unpacked: OnceLock<Unpacked>,
}

/// A word through which a program and its host speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostWord {
    /// Its address.
    pub addr: u32,
    /// 4 bytes where the program says so, else 8.
    pub len: u32,
}

/// Symbols with a meaning to whoever runs the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpecialSymbols {
    /// Where the program asks its host (riscv-tests).
    pub tohost: Option<HostWord>,
    /// Where the host answers.
    pub fromhost: Option<HostWord>,
    /// First word of the signature (riscv-arch-test).
    pub begin_signature: Option<u32>,
    /// End of the signature.
    pub end_signature: Option<u32>,
    /// The initial stack pointer of a picolibc image.
    pub stack: Option<u32>,
    /// Where the heap begins (`_end`, else `end`).
    pub end: Option<u32>,
    /// Where the C library has the list of the environment's variables for `getenv`.
    pub environ: Option<u32>,
    /// picolibc's way to the semihosting triple.
    pub sys_semihost: Option<u32>,
}

impl Image {
    /// Reads a program.
    ///
    /// # Errors
    /// Why the file cannot be run.
    pub fn open(path: &Path) -> Result<Image, ElfError> {
        Image::open_until(path, None)
    }

    /// The same; a pipe is read until then.
    ///
    /// # Errors
    /// Why the file cannot be run; [`ElfError::TooLate`].
    pub fn open_until(path: &Path, until: Option<Instant>) -> Result<Image, ElfError> {
        let io = |source: io::Error| {
            let kind = source.kind();
            if kind == io::ErrorKind::NotFound || kind == io::ErrorKind::NotADirectory {
                ElfError::NotFound
            } else {
                ElfError::Io(source)
            }
        };
        // The kind is looked at before opening: opening a device may do anything.
        let metadata = std::fs::metadata(path).map_err(io)?;
        if metadata.is_dir() {
            return Err(ElfError::Directory);
        }
        if !metadata.is_file() && !metadata.file_type().is_fifo() {
            return Err(ElfError::NotRegular);
        }
        if metadata.len() > LARGEST_FILE {
            return Err(ElfError::TooLarge(metadata.len()));
        }
        // A pipe that nobody writes to is not waited for here.
        let mut options = File::options();
        let options = options.read(true).custom_flags(O_NONBLOCK);
        let file = options.open(path).map_err(io)?;
        let now = file.metadata().map_err(ElfError::Io)?;
        if now.is_file() && now.len() <= LARGEST_FILE {
            let mut file = FileBytes::open(file, &now).map_err(ElfError::Io)?;
            read_what_runs_need(&mut file)?;
            return Image::parse_file(file);
        }
        let bytes = read_pipe(&file, until)?;
        let len = bytes.len() as u64;
        if len > LARGEST_FILE {
            return Err(ElfError::TooLarge(len));
        }
        Image::parse(bytes)
    }

    /// Checks a program.
    ///
    /// # Errors
    /// Why it cannot be run.
    pub fn parse(bytes: Vec<u8>) -> Result<Image, ElfError> {
        Image::parse_file(FileBytes::from(bytes))
    }

    fn parse_file(file: FileBytes) -> Result<Image, ElfError> {
        let bytes = file.parts();
        let header = parse_header(bytes)?;
        let program_headers = parse_program_headers(bytes, &header)?;
        let segments = parse_segments(bytes, &program_headers)?;
        // Checked by `parse_header`: the class is 32 bits.
        let entry = u32::try_from(header.e_entry).map_err(|_| ElfError::Entry(u32::MAX))?;
        if !segments.iter().any(|s| s.contains(entry)) {
            return Err(ElfError::Entry(entry));
        }
        if !isa_of(header.e_flags).is_aligned(entry) {
            return Err(ElfError::MisalignedEntry(entry));
        }
        let tables = symbols::Tables::find(bytes, &header);
        let special = tables
            .as_ref()
            .map(|tables| tables.special(bytes))
            .unwrap_or_default();
        Ok(Image {
            file,
            entry,
            segments,
            flags: header.e_flags,
            special,
            tables,
            symbols: OnceLock::new(),
            unpacked: OnceLock::new(),
        })
    }

    /// The whole file: of a large one, most is read when this is first asked for.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.file.whole()
    }

    /// Bytes of the file.
    #[must_use]
    pub fn file_len(&self) -> usize {
        self.file.parts().len()
    }

    /// The bytes of a segment that come from the file.
    #[must_use]
    pub fn data(&self, segment: &Segment) -> &[u8] {
        let bytes = self.file.parts();
        bytes.get(segment.data.clone()).unwrap_or_default()
    }

    /// The symbol table, read when first asked for; empty in a stripped file.
    pub fn symbols(&self) -> &Symbols {
        self.symbols.get_or_init(|| match &self.tables {
            Some(tables) => tables.read(self.file.parts()),
            None => Symbols::default(),
        })
    }

    #[cfg(test)]
    pub(crate) fn symbols_are_read(&self) -> bool {
        self.symbols.get().is_some()
    }

    /// Which instructions the program may have.
    #[must_use]
    pub fn isa(&self) -> Isa {
        isa_of(self.flags)
    }

    /// Whether the program is of RV32E: it has 16 registers, and a system call's number is in t0 (what newlib does).
    #[must_use]
    pub fn embedded(&self) -> bool {
        self.flags & EF_RISCV_RVE != 0
    }

    /// The segment that an address is in.
    #[must_use]
    pub fn segment_at(&self, addr: u32) -> Option<&Segment> {
        let before = self.segments.partition_point(|s| s.vaddr <= addr);
        let nearest = self.segments.get(before.checked_sub(1)?)?;
        nearest.contains(addr).then_some(nearest)
    }

    /// The function or label that an address in an executable segment belongs to, and how far inside it is.
    #[must_use]
    pub fn code_at(&self, addr: u32) -> Option<(&Symbol, u32)> {
        let segment = self.segment_at(addr)?;
        segment.executable().then(|| self.symbols().code_at(addr))?
    }

    /// The half-word at an address as the file has it; `None` outside the segments.
    #[must_use]
    pub fn half(&self, addr: u32) -> Option<u16> {
        let segment = self.segment_at(addr)?;
        let offset = usize::try_from(addr - segment.vaddr).ok()?;
        let bytes = self.data(segment).get(offset..)?.first_chunk()?;
        Some(u16::from_le_bytes(*bytes))
    }

    /// What stands at an address as the file has it, which is aligned as the program's instructions are.
    #[must_use]
    pub fn fetched(&self, pc: u32) -> Option<Fetched> {
        Fetched::at(self.isa(), pc, |pc| self.half(pc).ok_or(())).ok()
    }
}

/// The bytes of a pipe, at most some more than a file may have.
fn read_pipe(mut pipe: &File, until: Option<Instant>) -> Result<Vec<u8>, ElfError> {
    const TICK: i32 = 20;
    const PIECE: usize = 64 << 10;
    let mut bytes = Vec::new();
    let mut piece = vec![0; PIECE];
    while bytes.len() as u64 <= LARGEST_FILE {
        if until.is_some_and(|until| until <= Instant::now()) {
            return Err(ElfError::TooLate);
        }
        let read = match wait_readable(pipe.as_fd(), TICK) {
            Ok(true) => pipe.read(&mut piece).map(Some),
            Ok(false) => Ok(None),
            Err(error) => Err(error),
        };
        match read {
            Ok(Some(0)) => break,
            Ok(Some(count)) => bytes.extend_from_slice(&piece[..count]),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(ElfError::Io(error)),
        }
    }
    Ok(bytes)
}

/// Reads what [`Image::parse`] looks at, and the bytes of segments and symbols.
fn read_what_runs_need(file: &mut FileBytes) -> Result<(), ElfError> {
    let part = |start: u64, count: u16, size: u16| {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        start..start.saturating_add(usize::from(count) * usize::from(size))
    };
    let read = |file: &mut FileBytes, range| file.read(range).map_err(ElfError::Io);
    read(file, 0..HEADER_SIZE)?;
    let header = parse_header(file.parts())?;
    read(
        file,
        part(header.e_phoff, header.e_phnum, header.e_phentsize),
    )?;
    let program_headers = parse_program_headers(file.parts(), &header)?;
    for segment in parse_segments(file.parts(), &program_headers)? {
        read(file, segment.data)?;
    }
    read(
        file,
        part(header.e_shoff, header.e_shnum, header.e_shentsize),
    )?;
    if let Some(tables) = symbols::Tables::find(file.parts(), &header) {
        read(file, tables.symbols)?;
        read(file, tables.names)?;
    }
    Ok(())
}

fn parse_header(bytes: &[u8]) -> Result<Header, ElfError> {
    if bytes.is_empty() {
        return Err(ElfError::Empty);
    }
    if !bytes.starts_with(b"\x7fELF") {
        return Err(ElfError::NotElf);
    }
    let ident = |at: usize| bytes.get(at).copied().ok_or(ElfError::Truncated("header"));
    let class = ident(EI_CLASS)?;
    if class != ELFCLASS32 {
        let riscv = bytes.get(18..20) == Some(&EM_RISCV.to_le_bytes()[..]);
        return Err(match (class, riscv) {
            (ELFCLASS64, true) => ElfError::Rv64,
            _ => ElfError::Class,
        });
    }
    if ident(EI_DATA)? != ELFDATA2LSB {
        return Err(ElfError::BigEndian);
    }
    if bytes.len() < HEADER_SIZE {
        return Err(ElfError::Truncated("header"));
    }
    let header =
        goblin::elf::Elf::parse_header(bytes).map_err(|_| ElfError::Truncated("header"))?;
    if header.e_machine != EM_RISCV {
        return Err(ElfError::Machine(header.e_machine));
    }
    match header.e_type {
        ET_EXEC => {}
        ET_REL => return Err(ElfError::Relocatable),
        ET_DYN => return Err(ElfError::Dynamic),
        ET_CORE => return Err(ElfError::Core),
        other => return Err(ElfError::Type(other)),
    }
    Ok(header)
}

/// `e_flags`: instructions of 16 bits may be there (RISC-V ELF psABI, "File Header").
const EF_RISCV_RVC: u32 = 0x1;
/// `e_flags`: the program keeps to the 16 registers of RV32E.
const EF_RISCV_RVE: u32 = 0x8;

fn isa_of(flags: u32) -> Isa {
    Isa {
        compressed: flags & EF_RISCV_RVC != 0,
    }
}

fn parse_program_headers(bytes: &[u8], header: &Header) -> Result<Vec<ProgramHeader>, ElfError> {
    let truncated = ElfError::Truncated("program headers");
    if header.e_phnum == 0 {
        return Err(ElfError::NoSegments);
    }
    if usize::from(header.e_phentsize) != PROGRAM_HEADER_SIZE {
        return Err(ElfError::HeaderSize(header.e_phentsize));
    }
    let len = usize::from(header.e_phnum) * PROGRAM_HEADER_SIZE;
    let range = usize::try_from(header.e_phoff)
        .ok()
        .and_then(|start| Some(start..start.checked_add(len)?));
    match range.and_then(|range| bytes.get(range)) {
        Some(table) => ProgramHeader::parse(table, 0, header.e_phnum.into(), CTX)
            .map_err(|_| ElfError::Truncated("program headers")),
        None => Err(truncated),
    }
}

/// 32-bit little endian.
const CTX: Ctx = Ctx {
    container: Container::Little,
    le: goblin::container::Endian::Little,
};

fn parse_segments(bytes: &[u8], headers: &[ProgramHeader]) -> Result<Vec<Segment>, ElfError> {
    if headers.iter().any(|h| h.p_type == PT_INTERP) {
        return Err(ElfError::Dynamic);
    }
    let mut segments = Vec::new();
    for header in headers.iter().filter(|h| h.p_type == PT_LOAD) {
        if let Some(segment) = parse_segment(bytes, header)? {
            segments.push(segment);
        }
    }
    if segments.is_empty() {
        return Err(ElfError::NoSegments);
    }
    segments.sort_by_key(|s| s.vaddr);
    for pair in segments.windows(2) {
        if let [low, high] = pair
            && low.end() > u64::from(high.vaddr)
        {
            return Err(ElfError::Overlap(low.vaddr, high.vaddr));
        }
    }
    Ok(segments)
}

/// `None` for a segment without memory.
fn parse_segment(bytes: &[u8], header: &ProgramHeader) -> Result<Option<Segment>, ElfError> {
    let vaddr = u32::try_from(header.p_vaddr).map_err(|_| ElfError::Wraps(u32::MAX))?;
    let paddr = u32::try_from(header.p_paddr).map_err(|_| ElfError::Wraps(vaddr))?;
    let memsz = u32::try_from(header.p_memsz).map_err(|_| ElfError::Wraps(vaddr))?;
    if header.p_filesz > header.p_memsz {
        return Err(ElfError::FileSize(vaddr));
    }
    if memsz == 0 {
        return Ok(None);
    }
    if u64::from(vaddr) + u64::from(memsz) > 1 << 32 {
        return Err(ElfError::Wraps(vaddr));
    }
    let data = if header.p_filesz == 0 {
        0..0
    } else {
        header
            .p_offset
            .checked_add(header.p_filesz)
            .filter(|&end| end <= bytes.len() as u64)
            .and_then(|end| {
                Some(usize::try_from(header.p_offset).ok()?..usize::try_from(end).ok()?)
            })
            .ok_or(ElfError::OutsideFile(vaddr))?
    };
    let has = |flag| header.p_flags & flag != 0;
    Ok(Some(Segment {
        vaddr,
        paddr,
        memsz,
        data,
        permissions: Permissions::new(has(PF_R), has(PF_W), has(PF_X)),
    }))
}

#[cfg(test)]
mod tests;
