//! Why a file cannot be run, in words for whoever typed its name.

use crate::memory::{Fault, MemoryError};
use std::fmt;
use std::io;

/// Why a file is no program that can be run.
#[derive(Debug)]
pub enum ElfError {
    /// There is no such file.
    NotFound,
    /// The file cannot be read.
    Io(io::Error),
    /// It is a directory.
    Directory,
    /// It is a device, a socket or a pipe.
    NotRegular,
    /// It is a pipe, and its end did not come in time.
    TooLate,
    /// It is larger than [`super::LARGEST_FILE`]: its size in bytes.
    TooLarge(u64),
    /// It has no bytes.
    Empty,
    /// It does not begin as an ELF file does.
    NotElf,
    /// It ends inside this part.
    Truncated(&'static str),
    /// It is not a 32-bit file.
    Class,
    /// It is a 64-bit program for RISC-V.
    Rv64,
    /// It is not little endian.
    BigEndian,
    /// It is for another machine: `e_machine`.
    Machine(u16),
    /// It needs a dynamic linker, or can be placed anywhere and expects to be relocated.
    Dynamic,
    /// It was not linked.
    Relocatable,
    /// It is a memory dump.
    Core,
    /// It is of an unknown type: `e_type`.
    Type(u16),
    /// Its program headers do not have the size they must have: `e_phentsize`.
    HeaderSize(u16),
    /// There is nothing in it to load.
    NoSegments,
    /// The segments at these addresses overlap.
    Overlap(u32, u32),
    /// The segment at this address has more bytes in the file than in memory.
    FileSize(u32),
    /// The segment at this address goes past 4 GiB.
    Wraps(u32),
    /// The segment at this address has bytes outside the file.
    OutsideFile(u32),
    /// The entry is not inside a segment.
    Entry(u32),
    /// The entry is not a multiple of 4, or of 2 with compressed instructions.
    MisalignedEntry(u32),
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ElfError::NotFound => write!(f, "no such file"),
            ElfError::Io(source) => write!(f, "cannot read the file: {source}"),
            ElfError::Directory => write!(f, "is a directory, not a program"),
            ElfError::TooLate => write!(
                f,
                "is a pipe that does not end within the time limit (--timeout)"
            ),
            ElfError::NotRegular => write!(f, "is not a regular file or pipe"),
            ElfError::TooLarge(size) => write!(f, "the file is too large ({size} bytes)"),
            ElfError::Empty => write!(f, "the file is empty"),
            ElfError::NotElf => write!(f, "not an ELF file"),
            ElfError::Truncated(part) => write!(f, "the file is cut off in its ELF {part}"),
            ElfError::Class => write!(f, "not a 32-bit ELF file; rvjit runs RV32 programs"),
            ElfError::Rv64 => write!(
                f,
                "a 64-bit RISC-V program, and rvjit runs 32-bit ones; build it with -march=rv32im -mabi=ilp32 (rustc: for the target riscv32im-unknown-none-elf)"
            ),
            ElfError::BigEndian => write!(f, "not a little-endian ELF file"),
            ElfError::Machine(machine) => write!(
                f,
                "a program for {}, not for RISC-V",
                goblin_machine_name(*machine)
            ),
            ElfError::Dynamic => write!(
                f,
                "is dynamically linked or position-independent; link it with -static and -no-pie"
            ),
            ElfError::Relocatable => write!(f, "is an object file; link it first"),
            ElfError::Core => write!(f, "is a core dump, not a program"),
            ElfError::Type(kind) => write!(f, "has the unknown ELF type {kind:#x}"),
            ElfError::HeaderSize(size) => {
                write!(f, "damaged: program headers of {size} bytes, not 32")
            }
            ElfError::NoSegments => write!(f, "has no loadable segment"),
            ElfError::Overlap(low, high) => write!(
                f,
                "damaged: the segments at {low:#010x} and {high:#010x} overlap"
            ),
            ElfError::FileSize(addr) => write!(
                f,
                "damaged: the segment at {addr:#010x} is larger in the file than in memory"
            ),
            ElfError::Wraps(addr) => write!(
                f,
                "damaged: the segment at {addr:#010x} does not fit the 32-bit address space"
            ),
            ElfError::OutsideFile(addr) => write!(
                f,
                "cut off or damaged: the segment at {addr:#010x} lies outside the file"
            ),
            ElfError::Entry(entry) => {
                write!(f, "the entry {entry:#010x} is not inside a segment")
            }
            ElfError::MisalignedEntry(entry) => {
                write!(
                    f,
                    "the entry {entry:#010x} is not a multiple of 4 (of 2 with compressed instructions)"
                )
            }
        }
    }
}

impl std::error::Error for ElfError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let ElfError::Io(source) = self {
            Some(source)
        } else {
            None
        }
    }
}

fn goblin_machine_name(machine: u16) -> String {
    use goblin::elf::header as h;
    let name = match machine {
        h::EM_386 => "x86",
        h::EM_X86_64 => "x86-64",
        h::EM_ARM => "ARM",
        h::EM_AARCH64 => "ARM64",
        h::EM_MIPS => "MIPS",
        h::EM_PPC | h::EM_PPC64 => "PowerPC",
        other => return format!("ELF machine {other}"),
    };
    name.to_owned()
}

/// Why a good program could not be brought into memory.
#[derive(Debug)]
pub enum LoadError {
    /// Memory refused a mapping.
    Memory(MemoryError),
    /// The program's own bytes do not fit the memory limit.
    TooBig(Fault),
    /// No room is left between the segments for a stack of this many bytes.
    NoRoomForStack(u32),
    /// The arguments and the environment, of this many bytes, do not fit a quarter of the stack.
    TooManyArguments(usize),
    /// The argument or environment string of this number holds a NUL byte.
    NulInArgument(usize),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Memory(source) => write!(f, "{source}"),
            LoadError::TooBig(fault) => write!(
                f,
                "the program does not fit its memory ({fault}); give it more with --memory"
            ),
            LoadError::NoRoomForStack(size) => write!(
                f,
                "no room for a stack of {size} bytes between the segments; choose a smaller --stack"
            ),
            LoadError::TooManyArguments(size) => write!(
                f,
                "arguments and environment are too long ({size} bytes); choose a larger --stack"
            ),
            LoadError::NulInArgument(number) => {
                write!(f, "argument or variable {number} holds a NUL byte")
            }
        }
    }
}

impl std::error::Error for LoadError {}

impl From<MemoryError> for LoadError {
    fn from(source: MemoryError) -> LoadError {
        LoadError::Memory(source)
    }
}
