//! A machine at one moment, to come back to: registers, memory, the break. What belongs to the host is not in it: clocks,
//! the standard streams and how far they were read, limits.

use super::Machine;
use super::host_calls::HostCalls;
use crate::cpu::Cpu;
use crate::elf::Image;
use crate::memory::{MemoryError, MemorySnapshot};
use crate::platform::Platform;
use crate::syscall::HeapState;
use std::fmt;
use std::sync::Arc;

/// What a machine was at one moment. To clone it costs nothing, and any thread may have it.
#[derive(Debug, Clone)]
pub struct Snapshot(Arc<Contents>);

#[derive(Debug)]
struct Contents {
    image: Arc<Image>,
    host: HostCalls,
    cpu: Cpu,
    memory: MemorySnapshot,
    heap: HeapState,
    tohost_left: u8,
}

impl Snapshot {
    /// Pages of memory that it keeps.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.0.memory.pages()
    }
}

/// Why there is no snapshot, or no way back to one.
#[non_exhaustive]
#[derive(Debug)]
pub enum SnapshotError {
    /// Machines of this platform have a state beside their memory.
    Platform(Platform),
    /// The program has files open, or has closed a standard stream.
    OpenFiles,
    /// The snapshot is of another program, or of one with other functions of the host.
    OtherProgram,
    /// The host refuses memory.
    Memory(MemoryError),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotError::Platform(platform) => write!(
                f,
                "the platform {} has a state beside its memory, which is in no snapshot",
                platform.name()
            ),
            SnapshotError::OpenFiles => write!(
                f,
                "the program has files open, or has closed a standard stream, which is in no snapshot"
            ),
            SnapshotError::OtherProgram => write!(f, "the snapshot is of another program"),
            SnapshotError::Memory(source) => write!(f, "{source}"),
        }
    }
}

impl std::error::Error for SnapshotError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SnapshotError::Memory(source) => Some(source),
            _ => None,
        }
    }
}

impl From<MemoryError> for SnapshotError {
    fn from(source: MemoryError) -> SnapshotError {
        SnapshotError::Memory(source)
    }
}

impl Machine {
    /// What the machine is now. Stores to pages that have not been written since are slower once.
    ///
    /// # Errors
    /// [`SnapshotError::Platform`], [`SnapshotError::OpenFiles`], or what the host refuses.
    pub fn snapshot(&mut self) -> Result<Snapshot, SnapshotError> {
        if self.decision.platform != Platform::Newlib {
            return Err(SnapshotError::Platform(self.decision.platform));
        }
        if self.syscalls.has_files() {
            return Err(SnapshotError::OpenFiles);
        }
        Ok(Snapshot(Arc::new(Contents {
            image: Arc::clone(&self.image),
            host: self.host.clone(),
            cpu: self.cpu.clone(),
            memory: self.memory.snapshot()?,
            heap: self.syscalls.heap_state(),
            tohost_left: self.tohost_left,
        })))
    }

    /// Makes the machine what it was, or what another one of the same program was. Files that were opened since are closed.
    /// That takes the time that it takes to copy the pages that were written since, where the snapshot is this machine's
    /// last one, or the last that it came back to.
    ///
    /// # Errors
    /// [`SnapshotError::OtherProgram`], [`SnapshotError::OpenFiles`] where a standard stream was closed: nothing has
    /// changed then. [`SnapshotError::Memory`] when the host refuses, or the memory limit is too low: then another
    /// restore must succeed before the machine is used.
    pub fn restore(&mut self, to: &Snapshot) -> Result<(), SnapshotError> {
        let to = &*to.0;
        if !Arc::ptr_eq(&self.image, &to.image) || self.host != to.host {
            return Err(SnapshotError::OtherProgram);
        }
        if !self.syscalls.close_files() {
            return Err(SnapshotError::OpenFiles);
        }
        self.memory.restore(&to.memory)?;
        self.cpu = to.cpu.clone();
        self.syscalls.set_heap_state(&to.heap);
        self.tohost_left = to.tohost_left;
        Ok(())
    }
}
