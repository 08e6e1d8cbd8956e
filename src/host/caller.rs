//! Host functions: what they see of the machine that calls them, and how Rust functions become such.

use super::linker::Shared;
use super::machine::{CallError, Pending, call_guest};
use super::program::Func;
use super::values::{A0, Args, Incoming, Param, Results};
use crate::cpu::Cpu;
use crate::machine::{Exit, Machine as Guest};
use crate::memory::{Fault, Memory};
use crate::syscall::abi::Errno;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A host function as it is kept.
pub(super) type HostFn<T> = Arc<dyn Fn(&mut Caller<'_, T>) -> Result<(), HostError> + Send + Sync>;

/// The machine, as a host function that it has called sees it.
pub struct Caller<'a, T> {
    /// What belongs to the host.
    pub data: &'a mut T,
    pub(super) linked: &'a Shared<T>,
    pub(super) guest: &'a mut Guest,
    pub(super) pending: &'a mut Pending,
    /// Calls of guest functions that this one is in.
    pub(super) depth: u32,
    pub(super) stop: bool,
}

impl<T: fmt::Debug> fmt::Debug for Caller<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("data", &self.data)
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}

impl<T> Caller<'_, T> {
    /// The guest's memory.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        self.guest.memory()
    }

    /// The same, to change it.
    pub fn memory_mut(&mut self) -> &mut Memory {
        self.guest.memory_mut()
    }

    /// What belongs to the host and the guest's memory, for whoever needs both at once.
    pub fn parts(&mut self) -> (&mut T, &mut Memory) {
        (self.data, self.guest.memory_mut())
    }

    /// Registers and pc; pc is that of the `ecall`, or of the host's function, and ra is where the caller goes on.
    #[must_use]
    pub fn cpu(&self) -> &Cpu {
        self.guest.cpu()
    }

    /// The same, to change registers. Results are written to them afterwards.
    pub fn cpu_mut(&mut self) -> &mut Cpu {
        self.guest.cpu_mut()
    }

    /// Calls a guest function. Registers are as before afterwards, whatever happens.
    ///
    /// # Errors
    /// [`CallError`]; with `?` it ends the run that called this host function, too.
    pub fn call<P, R: Results>(
        &mut self,
        function: Func<P, R>,
        args: impl Args<P>,
    ) -> Result<R, CallError> {
        call_guest(
            self.linked,
            self.guest,
            self.data,
            self.pending,
            self.depth,
            function,
            args,
        )
    }

    /// Has the run end with [`Exit::Stopped`] once this function has returned. The next run goes on behind it.
    pub fn stop(&mut self) {
        self.stop = true;
    }
}

/// Why a host function has no result.
#[non_exhaustive]
#[derive(Debug)]
pub enum HostError {
    /// The guest gets its negative number, as from a system call.
    Errno(Errno),
    /// The run ends with [`Exit::Stopped`], or the call with [`CallError::Host`]; pc is where the guest called.
    Stop(Box<dyn Error + Send + Sync>),
    /// A guest function that this one called ended the program in this way at this pc: so it does.
    Ended(Exit, u32),
}

impl HostError {
    /// Ends the run with an error of the host's own, which it finds again unchanged.
    pub fn stop(error: impl Into<Box<dyn Error + Send + Sync>>) -> HostError {
        HostError::Stop(error.into())
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostError::Errno(errno) => write!(f, "{errno:?}"),
            HostError::Stop(error) => write!(f, "{error}"),
            HostError::Ended(exit, pc) => write!(f, "the program ended at {pc:#010x}: {exit:?}"),
        }
    }
}

impl From<Errno> for HostError {
    fn from(errno: Errno) -> HostError {
        HostError::Errno(errno)
    }
}

/// The guest gave an address where nothing is.
impl From<Fault> for HostError {
    fn from(fault: Fault) -> HostError {
        HostError::Errno(fault.into())
    }
}

impl From<CallError> for HostError {
    fn from(error: CallError) -> HostError {
        match error {
            CallError::Ended(exit, pc) => HostError::Ended(exit, pc),
            CallError::Host(error) => HostError::Stop(error),
            other => HostError::Stop(Box::new(other)),
        }
    }
}

/// What a host function may return: nothing, numbers, or a result of those with an [`Errno`] or a [`HostError`].
pub trait HostResult {
    #[doc(hidden)]
    fn settle(self, cpu: &mut Cpu) -> Result<(), HostError>;
}

impl<R: Results> HostResult for R {
    fn settle(self, cpu: &mut Cpu) -> Result<(), HostError> {
        let (a0, a1) = self.into_words();
        for (n, word) in [a0, a1].into_iter().enumerate() {
            if let Some(word) = word {
                cpu.x[A0 + n] = word;
            }
        }
        Ok(())
    }
}

impl<R: Results, E: Into<HostError>> HostResult for Result<R, E> {
    fn settle(self, cpu: &mut Cpu) -> Result<(), HostError> {
        match self.map_err(Into::into) {
            Ok(value) => value.settle(cpu),
            Err(HostError::Errno(errno)) => {
                cpu.x[A0] = errno.result();
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Gives the guest what a host function has returned.
pub(super) fn retyped<T>(
    caller: &mut Caller<'_, T>,
    result: impl HostResult,
) -> Result<(), HostError> {
    result.settle(caller.cpu_mut())
}

/// Rust functions that can be called by the guest: `Fn(&mut Caller<'_, T>, A, B, …) -> R` with up to eight parameters.
pub trait IntoHostFunc<T, P, R>: Send + Sync + 'static {
    /// Words of its parameters.
    #[doc(hidden)]
    const WORDS: usize;
    #[doc(hidden)]
    fn into_host(self) -> HostFn<T>;
}

macro_rules! functions {
    ($(($($param:ident $value:ident),*);)*) => {$(
        impl<T, F, R, $($param),*> IntoHostFunc<T, ($($param,)*), R> for F
        where
            F: Fn(&mut Caller<'_, T>, $($param),*) -> R + Send + Sync + 'static,
            R: HostResult,
            $($param: Param,)*
        {
            const WORDS: usize = 0 $(+ $param::WORDS)*;

            fn into_host(self) -> HostFn<T> {
                Arc::new(move |caller: &mut Caller<'_, T>| {
                    let taken = |_call: &mut Incoming<'_>| -> Result<_, Fault> {
                        Ok(($($param::take(_call)?,)*))
                    };
                    let guest = &*caller.guest;
                    let taken = taken(&mut Incoming::new(guest.cpu(), guest.memory()));
                    let ($($value,)*) = match taken {
                        Ok(values) => values,
                        // The guest's stack is not where it should be.
                        Err(fault) => return retyped(caller, Err::<(), _>(HostError::from(fault))),
                    };
                    let result = self(caller, $($value),*);
                    retyped(caller, result)
                })
            }
        }
    )*};
}

functions! {
    ();
    (A a);
    (A a, B b);
    (A a, B b, C c);
    (A a, B b, C c, D d);
    (A a, B b, C c, D d, E e);
    (A a, B b, C c, D d, E e, G g);
    (A a, B b, C c, D d, E e, G g, H h);
    (A a, B b, C c, D d, E e, G g, H h, I i);
}
