//! A program, shared by all machines that run it, and its functions.

use crate::elf::{ElfError, Image, Symbol};
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// A program that was found fit to run. To clone it costs nothing.
#[derive(Clone)]
pub struct Program(Arc<Shared>);

struct Shared {
    image: Arc<Image>,
    /// Tells it from every other program of this process.
    id: u64,
    /// Raw code has nothing that its platform could be told by.
    raw: bool,
    names: OnceLock<HashMap<Box<str>, usize>>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let image = self.image();
        f.debug_struct("Program")
            .field("id", &self.0.id)
            .field("entry", &image.entry)
            .field("segments", &image.segments.len())
            .finish()
    }
}

/// Why there is no such program, or no such function.
#[non_exhaustive]
#[derive(Debug)]
pub enum ProgramError {
    /// The file, or what there is instead, is no program that can be run.
    Elf(ElfError),
    /// It has no function of this name.
    NoFunction(String),
    /// No function can be at this address.
    NoCode(u32),
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProgramError::Elf(source) => write!(f, "{source}"),
            ProgramError::NoFunction(name) => write!(f, "the program has no function {name}"),
            ProgramError::NoCode(addr) => {
                write!(
                    f,
                    "no function can be at {addr:#010x}: give an address of code"
                )
            }
        }
    }
}

impl std::error::Error for ProgramError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ProgramError::Elf(source) => Some(source),
            ProgramError::NoFunction(_) | ProgramError::NoCode(_) => None,
        }
    }
}

impl From<ElfError> for ProgramError {
    fn from(source: ElfError) -> ProgramError {
        ProgramError::Elf(source)
    }
}

/// A function of a program with its type: parameters and results. It is found once, and calls cost no search.
pub struct Func<P, R> {
    pub(super) addr: u32,
    pub(super) program: u64,
    kind: PhantomData<fn(P) -> R>,
}

impl<P, R> Func<P, R> {
    /// Where it is.
    #[must_use]
    pub fn addr(self) -> u32 {
        self.addr
    }
}

impl<P, R> Clone for Func<P, R> {
    fn clone(&self) -> Func<P, R> {
        *self
    }
}

impl<P, R> Copy for Func<P, R> {}

impl<P, R> fmt::Debug for Func<P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Func({:#010x})", self.addr)
    }
}

impl Program {
    fn new(image: Image, raw: bool) -> Program {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Program(Arc::new(Shared {
            image: Arc::new(image),
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            raw,
            names: OnceLock::new(),
        }))
    }

    /// The program in this file.
    ///
    /// # Errors
    /// [`ProgramError::Elf`]: why it cannot be run.
    pub fn open(path: impl AsRef<Path>) -> Result<Program, ProgramError> {
        Ok(Program::new(Image::open(path.as_ref())?, false))
    }

    /// The program that these bytes of an ELF file are.
    ///
    /// # Errors
    /// [`ProgramError::Elf`]: why it cannot be run.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Program, ProgramError> {
        Ok(Program::new(Image::parse(bytes.into())?, false))
    }

    /// Instructions at an address, which is a multiple of 4; the first is the entry. The guest may also read and write
    /// there. There are no symbols.
    ///
    /// # Errors
    /// [`ProgramError::Elf`]: nothing is there, or it does not fit.
    pub fn from_code(code: &[u8], address: u32) -> Result<Program, ProgramError> {
        Ok(Program::new(Image::parse(elf_of(code, address))?, true))
    }

    /// The function of this name.
    ///
    /// # Errors
    /// [`ProgramError::NoFunction`].
    pub fn func<P, R>(&self, name: &str) -> Result<Func<P, R>, ProgramError> {
        match self.symbol(name) {
            Some(symbol) => self.func_at(symbol.addr),
            None => Err(ProgramError::NoFunction(name.to_owned())),
        }
    }

    /// The function at this address.
    ///
    /// # Errors
    /// [`ProgramError::NoCode`] where no instruction can begin.
    pub fn func_at<P, R>(&self, addr: u32) -> Result<Func<P, R>, ProgramError> {
        if !self.image().isa().is_aligned(addr) {
            return Err(ProgramError::NoCode(addr));
        }
        Ok(Func {
            addr,
            program: self.0.id,
            kind: PhantomData,
        })
    }

    /// The symbol of this name; a function where several have it.
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<&Symbol> {
        let entries = self.image().symbols().entries();
        let names = self.0.names.get_or_init(|| {
            let mut names = HashMap::new();
            for (n, symbol) in entries.iter().enumerate() {
                let known = names.entry(symbol.name.clone()).or_insert(n);
                // Functions come before what else has the name.
                if symbol.kind < entries[*known].kind {
                    *known = n;
                }
            }
            names
        });
        names.get(name).map(|&n| &entries[n])
    }

    /// The function or label that an address of code belongs to, and how far inside it is.
    #[must_use]
    pub fn symbol_at(&self, addr: u32) -> Option<(&Symbol, u32)> {
        self.image().code_at(addr)
    }

    /// What the file holds.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.0.image
    }

    pub(super) fn shared_image(&self) -> Arc<Image> {
        Arc::clone(&self.0.image)
    }

    pub(super) fn id(&self) -> u64 {
        self.0.id
    }

    pub(super) fn is_raw(&self) -> bool {
        self.0.raw
    }
}

/// An executable of one segment (ELF-32 Object File Format).
fn elf_of(code: &[u8], address: u32) -> Vec<u8> {
    const HEADER: u32 = 52;
    const PROGRAM_HEADER: u32 = 32;
    const DATA: u32 = HEADER + PROGRAM_HEADER;
    const EM_RISCV: u32 = 243;
    // What is too long for a file is too long for the address space: that is found by its reader.
    let len = u32::try_from(code.len()).unwrap_or(u32::MAX);
    let halves = |low: u32, high: u32| low | high << 16;
    let words = [
        u32::from_le_bytes(*b"\x7fELF"),
        // 32 bits, little endian, version 1.
        0x0001_0101,
        0,
        0,
        // An executable.
        halves(2, EM_RISCV),
        1,
        address,
        HEADER,
        // No sections.
        0,
        0,
        halves(HEADER, PROGRAM_HEADER),
        halves(1, 0),
        0,
        // A segment to load: read, write, execute.
        1,
        DATA,
        address,
        address,
        len,
        len,
        7,
        4,
    ];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend_from_slice(code);
    bytes
}
