//! Semihosting: the calls of programs without a libgloss, such as those built with picolibc's `--specs=semihost`.
//!
//! The operation is in a0, its parameter or the address of its parameters in a1 ("Semihosting for AArch32 and
//! AArch64", Arm, and "RISC-V Semihosting"). Files come from the same granted directories, and share the table of
//! open files with system calls; handles are descriptors plus one, so that none is 0.

use super::abi::{AT_FDCWD, Errno, flag};
use super::notes::Missing;
use super::stream::stops;
use super::{Failure, Outcome, Syscalls, time};
use crate::memory::Memory;
use crate::rv32::Isa;
use crate::rv32::decode::{EBREAK, SEMIHOSTING_BEFORE, SEMIHOSTING_BEHIND};

/// Whether the `ebreak` at `pc` is a semihosting call: the middle of three instructions that do nothing.
#[must_use]
pub fn is_semihosting_call(memory: &mut Memory, pc: u32) -> bool {
    // As the program has them: a breakpoint may be among them.
    let is = |pc, word| {
        memory
            .peek_insn(Isa::default(), pc)
            .is_ok_and(|fetched| fetched.bits == word)
    };
    is(pc, EBREAK)
        && is(pc.wrapping_sub(4), SEMIHOSTING_BEFORE)
        && is(pc.wrapping_add(4), SEMIHOSTING_BEHIND)
}

macro_rules! operations {
    ($($name:ident = $number:literal;)*) => {
        $(const $name: u32 = $number;)*

        /// The name of an operation.
        #[must_use]
        pub fn name(operation: u32) -> Option<&'static str> {
            match operation {
                $($name => Some(stringify!($name)),)*
                _ => None,
            }
        }
    };
}
operations! {
    SYS_OPEN = 0x01;
    SYS_CLOSE = 0x02;
    SYS_WRITEC = 0x03;
    SYS_WRITE0 = 0x04;
    SYS_WRITE = 0x05;
    SYS_READ = 0x06;
    SYS_READC = 0x07;
    SYS_ISERROR = 0x08;
    SYS_ISTTY = 0x09;
    SYS_SEEK = 0x0a;
    SYS_FLEN = 0x0c;
    SYS_TMPNAM = 0x0d;
    SYS_REMOVE = 0x0e;
    SYS_RENAME = 0x0f;
    SYS_CLOCK = 0x10;
    SYS_TIME = 0x11;
    SYS_SYSTEM = 0x12;
    SYS_ERRNO = 0x13;
    SYS_GET_CMDLINE = 0x15;
    SYS_HEAPINFO = 0x16;
    SYS_EXIT = 0x18;
    SYS_EXIT_EXTENDED = 0x20;
    SYS_ELAPSED = 0x30;
    SYS_TICKFREQ = 0x31;
}

/// Whether an operation only adds a character to the console.
pub(super) fn is_character(operation: u32) -> bool {
    operation == SYS_WRITEC
}

/// The reason for an exit that is a program's normal end.
const APPLICATION_EXIT: u32 = 0x20026;
/// What fails says this.
const FAILED: u32 = u32::MAX;
/// Ticks of [`SYS_ELAPSED`] are nanoseconds.
const TICK_FREQUENCY: u32 = 1_000_000_000;
/// The file `:semihosting-features`: exit-extended, and standard error apart from standard output.
const FEATURES: [u8; 5] = *b"SHFB\x03";
/// The handle of the features file: above all descriptors.
const FEATURES_HANDLE: u32 = 0x1000;
/// The longest path.
const PATH_MAX: u32 = 4096;

/// What semihosting remembers from call to call.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The last error: what `SYS_ERRNO` answers.
    errno: u32,
    /// Position in the features file while it is open.
    features: Option<u32>,
}

impl Syscalls {
    /// Does an operation; what does not return is the error.
    pub(super) fn semihosting_call(
        &mut self,
        operation: u32,
        parameter: u32,
        memory: &mut Memory,
    ) -> Result<u32, Outcome> {
        match self.operate(operation, parameter, memory) {
            Ok(value) => Ok(value),
            Err(Failure::End(outcome)) => Err(outcome),
            Err(Failure::Errno(errno)) => {
                self.semihosting.errno = errno.number();
                // Where the answer is a number of bytes not moved, failing is to move none.
                Ok(match operation {
                    SYS_WRITE | SYS_READ => {
                        memory.load(parameter.wrapping_add(8)).unwrap_or(FAILED)
                    }
                    _ => FAILED,
                })
            }
        }
    }

    fn operate(
        &mut self,
        operation: u32,
        parameter: u32,
        memory: &mut Memory,
    ) -> Result<u32, Failure> {
        let word = |memory: &mut Memory, n: u32| memory.load::<u32>(parameter.wrapping_add(4 * n));
        match operation {
            SYS_OPEN => self.open_file(memory, parameter),
            SYS_CLOSE => {
                let handle = word(memory, 0)?;
                if handle == FEATURES_HANDLE {
                    let open = self.semihosting.features.take();
                    return Ok(open.map(|_| 0).ok_or(Errno::EBADF)?);
                }
                let fd = descriptor(handle)?;
                // The standard streams have several handles in one, and WRITE0 needs no handle at all.
                if fd > 2 {
                    self.files.close(fd)?;
                }
                Ok(0)
            }
            SYS_WRITEC => {
                let byte = memory.load(parameter)?;
                self.put_console(byte).map_err(Failure::End)?;
                Ok(0)
            }
            SYS_WRITE0 => self.write_string(memory, parameter),
            SYS_WRITE => {
                let fd = descriptor(word(memory, 0)?)?;
                let (addr, len) = (word(memory, 1)?, word(memory, 2)?);
                Ok(len - self.write(memory, fd, addr, len)?)
            }
            SYS_READ => {
                let handle = word(memory, 0)?;
                let (addr, len) = (word(memory, 1)?, word(memory, 2)?);
                if handle == FEATURES_HANDLE {
                    return self.read_features(memory, addr, len);
                }
                Ok(len - self.read(memory, descriptor(handle)?, addr, len)?)
            }
            SYS_READC => {
                let mut byte = [0];
                Ok(match self.files.read(0, &mut byte)? {
                    0 => FAILED,
                    _ => byte[0].into(),
                })
            }
            SYS_ISERROR => Ok(word(memory, 0)? >> 31),
            SYS_ISTTY => {
                let handle = word(memory, 0)?;
                if handle == FEATURES_HANDLE {
                    return Ok(0);
                }
                let stat = self.files.stat(descriptor(handle)?)?;
                Ok(u32::from(stat.mode & 0o170_000 == 0o020_000))
            }
            SYS_SEEK => {
                let (handle, to) = (word(memory, 0)?, word(memory, 1)?);
                if handle == FEATURES_HANDLE {
                    self.semihosting.features = Some(to);
                    return Ok(0);
                }
                self.files.seek(descriptor(handle)?, to.cast_signed(), 0)?;
                Ok(0)
            }
            SYS_FLEN => {
                let handle = word(memory, 0)?;
                if handle == FEATURES_HANDLE {
                    return Ok(5);
                }
                let size = self.files.stat(descriptor(handle)?)?.size;
                Ok(i32::try_from(size)
                    .map_err(|_| Errno::EOVERFLOW)?
                    .cast_unsigned())
            }
            SYS_TMPNAM => {
                let (addr, id, len) = (word(memory, 0)?, word(memory, 1)?, word(memory, 2)?);
                let name = format!("rvjit-{:02x}.tmp\0", id & 0xff);
                if name.len() > len as usize {
                    return Err(Errno::ERANGE.into());
                }
                memory.write(addr, name.as_bytes())?;
                Ok(0)
            }
            SYS_REMOVE => {
                let (addr, len) = (word(memory, 0)?, word(memory, 1)?);
                let path = read_name(memory, addr, len)?;
                Ok(self.unlink(CWD, &path, false)?)
            }
            SYS_RENAME => {
                let (from, from_len) = (word(memory, 0)?, word(memory, 1)?);
                let (to, to_len) = (word(memory, 2)?, word(memory, 3)?);
                let (from, to) = (
                    read_name(memory, from, from_len)?,
                    read_name(memory, to, to_len)?,
                );
                Ok(self.rename((CWD, &from), (CWD, &to))?)
            }
            SYS_CLOCK => {
                let time = self.clocks.elapsed();
                Ok(time::low_word(
                    time.as_secs() * 100 + u64::from(time.subsec_millis() / 10),
                ))
            }
            SYS_TIME => Ok(time::low_word(time::real_time().as_secs())),
            SYS_SYSTEM => Err(Errno::EPERM.into()),
            SYS_ERRNO => Ok(self.semihosting.errno),
            SYS_GET_CMDLINE => {
                let (addr, room) = (word(memory, 0)?, word(memory, 1)?);
                let mut line = self.args.join(&b' ');
                let len = u32::try_from(line.len()).unwrap_or(u32::MAX);
                if len >= room {
                    return Err(Errno::E2BIG.into());
                }
                line.push(0);
                memory.write(addr, &line)?;
                memory.store(parameter.wrapping_add(4), len)?;
                Ok(0)
            }
            SYS_HEAPINFO => {
                let block = word(memory, 0)?;
                let (stack_low, stack_high) = self.stack;
                let values = [self.heap.start(), self.heap.limit(), stack_high, stack_low];
                for (at, value) in (0u32..).step_by(4).zip(values) {
                    memory.store(block.wrapping_add(at), value)?;
                }
                Ok(0)
            }
            SYS_EXIT => {
                let status = u8::from(parameter != APPLICATION_EXIT);
                Err(Failure::End(Outcome::Exit(status)))
            }
            SYS_EXIT_EXTENDED => {
                let (reason, status) = (word(memory, 0)?, word(memory, 1)?);
                let status = match reason {
                    APPLICATION_EXIT => status.to_le_bytes()[0],
                    _ => 1,
                };
                Err(Failure::End(Outcome::Exit(status)))
            }
            SYS_ELAPSED => {
                let time = self.clocks.elapsed();
                let ticks = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
                memory.write(parameter, &ticks.to_le_bytes())?;
                Ok(0)
            }
            SYS_TICKFREQ => Ok(TICK_FREQUENCY),
            _ => {
                if self.notes.miss(Missing::Semihosting(operation)) {
                    log::warn!("semihosting operation {operation:#x} is not implemented: it fails");
                }
                Err(Errno::ENOSYS.into())
            }
        }
    }

    /// `SYS_OPEN`: `{name, mode, length}`; modes are fopen's, in the order r rb r+ r+b w wb w+ w+b a ab a+ a+b.
    fn open_file(&mut self, memory: &mut Memory, parameter: u32) -> Result<u32, Failure> {
        let addr = memory.load::<u32>(parameter)?;
        let mode = memory.load::<u32>(parameter.wrapping_add(4))?;
        let len = memory.load::<u32>(parameter.wrapping_add(8))?;
        let name = read_name(memory, addr, len)?;
        let update = if mode & 2 == 0 { 1 } else { 2 };
        let flags = match mode {
            0 | 1 => 0,
            2 | 3 => 2,
            4..=7 => update | flag::CREAT | flag::TRUNC,
            8..=11 => update | flag::CREAT | flag::APPEND,
            _ => return Err(Errno::EINVAL.into()),
        };
        match name.as_slice() {
            b":tt" => Ok(handle(mode / 4)),
            b":semihosting-features" if mode < 2 => {
                self.semihosting.features = Some(0);
                Ok(FEATURES_HANDLE)
            }
            b":semihosting-features" => Err(Errno::EACCES.into()),
            name => {
                let base = self.sandbox.cwd.clone();
                let fd = self.open(&base, name, flags, 0o666)?;
                Ok(handle(fd))
            }
        }
    }

    fn read_features(&mut self, memory: &mut Memory, addr: u32, len: u32) -> Result<u32, Failure> {
        let at = self.semihosting.features.ok_or(Errno::EBADF)?;
        let left = FEATURES.get(at as usize..).unwrap_or(&[]);
        let count = left.len().min(len as usize);
        memory.write(addr, &left[..count])?;
        let count = u32::try_from(count).unwrap_or(0);
        self.semihosting.features = Some(at + count);
        Ok(len - count)
    }

    /// Writes up to the NUL, in pieces of what can be read at once.
    fn write_string(&mut self, memory: &mut Memory, addr: u32) -> Result<u32, Failure> {
        const PIECE: u32 = 1024;
        let mut at = addr;
        loop {
            let piece = memory.read_c_string(at, PIECE as usize)?;
            let len = u32::try_from(piece.len()).unwrap_or(PIECE);
            let mut done = 0;
            while done < len {
                match self.write(memory, 1, at.wrapping_add(done), len - done)? {
                    0 => return Err(Errno::EIO.into()),
                    count => done += count,
                }
            }
            if len < PIECE {
                return Ok(0);
            }
            // The call cannot say how much it has written: where it is made again, it writes all of it again.
            if stops(self.files.stop()) {
                return Err(Failure::End(Outcome::Interrupted));
            }
            at = at.wrapping_add(PIECE);
        }
    }
}

const CWD: u32 = AT_FDCWD[0].cast_unsigned();

fn handle(fd: u32) -> u32 {
    fd + 1
}

fn descriptor(handle: u32) -> Result<u32, Errno> {
    handle.checked_sub(1).ok_or(Errno::EBADF)
}

/// A path of which the length is known.
fn read_name(memory: &mut Memory, addr: u32, len: u32) -> Result<Vec<u8>, Errno> {
    if len >= PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    let mut name = vec![0; len as usize];
    memory.read(addr, &mut name)?;
    if name.contains(&0) {
        return Err(Errno::EINVAL);
    }
    Ok(name)
}
