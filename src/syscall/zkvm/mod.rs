//! The calls of zkVM guests: `ecall` with the number in t0.
//!
//! Such a guest computes something from an input and commits to what came out; a prover shows afterwards that it did so
//! rightly. Here it only runs, on the desk: the input comes from files, what is committed goes to one, and nothing is
//! proved. What a zkVM computes beside the guest (a *precompile*) is here where it is cheap to have; the others end the
//! run with their name, because a guest that goes on without their result computes something else.
//!
//! Numbers and registers are those of the public sources: `risc0_zkvm_platform::syscall`, `sp1_zkvm::syscalls` and
//! `sp1_core_executor::syscalls`, and `pico_sdk::riscv_ecalls`, whose numbers are SP1's.

mod math;
mod risc0;
mod sp1;
#[cfg(test)]
mod tests;

pub(super) use risc0::{host_name, name as risc0_name};
pub(super) use sp1::name as sp1_name;

use super::abi::Errno;
use super::strace::{CallKind, CallRecord};
use super::{Failure, Outcome, Refusal, Syscalls};
use crate::cpu::Cpu;
use crate::memory::Memory;
use std::collections::VecDeque;

const T0: usize = 5;
const A0: usize = 10;
/// Bytes that are between guest and host at one time.
const CHUNK: u32 = 64 << 10;

/// Whose calls a program makes by `ecall`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Convention {
    /// newlib's, the number in a7.
    #[default]
    Newlib,
    /// newlib's for RV32E, the number in t0.
    NewlibEmbedded,
    /// RISC Zero's.
    Risc0,
    /// SP1's.
    Sp1,
}

/// What goes into a zkVM guest and comes out of it.
#[derive(Debug, Default)]
pub(super) struct Proof {
    /// The input, item by item. RISC Zero's guests read its bytes one after the other.
    input: VecDeque<Vec<u8>>,
    /// Whether any input was given; without, RISC Zero's guests read standard input.
    given: bool,
    /// Bytes of the first item that were read.
    taken: usize,
    /// What was committed to: SP1's public values, RISC Zero's journal.
    committed: Vec<u8>,
    /// Bytes that the guest may still make us keep.
    room: usize,
    /// The environment's variables: `NAME=VALUE`.
    env: Vec<Vec<u8>>,
}

impl Proof {
    pub(super) fn new(input: Vec<Vec<u8>>, env: Vec<Vec<u8>>, room: usize) -> Proof {
        Proof {
            given: !input.is_empty(),
            input: input.into(),
            env,
            room,
            ..Proof::default()
        }
    }

    /// Reads from the input as from one stream; fewer bytes than there is room for at its end only.
    fn read(&mut self, bytes: &mut [u8]) -> usize {
        let mut done = 0;
        while done < bytes.len()
            && let Some(item) = self.input.front()
        {
            let left = item.get(self.taken..).unwrap_or_default();
            let now = left.len().min(bytes.len() - done);
            bytes[done..done + now].copy_from_slice(&left[..now]);
            done += now;
            self.taken += now;
            if now == left.len() {
                self.input.pop_front();
                self.taken = 0;
            }
        }
        done
    }

    /// Counts what is kept.
    fn keep(&mut self, bytes: usize) -> Result<(), Failure> {
        self.room = self.room.checked_sub(bytes).ok_or(Errno::ENOMEM)?;
        Ok(())
    }
}

/// Ends the run: the environment does not have what is asked for.
fn refuse<T>(call: &'static str, number: u32, why: &'static str) -> Result<T, Failure> {
    Err(Failure::End(Outcome::Refused(Refusal {
        call,
        number,
        why,
    })))
}

impl Syscalls {
    /// What a zkVM guest has committed to.
    #[must_use]
    pub fn committed(&self) -> &[u8] {
        &self.proof.committed
    }

    /// Does a zkVM guest's call. Of the registers only t0 (SP1), or a0 and a1 (RISC Zero), change, and pc does not.
    pub(super) fn zkvm_call(&mut self, cpu: &mut Cpu, memory: &mut Memory) -> Outcome {
        let number = cpu.x[T0];
        let args: [u32; 6] = std::array::from_fn(|n| cpu.x[A0 + n]);
        let (kind, name, done) = match self.convention {
            Convention::Sp1 => (
                CallKind::Sp1,
                sp1::name(number),
                self.sp1_call(number, cpu, memory),
            ),
            Convention::Risc0 | Convention::Newlib | Convention::NewlibEmbedded => (
                CallKind::Risc0,
                risc0::name(number),
                self.risc0_call(number, cpu, memory),
            ),
        };
        let (result, outcome) = match done {
            Ok(result) => (Some(result), Outcome::Continue),
            Err(Failure::End(outcome)) => (None, outcome),
            Err(Failure::Errno(errno)) => {
                let why = match errno {
                    Errno::EFAULT => "it names an address where no memory is",
                    Errno::ENOMEM => "it gives more to keep than --memory allows",
                    Errno::EINVAL => "an address that it names is not a multiple of 4",
                    _ => "its output cannot be written, or its input not be read",
                };
                let call = name.unwrap_or("a call");
                let refusal = Refusal { call, number, why };
                (None, Outcome::Refused(refusal))
            }
        };
        let record = CallRecord {
            kind,
            number,
            args,
            result,
        };
        self.record(record, memory);
        outcome
    }

    /// Commits to these bytes of the guest.
    fn commit(&mut self, memory: &mut Memory, addr: u32, len: u32) -> Result<(), Failure> {
        let bytes = self.bytes_to_keep(memory, addr, len)?;
        self.proof.committed.extend_from_slice(&bytes);
        Ok(())
    }

    /// Bytes of the guest that are kept. Their number is what the guest says: it is allowed before it is allocated, and
    /// what is read is memory that the guest has.
    fn bytes_to_keep(
        &mut self,
        memory: &mut Memory,
        addr: u32,
        len: u32,
    ) -> Result<Vec<u8>, Failure> {
        self.proof.keep(len as usize)?;
        let mut bytes = Vec::new();
        each_chunk(memory, addr, len, |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Writes all of these bytes to a standard stream.
    fn print_to(
        &mut self,
        memory: &mut Memory,
        fd: u32,
        addr: u32,
        len: u32,
    ) -> Result<(), Failure> {
        let mut done = 0;
        while done < len {
            match self.write(memory, fd, addr.wrapping_add(done), len - done)? {
                0 => return Err(Errno::EIO.into()),
                count => done += count,
            }
        }
        Ok(())
    }
}

/// Calls `take` with the bytes of the guest, piece by piece.
fn each_chunk(
    memory: &mut Memory,
    addr: u32,
    len: u32,
    mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut buffer = vec![0; len.min(CHUNK) as usize];
    let mut done = 0;
    while done < len {
        let now = (len - done).min(CHUNK);
        let piece = &mut buffer[..now as usize];
        memory.read(addr.wrapping_add(done), piece)?;
        take(piece)?;
        done += now;
    }
    Ok(())
}

/// Words of the guest, at an address that must be a multiple of 4.
fn words<const N: usize>(memory: &mut Memory, addr: u32) -> Result<[u32; N], Failure> {
    check_aligned(addr)?;
    let mut words = [[0; 4]; N];
    memory.read(addr, words.as_flattened_mut())?;
    Ok(words.map(u32::from_le_bytes))
}

/// Writes words for the guest.
fn put_words<const N: usize>(
    memory: &mut Memory,
    addr: u32,
    words: [u32; N],
) -> Result<(), Failure> {
    check_aligned(addr)?;
    memory.write(addr, words.map(u32::to_le_bytes).as_flattened())?;
    Ok(())
}

fn check_aligned(addr: u32) -> Result<(), Failure> {
    if addr.is_multiple_of(4) {
        Ok(())
    } else {
        Err(Errno::EINVAL.into())
    }
}
