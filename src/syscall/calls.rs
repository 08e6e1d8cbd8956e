//! System calls on descriptors, and the small ones: where guest memory meets the descriptor table.

use super::abi::Errno;
use super::stream::stops;
use super::{Failure, Outcome, Syscalls};
use crate::memory::Memory;

/// The most bytes that are between guest and host at one time.
pub(super) const CHUNK: u32 = 64 << 10;

/// The most bytes that one read or write moves, so that the count is never negative; Linux's limit.
const MOST_BYTES: u32 = 0x7fff_f000;

/// Writes a structure for the guest; a null pointer means that it does not want it.
pub(super) fn put(memory: &mut Memory, addr: u32, bytes: &[u8]) -> Result<u32, Failure> {
    if addr != 0 {
        memory.write(addr, bytes)?;
    }
    Ok(0)
}

/// Signals whose default action is to be ignored, in newlib's numbers: SIGURG, SIGCONT, SIGCHLD, SIGWINCH.
const IGNORED_SIGNALS: [u32; 4] = [16, 19, 20, 28];

/// `kill`: a program may only signal itself. Whether other processes exist is not told.
pub(super) fn kill(pid: u32, signal: u32) -> Result<u32, Failure> {
    if pid != std::process::id() && pid != 0 {
        return Err(Errno::EPERM.into());
    }
    match u8::try_from(signal) {
        Ok(0) => Ok(0),
        Ok(_) if IGNORED_SIGNALS.contains(&signal) => Ok(0),
        Ok(signal @ 1..=64) => Err(Failure::End(Outcome::Killed(signal))),
        Ok(_) | Err(_) => Err(Errno::EINVAL.into()),
    }
}

impl Syscalls {
    /// `write(fd, buffer, length)`: what was written before a bad address or an error counts.
    #[inline]
    pub(super) fn write(
        &mut self,
        memory: &mut Memory,
        fd: u32,
        addr: u32,
        len: u32,
    ) -> Result<u32, Failure> {
        let len = len.min(MOST_BYTES);
        let mut done = 0;
        loop {
            let at = addr.wrapping_add(done);
            let mut now = (len - done).min(CHUNK) as usize;
            if self.buffer.len() < now {
                self.buffer.resize(now, 0);
            }
            if let Err(fault) = memory.read(at, &mut self.buffer[..now]) {
                now = fault.addr.wrapping_sub(at) as usize;
                let readable = now > 0 && memory.read(at, &mut self.buffer[..now]).is_ok();
                if !readable && done > 0 {
                    return Ok(done);
                }
                if !readable {
                    // The descriptor is checked first, as Linux does.
                    self.files.write(fd, &[])?;
                    return Err(Errno::EFAULT.into());
                }
            }
            let count = match self.files.write(fd, &self.buffer[..now]) {
                Ok(count) => count,
                Err(_) if done > 0 => return Ok(done),
                Err(error) => return Err(error.into()),
            };
            done += u32::try_from(count).unwrap_or(0);
            // What is done is done; a run that is to stop does not wait for gigabytes.
            let ends = count < now || done >= len || now < CHUNK as usize;
            if ends || stops(self.files.stop()) {
                return Ok(done);
            }
        }
    }

    /// `read(fd, buffer, length)`: a stream gives what it has, a file all that was asked for.
    pub(super) fn read(
        &mut self,
        memory: &mut Memory,
        fd: u32,
        addr: u32,
        len: u32,
    ) -> Result<u32, Failure> {
        let len = len.min(MOST_BYTES);
        if !self.files.is_open(fd) {
            return Err(Errno::EBADF.into());
        }
        let mut done = 0;
        loop {
            let at = addr.wrapping_add(done);
            // What was read from a pipe cannot be put back: read no more than the guest can take.
            let now = memory.writable_bytes(at, (len - done).min(CHUNK));
            if now == 0 && done < len {
                return if done > 0 {
                    Ok(done)
                } else {
                    Err(Errno::EFAULT.into())
                };
            }
            let wanted = now as usize;
            if self.buffer.len() < wanted {
                self.buffer.resize(wanted, 0);
            }
            let count = match self.files.read(fd, &mut self.buffer[..wanted]) {
                Ok(count) => count,
                Err(_) if done > 0 => return Ok(done),
                Err(error) => return Err(error.into()),
            };
            memory.write(at, &self.buffer[..count])?;
            done += u32::try_from(count).unwrap_or(0);
            let ends = count < wanted || done >= len || self.files.is_stream(fd);
            if ends || stops(self.files.stop()) {
                return Ok(done);
            }
        }
    }

    pub(super) fn fstat(
        &mut self,
        memory: &mut Memory,
        fd: u32,
        addr: u32,
    ) -> Result<u32, Failure> {
        let stat = self.files.stat(fd)?;
        memory.write(addr, &stat.encode(self.stat_layout))?;
        Ok(0)
    }
}
