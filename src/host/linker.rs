//! What the guest can ask of its host: system calls by number, and functions by name.

use super::caller::{Caller, HostError, HostFn, IntoHostFunc, retyped};
use super::program::Program;
use crate::machine::HOST_FUNCTIONS;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Words that a system call has for arguments: a0 to a5.
const SYSCALL_WORDS: usize = 6;

/// Answers system calls that have no handler of their own, by number.
type Others<T> = Arc<dyn Fn(&mut Caller<'_, T>, u32) -> Result<u32, HostError> + Send + Sync>;

/// Host functions and system calls, for machines that have a `T` for these to work on.
pub struct Linker<T> {
    calls: BTreeMap<u32, HostFn<T>>,
    functions: BTreeMap<String, HostFn<T>>,
    others: Option<Others<T>>,
    newlib: bool,
}

impl<T> Clone for Linker<T> {
    fn clone(&self) -> Linker<T> {
        Linker {
            calls: self.calls.clone(),
            functions: self.functions.clone(),
            others: self.others.clone(),
            newlib: self.newlib,
        }
    }
}

impl<T> fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Linker")
            .field("calls", &self.calls.keys())
            .field("functions", &self.functions.keys())
            .field("newlib", &self.newlib)
            .finish_non_exhaustive()
    }
}

/// Why host and program do not fit together.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkError {
    /// There is a function for this system call already.
    CallTwice(u32),
    /// There is a function of this name already.
    FunctionTwice(String),
    /// The function for this system call has more parameters than a system call has registers.
    TooManyParameters(u32),
    /// There are more functions by name than there is room for.
    TooManyFunctions(usize),
    /// The program has no functions of these names.
    NoFunction(Vec<String>),
    /// Those of the program are too short to be replaced.
    TooShort(Vec<String>),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkError::CallTwice(number) => write!(f, "system call {number} is defined twice"),
            LinkError::FunctionTwice(name) => write!(f, "function {name} is defined twice"),
            LinkError::TooManyParameters(number) => write!(
                f,
                "the function for system call {number} has more than {SYSCALL_WORDS} words of parameters"
            ),
            LinkError::TooManyFunctions(count) => write!(
                f,
                "{count} functions by name are too many: at most {HOST_FUNCTIONS} can be there"
            ),
            LinkError::NoFunction(names) => {
                write!(f, "the program has no function {}", names.join(", "))
            }
            LinkError::TooShort(names) => write!(
                f,
                "{}: too short to be replaced, an instruction of 4 bytes is needed",
                names.join(", ")
            ),
        }
    }
}

impl std::error::Error for LinkError {}

impl<T> Default for Linker<T> {
    fn default() -> Linker<T> {
        Linker {
            calls: BTreeMap::new(),
            functions: BTreeMap::new(),
            others: None,
            newlib: false,
        }
    }
}

impl<T: 'static> Linker<T> {
    /// Nothing is there: every system call ends the run with [`Exit::Refused`](crate::machine::Exit::Refused).
    #[must_use]
    pub fn new() -> Linker<T> {
        Linker::default()
    }

    /// Has the system calls that nothing else here answers be those of newlib, with the streams and directories of the
    /// machine's configuration, as `rvjit run` does. `exit` is among them.
    pub fn newlib(&mut self) -> &mut Linker<T> {
        self.newlib = true;
        self
    }

    /// Has `function` answer the system call of this number (a7): its arguments are in a0 to a5, its result goes to a0
    /// and perhaps a1.
    ///
    /// # Errors
    /// [`LinkError::CallTwice`], [`LinkError::TooManyParameters`].
    pub fn syscall<P, R>(
        &mut self,
        number: u32,
        function: impl IntoHostFunc<T, P, R>,
    ) -> Result<&mut Linker<T>, LinkError> {
        if words(&function) > SYSCALL_WORDS {
            return Err(LinkError::TooManyParameters(number));
        }
        match self.calls.insert(number, function.into_host()) {
            None => Ok(self),
            Some(_) => Err(LinkError::CallTwice(number)),
        }
    }

    /// Has `function` answer all system calls that have no function of their own: it is given the number, and what it
    /// returns goes to a0. newlib's are not there then.
    pub fn other_syscalls(
        &mut self,
        function: impl Fn(&mut Caller<'_, T>, u32) -> Result<u32, HostError> + Send + Sync + 'static,
    ) -> &mut Linker<T> {
        self.others = Some(Arc::new(function));
        self
    }

    /// Has `function` take the place of the program's function of this name, also for calls through pointers. Its
    /// parameters and results are as a compiler for ilp32 passes them.
    ///
    /// # Errors
    /// [`LinkError::FunctionTwice`].
    pub fn func<P, R>(
        &mut self,
        name: &str,
        function: impl IntoHostFunc<T, P, R>,
    ) -> Result<&mut Linker<T>, LinkError> {
        match self.functions.insert(name.to_owned(), function.into_host()) {
            None => Ok(self),
            Some(_) => Err(LinkError::FunctionTwice(name.to_owned())),
        }
    }

    /// Finds the functions in the program. The result can be shared by any number of machines.
    ///
    /// # Errors
    /// What does not fit.
    pub fn link(&self, program: &Program) -> Result<Linked<T>, LinkError> {
        if self.functions.len() > HOST_FUNCTIONS {
            return Err(LinkError::TooManyFunctions(self.functions.len()));
        }
        let (mut missing, mut short) = (Vec::new(), Vec::new());
        let mut functions = Vec::new();
        for (name, function) in &self.functions {
            match program.symbol(name) {
                None => missing.push(name.clone()),
                Some(symbol) if (1..4).contains(&symbol.size) => short.push(name.clone()),
                Some(symbol) => functions.push((symbol.addr, Arc::clone(function))),
            }
        }
        if !missing.is_empty() {
            return Err(LinkError::NoFunction(missing));
        }
        if !short.is_empty() {
            return Err(LinkError::TooShort(short));
        }
        Ok(Linked(Arc::new(Shared {
            program: program.clone(),
            calls: self.calls.clone(),
            functions,
            others: self.others.clone(),
            newlib: self.newlib,
        })))
    }
}

fn words<T, P, R, F: IntoHostFunc<T, P, R>>(_: &F) -> usize {
    F::WORDS
}

/// A program with all that it can ask of its host: what machines are made of. To clone it costs nothing.
pub struct Linked<T>(Arc<Shared<T>>);

pub(super) struct Shared<T> {
    pub(super) program: Program,
    pub(super) calls: BTreeMap<u32, HostFn<T>>,
    /// Where the program has each function, and what takes its place.
    pub(super) functions: Vec<(u32, HostFn<T>)>,
    others: Option<Others<T>>,
    newlib: bool,
}

impl<T> Clone for Linked<T> {
    fn clone(&self) -> Linked<T> {
        Linked(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Linked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Linked")
            .field("program", &self.0.program)
            .field("calls", &self.0.calls.keys())
            .field("functions", &self.0.functions.len())
            .finish_non_exhaustive()
    }
}

impl<T> Linked<T> {
    /// The program.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.0.program
    }

    pub(super) fn shared(&self) -> &Arc<Shared<T>> {
        &self.0
    }
}

impl<T> Shared<T> {
    /// Whether system calls without a function of their own come here all the same.
    pub(super) fn takes_all_calls(&self) -> bool {
        !self.newlib || self.others.is_some()
    }

    /// Does the system call of this number. `None`: nobody knows it.
    pub(super) fn syscall(
        &self,
        caller: &mut Caller<'_, T>,
        number: u32,
    ) -> Option<Result<(), HostError>> {
        match (self.calls.get(&number), &self.others) {
            (Some(function), _) => Some(function(caller)),
            (None, Some(others)) => {
                let result = others(caller, number);
                Some(retyped(caller, result))
            }
            (None, None) => None,
        }
    }
}
