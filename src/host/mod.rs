//! What a host program builds on: programs, machines that run them, and what these ask of their host.
//!
//! A [`Program`] is read once. A [`Linker`] has what the guest can ask for, as Rust functions; it makes of a program a
//! [`Linked`] one, of which machines are made, each with data of its own. The guest reaches a host function by `ecall`
//! with a number of the host's, or by a call of a function of its own whose first instruction is replaced by a jump to
//! the end of the address space (`machine/host_calls`); emitted code knows nothing of either.
//!
//! # Raw code, called with arguments
//!
//! ```
//! use rvjit::host::{Linker, Machine, Program};
//! use rvjit::machine::MachineConfig;
//!
//! let code = [0x00b5_0533_u32, 0x0000_8067].map(u32::to_le_bytes); // add a0, a0, a1; ret
//! let program = Program::from_code(code.as_flattened(), 0x1_0000)?;
//! let add = program.func_at::<(u32, u32), u32>(0x1_0000)?;
//! let mut machine = Machine::new(&Linker::new().link(&program)?, (), MachineConfig::default())?;
//! assert_eq!(machine.call(add, (40, 2))?, 42);
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! # System calls of the host's own, with state, that call the guest back
//!
//! ```
//! use rvjit::host::{Caller, HostError, Linker, Machine, Program};
//! use rvjit::machine::MachineConfig;
//! use rvjit::syscall::abi::Errno;
//!
//! struct State {
//!     calls: u32,
//! }
//!
//! let program = Program::open("fixtures/calls.elf")?;
//! let narrow = program.func::<(i8, i16, u8, u16), i32>("narrow")?; // a + 2b + 4c + 8d
//! let mut linker = Linker::new();
//! linker
//!     .newlib()
//!     .syscall(5000, |c: &mut Caller<State>, a: u32, b: u32| {
//!         c.data.calls += 1;
//!         a + b
//!     })?
//!     .syscall(5001, move |c: &mut Caller<State>, x: i16| -> Result<i32, HostError> {
//!         Ok(c.call(narrow, (1, x, 1, 1))?)
//!     })?
//!     .syscall(5002, |_: &mut Caller<State>| -> Result<u32, Errno> { Err(Errno::EACCES) })?;
//! let mut machine = Machine::new(&linker.link(&program)?, State { calls: 0 }, MachineConfig::default())?;
//!
//! // ask(number, a, b) makes the system call of this number.
//! let ask = program.func::<(i32, i32, i32), i32>("ask")?;
//! assert_eq!(machine.call(ask, (5000, 3, 4))?, 7);
//! assert_eq!(machine.call(ask, (5001, 10, 0))?, 1 + 20 + 4 + 8);
//! assert_eq!(machine.call(ask, (5002, 0, 0))?, -13);
//! assert_eq!(machine.data().calls, 1);
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! # Host functions by name
//!
//! The program's own function of this name is never executed.
//!
//! ```
//! use rvjit::host::{Caller, Linker, Machine, Program};
//! use rvjit::machine::{Exit, MachineConfig};
//! use rvjit::syscall::Stream;
//!
//! let program = Program::open("fixtures/calls.elf")?;
//! let mut linker = Linker::new();
//! linker.newlib().func("host_add", |_: &mut Caller<()>, a: i32, b: i32| 100 * a + b)?;
//! let (stdout, printed) = Stream::capture();
//! let config = MachineConfig { stdout, ..MachineConfig::default() };
//! let mut machine = Machine::new(&linker.link(&program)?, (), config)?;
//! assert_eq!(machine.run(), Exit::Status(0));
//! assert_eq!(printed.text(), "twice 4002\n"); // host_add(20, 1), directly and through a pointer
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! # Running in parts, and stopping from another thread
//!
//! ```
//! use rvjit::host::Machine;
//! use rvjit::machine::{Exit, MachineConfig};
//! use std::thread;
//! use std::time::Duration;
//!
//! let mut machine = Machine::open("fixtures/calls.elf", MachineConfig::default())?;
//! let twice = machine.program().symbol("twice").unwrap().addr;
//! assert_eq!(machine.run_until(twice), Exit::Reached);
//! assert_eq!(machine.cpu().x[10], 20); // a0
//! assert_eq!(machine.run_for(3), Exit::MaxInsns);
//!
//! let spin = machine.program().func::<(), ()>("spin")?;
//! let handle = machine.interrupt_handle()?;
//! let stopper = thread::spawn(move || {
//!     thread::sleep(Duration::from_millis(20));
//!     handle.interrupt();
//! });
//! let error = machine.call(spin, ()).unwrap_err();
//! assert!(error.to_string().contains("Interrupted"));
//! # stopper.join().unwrap();
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! # Many machines of one program
//!
//! ```
//! use rvjit::host::{Linker, Machine, Program};
//! use rvjit::machine::MachineConfig;
//! use rvjit::memory::Placement;
//! use std::thread;
//!
//! let program = Program::open("fixtures/calls.elf")?;
//! let sum = program.func::<(&[u8], u32), u32>("sum")?;
//! let linked = Linker::new().newlib().link(&program)?;
//! let workers: Vec<_> = (0..2_u8)
//!     .map(|n| {
//!         let linked = linked.clone();
//!         thread::spawn(move || {
//!             let config = || MachineConfig { placement: Some(Placement::Paged), ..MachineConfig::default() };
//!             let machines: Result<Vec<_>, _> = (0..10).map(|_| Machine::new(&linked, (), config())).collect();
//!             let each = |machine: &mut Machine| machine.call(sum, (&[n, 1, 2], 3)).unwrap();
//!             machines.unwrap().iter_mut().map(each).sum::<u32>()
//!         })
//!     })
//!     .collect();
//! let sums: Vec<u32> = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
//! assert_eq!(sums, [30, 40]);
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! # Coming back to a snapshot
//!
//! A fuzzer comes back after each input: that takes the time to copy the pages that were written. Another machine of the
//! same program can come to the snapshot, too.
//!
//! ```
//! use rvjit::host::Machine;
//! use rvjit::machine::{Exit, MachineConfig};
//!
//! let mut machine = Machine::open("fixtures/calls.elf", MachineConfig::default())?;
//! let touch = machine.program().func::<(u32, u32), u32>("touch")?; // writes to so many pages
//! let main = machine.program().symbol("main").unwrap().addr;
//! assert_eq!(machine.run_until(main), Exit::Reached);
//! let snapshot = machine.snapshot()?;
//! for input in 0..100 {
//!     assert_eq!(machine.call(touch, (16, input))?, 7 + input);
//!     machine.restore(&snapshot)?;
//! }
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```

mod caller;
mod linker;
mod machine;
mod program;
mod values;

pub use caller::{Caller, HostError, HostResult, IntoHostFunc};
pub use linker::{LinkError, Linked, Linker};
pub use machine::{CALL_DEPTH, CallError, Machine};
pub use program::{Func, Program, ProgramError};
pub use values::{Arg, Args, Param, Ptr, Results};
