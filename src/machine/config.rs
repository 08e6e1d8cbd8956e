//! What a machine is made with, and the choices that are left to us: engine and placement.

use super::board::{BoardError, Devices};
use crate::elf::{ElfError, Image, LoadError, Plan, Segment};
use crate::engine::Engine;
use crate::exit_status;
use crate::interp::Interpreter;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
use crate::jit;
use crate::memory::{
    Fault, IDENTITY_LOWEST, Memory, MemoryConfig, MemoryError, PAGED_MOST_PAGES, Placement,
};
use crate::platform::{Decision, Platform, PlatformError, RamError, decide, plan};
use crate::rv32::Isa;
use crate::sys::segment;
use crate::syscall::abi::StatLayout;
use crate::syscall::{DirGrant, Stream, SyscallError};
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Which engine runs the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineKind {
    /// The JIT where this host has one, else the interpreter.
    #[default]
    Auto,
    /// The JIT.
    Jit,
    /// The interpreter.
    Interp,
}

impl EngineKind {
    /// What `Auto` stands for on this host.
    #[must_use]
    pub fn resolve(self) -> EngineKind {
        match self {
            EngineKind::Auto if JIT_AVAILABLE => EngineKind::Jit,
            EngineKind::Auto => EngineKind::Interp,
            EngineKind::Jit | EngineKind::Interp => self,
        }
    }
}

/// Whether this build has a JIT for the host that it runs on.
pub const JIT_AVAILABLE: bool = cfg!(all(
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "x86_64")
));

/// What a machine is made with.
#[derive(Debug)]
pub struct MachineConfig {
    /// Which engine.
    pub engine: EngineKind,
    /// What the program takes its surroundings to be; `None` decides by its file.
    pub platform: Option<Platform>,
    /// The RAM of a machine, as ranges of guest addresses; empty: what the platform has.
    pub ram: Vec<Range<u64>>,
    /// How emitted code reaches memory; `None` chooses the fastest that works.
    pub placement: Option<Placement>,
    /// The most pages of 4 KiB that the guest may touch.
    pub memory_pages: u32,
    /// Bytes of stack.
    pub stack_size: u32,
    /// Whether code in the stack can be executed.
    pub exec_stack: bool,
    /// Bytes for translated code; `None` leaves it to the engine.
    pub code_cache: Option<usize>,
    /// How often code is interpreted before it is translated; with 0 it is translated at once. `None` leaves it to the
    /// engine.
    pub hot: Option<u8>,
    /// Whether a misaligned access is a fault. Only the paged placement has this.
    pub strict_align: bool,
    /// The guest's arguments, its own name first.
    pub args: Vec<Vec<u8>>,
    /// The guest's environment: `NAME=VALUE`.
    pub env: Vec<Vec<u8>>,
    /// What a zkVM guest reads, item by item.
    pub input: Vec<Vec<u8>>,
    /// Directories that the guest may use.
    pub dirs: Vec<DirGrant>,
    /// Which `struct stat` the guest was compiled with.
    pub stat_layout: StatLayout,
    /// The guest's standard input.
    pub stdin: Stream,
    /// The guest's standard output.
    pub stdout: Stream,
    /// The guest's standard error.
    pub stderr: Stream,
    /// The most instructions to execute.
    pub max_insns: Option<u64>,
    /// The longest time to run.
    pub timeout: Option<Duration>,
    /// Where a bare machine has its devices. RAM that lies there wins.
    pub devices: Devices,
    /// Whether somebody wants the devices just there: then RAM in their place is an error.
    pub devices_are_chosen: bool,
    /// Whoever sets this to true ends the run where emitted code is left next, which may be never: that is for signal
    /// handlers. Others have [`Machine::interrupt_handle`](super::Machine::interrupt_handle).
    pub stop: Arc<AtomicBool>,
}

impl Default for MachineConfig {
    fn default() -> MachineConfig {
        MachineConfig {
            engine: EngineKind::Auto,
            platform: None,
            ram: Vec::new(),
            placement: None,
            memory_pages: MemoryConfig::default().limit_pages,
            stack_size: 8 << 20,
            exec_stack: false,
            code_cache: None,
            hot: None,
            strict_align: false,
            args: Vec::new(),
            env: Vec::new(),
            input: Vec::new(),
            dirs: Vec::new(),
            stat_layout: StatLayout::default(),
            stdin: Stream::Inherit,
            stdout: Stream::Inherit,
            stderr: Stream::Inherit,
            max_insns: None,
            timeout: None,
            devices: Devices::default(),
            devices_are_chosen: false,
            stop: Arc::default(),
        }
    }
}

/// Why there is no machine.
#[non_exhaustive]
#[derive(Debug)]
pub enum MachineError {
    /// The file is no program that can be run.
    Elf(ElfError),
    /// The program cannot have the platform that was asked for.
    Platform(PlatformError),
    /// Its RAM cannot be as it was asked for.
    Ram(RamError),
    /// The program cannot be brought into memory.
    Load(LoadError),
    /// The host refuses the memory, or it cannot be as asked for.
    Memory(MemoryError),
    /// The environment cannot be set up.
    Syscalls(SyscallError),
    /// There is no JIT for this host.
    NoJit,
    /// The host refuses what the JIT needs.
    JitRefused(io::Error),
    /// The host refuses what a time limit needs.
    TimeLimit(io::Error),
    /// The bare machine cannot be as asked for.
    Board(BoardError),
    /// Strict alignment was asked for together with this placement.
    StrictAlign(Placement),
    /// The program has memory in the last 2 KiB, where functions of the host are.
    HostPage,
    /// A function of the program that one of the host's is to take the place of is not in memory.
    HostFunction(Fault),
}

impl MachineError {
    /// The exit status that stands for this.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            MachineError::Elf(ElfError::NotFound) => exit_status::NOT_FOUND,
            MachineError::Elf(ElfError::TooLate) => exit_status::TIMEOUT,
            MachineError::Elf(_) => exit_status::CANNOT_RUN,
            MachineError::Platform(_)
            | MachineError::Ram(_)
            | MachineError::Load(_)
            | MachineError::Memory(_)
            | MachineError::Syscalls(_)
            | MachineError::NoJit
            | MachineError::JitRefused(_)
            | MachineError::TimeLimit(_)
            | MachineError::Board(_)
            | MachineError::StrictAlign(_)
            | MachineError::HostPage
            | MachineError::HostFunction(_) => exit_status::OWN_ERROR,
        }
    }
}

impl fmt::Display for MachineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MachineError::Elf(source) => write!(f, "{source}"),
            MachineError::Platform(source) => write!(f, "{source}"),
            MachineError::Ram(source) => write!(f, "{source}"),
            MachineError::Load(source) => write!(f, "{source}"),
            MachineError::Memory(source) => write!(f, "{source}"),
            MachineError::Syscalls(source) => write!(f, "{source}"),
            MachineError::NoJit => write!(f, "there is no jit for this host; use --engine interp"),
            MachineError::JitRefused(source) => {
                write!(f, "the host refuses what the jit needs: {source}")
            }
            MachineError::TimeLimit(source) => {
                write!(f, "the host refuses what a time limit needs: {source}")
            }
            MachineError::Board(source) => write!(f, "{source}"),
            MachineError::StrictAlign(placement) => write!(
                f,
                "strict alignment needs the paged placement, not {}",
                placement.name()
            ),
            MachineError::HostPage => write!(
                f,
                "the program has memory at 0xfffff800, where functions of the host are"
            ),
            MachineError::HostFunction(fault) => write!(
                f,
                "a function that the host's is to take the place of is not in memory: {fault}"
            ),
        }
    }
}

impl std::error::Error for MachineError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            MachineError::Elf(source) => Some(source),
            MachineError::Platform(source) => Some(source),
            MachineError::Ram(source) => Some(source),
            MachineError::Load(source) => Some(source),
            MachineError::Memory(source) => Some(source),
            MachineError::Syscalls(source) => Some(source),
            MachineError::JitRefused(source) | MachineError::TimeLimit(source) => Some(source),
            MachineError::Board(source) => Some(source),
            MachineError::NoJit
            | MachineError::StrictAlign(_)
            | MachineError::HostPage
            | MachineError::HostFunction(_) => None,
        }
    }
}

impl From<ElfError> for MachineError {
    fn from(source: ElfError) -> MachineError {
        MachineError::Elf(source)
    }
}

impl From<PlatformError> for MachineError {
    fn from(source: PlatformError) -> MachineError {
        MachineError::Platform(source)
    }
}

impl From<RamError> for MachineError {
    fn from(source: RamError) -> MachineError {
        MachineError::Ram(source)
    }
}

impl From<BoardError> for MachineError {
    fn from(source: BoardError) -> MachineError {
        MachineError::Board(source)
    }
}

impl From<LoadError> for MachineError {
    fn from(source: LoadError) -> MachineError {
        MachineError::Load(source)
    }
}

impl From<MemoryError> for MachineError {
    fn from(source: MemoryError) -> MachineError {
        MachineError::Memory(source)
    }
}

impl From<SyscallError> for MachineError {
    fn from(source: SyscallError) -> MachineError {
        MachineError::Syscalls(source)
    }
}

/// The engine asked for. Where the host refuses executable memory and no engine was named, the
/// interpreter, and the reason.
pub(super) fn make_engine(
    config: &MachineConfig,
    memory: &Memory,
    isa: Isa,
    pause: Option<&Arc<AtomicBool>>,
) -> Result<(Box<dyn Engine>, Option<MachineError>), MachineError> {
    let mut refused = None;
    if config.engine.resolve() == EngineKind::Jit {
        match make_jit(config, memory, isa, pause) {
            Ok(jit) => return Ok((jit, None)),
            Err(error) if config.engine == EngineKind::Jit => return Err(error),
            Err(error) => refused = Some(error),
        }
    }
    let interpreter = Interpreter {
        stop: Some(Arc::clone(&config.stop)),
        pause: pause.cloned(),
    };
    Ok((Box::new(interpreter), refused))
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
fn make_jit(
    config: &MachineConfig,
    memory: &Memory,
    isa: Isa,
    pause: Option<&Arc<AtomicBool>>,
) -> Result<Box<dyn Engine>, MachineError> {
    let default = jit::JitConfig::default();
    let jit_config = jit::JitConfig {
        isa,
        code_cache: config.code_cache.unwrap_or(default.code_cache),
        hot: config.hot.unwrap_or(default.hot),
        first: config.hot.map_or(jit::JitConfig::FIRST, |_| 0),
        ..default
    };
    match jit::for_host(memory, jit_config) {
        Ok(mut jit) => {
            jit.stop_on(Arc::clone(&config.stop));
            if let Some(pause) = pause {
                jit.pause_on(Arc::clone(pause));
            }
            Ok(Box::new(jit))
        }
        Err(error) => Err(MachineError::JitRefused(error)),
    }
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "x86_64")
)))]
fn make_jit(
    _: &MachineConfig,
    _: &Memory,
    _: Isa,
    _: Option<&Arc<AtomicBool>>,
) -> Result<Box<dyn Engine>, MachineError> {
    Err(MachineError::NoJit)
}

/// What the program takes its surroundings to be, and the memory that follows from it.
pub(super) fn platform(
    config: &MachineConfig,
    image: &Image,
) -> Result<(Decision, Plan), MachineError> {
    let decision = decide(image, config.platform)?;
    let mut plan = plan(image, decision.platform, &config.ram, config.stack_size)?;
    plan.exec_stack = config.exec_stack;
    if decision.platform == Platform::Bare {
        let own = |s: &Segment| u64::from(s.vaddr)..s.end();
        let copies = image.segments.iter().filter_map(Segment::copy);
        let program: Vec<_> = image.segments.iter().map(own).chain(copies).collect();
        if config.devices_are_chosen {
            config.devices.check_program(&program)?;
        }
        config.devices.check(&config.ram)?;
        if let Some(ram) = plan.ram.as_mut().filter(|_| config.ram.is_empty()) {
            let are_chosen = config.devices_are_chosen;
            config.devices.leave_room(ram, &program, are_chosen);
        }
    } else if config.devices_are_chosen {
        return Err(BoardError::NotBare.into());
    }
    Ok((decision, plan))
}

/// Memory of the placement asked for, or of the first that works.
/// `lowest` is the lowest address that it has.
pub(super) fn make_memory(config: &MachineConfig, lowest: u32) -> Result<Memory, MachineError> {
    let memory = |placement| {
        Memory::new(MemoryConfig {
            placement,
            limit_pages: config.memory_pages,
            strict_align: config.strict_align,
        })
    };
    if let Some(placement) = config.placement {
        if config.strict_align && placement != Placement::Paged {
            return Err(MachineError::StrictAlign(placement));
        }
        return Ok(memory(placement)?);
    }
    let mut refused = None;
    for placement in placements(config, lowest) {
        match memory(placement) {
            Ok(memory) => return Ok(memory),
            Err(error) => {
                log::info!("{} placement: {error}", placement.name());
                // What comes later needs less; but that it cannot have so many pages explains nothing.
                if refused.is_none() || !matches!(error, MemoryError::TooManyPages { .. }) {
                    refused = Some(error);
                }
            }
        }
    }
    let none = || MemoryError::HostPageSize(Placement::Paged);
    Err(refused.unwrap_or_else(none).into())
}

/// The placements that suit, best first.
fn placements(config: &MachineConfig, lowest: u32) -> Vec<Placement> {
    if config.strict_align {
        return vec![Placement::Paged];
    }
    if config.engine.resolve() == EngineKind::Interp && config.memory_pages <= PAGED_MOST_PAGES {
        return vec![Placement::Paged];
    }
    let mut suitable = Placement::ALL.to_vec();
    suitable.reverse();
    suitable.retain(|&p| p != Placement::Identity || lowest >= IDENTITY_LOWEST);
    if let Err(error) = segment::check() {
        // The interpreter can have it, where nothing else has room for so much memory.
        log::info!("window placement: the host refuses a segment base: {error}");
        suitable.sort_by_key(|&p| p == Placement::Window);
    }
    suitable
}
