//! RISC Zero's calls.
//!
//! The number is in t0. The calls of the host are all number 2, told apart by a name: a0 and a1 are where their answer
//! goes and how many words it has room for, a2 is the name's address, a3 to a7 are arguments; a0 and a1 become the
//! results. Names are paths in Rust (`risc0_zkvm_platform::syscall::nr::SYS_READ`), and their last part counts.

use super::math::{self, Keccak256, U256};
use super::{check_aligned, each_chunk, put_words, refuse, words};
use crate::cpu::Cpu;
use crate::memory::Memory;
use crate::syscall::abi::Errno;
use crate::syscall::{Failure, Outcome, Syscalls};
use std::fs::File;
use std::io::Read;

const A0: usize = 10;

const HALT: u32 = 0;
const INPUT: u32 = 1;
const SOFTWARE: u32 = 2;
const SHA: u32 = 3;
const BIGINT: u32 = 4;
const USER: u32 = 5;
const BIGINT2: u32 = 6;

/// The name of a call.
#[must_use]
pub(in crate::syscall) fn name(number: u32) -> Option<&'static str> {
    Some(match number {
        HALT => "HALT",
        INPUT => "INPUT",
        SOFTWARE => "SOFTWARE",
        SHA => "SHA",
        BIGINT => "BIGINT",
        USER => "USER",
        BIGINT2 => "BIGINT2",
        _ => return None,
    })
}

/// The last part of the name that a call of the host has, where memory still holds it.
pub(in crate::syscall) fn host_name(number: u32, addr: u32, memory: &Memory) -> Option<String> {
    if number != SOFTWARE {
        return None;
    }
    let mut last = String::new();
    for offset in 0..LONGEST_NAME {
        let mut byte = [0];
        let at = addr.wrapping_add(u32::try_from(offset).ok()?);
        memory.peek(at, &mut byte).ok()?;
        match char::from(byte[0]) {
            ':' => last.clear(),
            letter if letter.is_ascii_alphanumeric() || letter == '_' => last.push(letter),
            _ => break,
        }
    }
    (!last.is_empty()).then_some(last)
}

/// Calls of the host that exist and are not here: what they do needs a prover.
const NOT_HERE: [&str; 8] = [
    "SYS_EXECUTE_ZKR",
    "SYS_PROVE_KECCAK",
    "SYS_PROVE_ZKR",
    "SYS_VERIFY",
    "SYS_VERIFY_INTEGRITY",
    "SYS_VERIFY_INTEGRITY2",
    "SYS_IMAGE_ID",
    "SYS_INITIAL_FP",
];

/// The longest name that is looked at.
const LONGEST_NAME: usize = 256;
/// Bytes that one read or answer moves at most; the guest's library asks for 4 KiB at a time.
const MOST_BYTES: u32 = 1 << 20;
/// The descriptor of the journal: what a guest commits to.
const JOURNAL: u32 = 3;
/// The signal of `abort`: how a panic ends.
const SIGABRT: u8 = 6;
/// Blocks that one [`SHA`] may have: more than guests ask for in one, and few enough for a run to be stopped.
const MOST_BLOCKS: u32 = 1 << 20;

/// What a call of the host is asked.
struct Question {
    /// Where the answer goes.
    to: u32,
    /// Bytes that it has room for there.
    room: u32,
    /// a3 to a7.
    args: [u32; 5],
}

impl Syscalls {
    /// Does a call; returns what a0 becomes.
    pub(super) fn risc0_call(
        &mut self,
        number: u32,
        cpu: &mut Cpu,
        memory: &mut Memory,
    ) -> Result<u32, Failure> {
        let a: [u32; 8] = std::array::from_fn(|n| cpu.x[A0 + n]);
        match number {
            // Whether it can go on from here (PAUSE) or not, the run ends.
            HALT => {
                let [_, status, ..] = a[0].to_le_bytes();
                Err(Failure::End(Outcome::Exit(status)))
            }
            // A word of a digest that a prover fixes beforehand; that of no input is 0.
            INPUT => {
                cpu.x[A0] = 0;
                Ok(0)
            }
            SOFTWARE => {
                check_aligned(a[0])?;
                let question = Question {
                    to: a[0],
                    room: a[1].saturating_mul(4),
                    args: [a[3], a[4], a[5], a[6], a[7]],
                };
                let (a0, a1) = self.software(a[2], &question, cpu.instret, memory)?;
                (cpu.x[A0], cpu.x[A0 + 1]) = (a0, a1);
                Ok(a0)
            }
            SHA => sha(memory, [a[0], a[1], a[2], a[3], a[4]]).map(|()| a[0]),
            BIGINT if a[1] == 0 => {
                let [x, y, modulus] = [
                    words(memory, a[2])?,
                    words(memory, a[3])?,
                    words(memory, a[4])?,
                ];
                let product = U256(x).mul_mod(U256(y), U256(modulus));
                put_words(memory, a[0], product.0)?;
                Ok(a[0])
            }
            _ => {
                let (call, why) = match name(number) {
                    Some(name) => (name, "rvjit does not have this precompile of RISC Zero"),
                    None => ("a call", "RISC Zero has none of this number"),
                };
                refuse(call, number, why)
            }
        }
    }

    /// A call of the host, by its name; a0 and a1.
    fn software(
        &mut self,
        name: u32,
        ask: &Question,
        cycles: u64,
        memory: &mut Memory,
    ) -> Result<(u32, u32), Failure> {
        let name = memory.read_c_string(name, LONGEST_NAME)?;
        let last = name.rsplit(|&byte| byte == b':').next();
        let [a3, a4, a5, ..] = ask.args;
        match last.unwrap_or_default() {
            b"SYS_READ" => self.risc0_read(ask, memory),
            b"SYS_WRITE" if a3 == JOURNAL => self.commit(memory, a4, a5).map(|()| (0, 0)),
            b"SYS_WRITE" if a3 == 1 || a3 == 2 => {
                self.print_to(memory, a3, a4, a5).map(|()| (0, 0))
            }
            b"SYS_WRITE" => refuse(
                "SYS_WRITE",
                SOFTWARE,
                "the descriptor in a3 is none (1, 2 and the journal, 3, are there)",
            ),
            b"SYS_LOG" => {
                self.print_to(memory, 1, a3, a4)?;
                self.files.write(1, b"\n")?;
                Ok((0, 0))
            }
            b"SYS_PANIC" => {
                self.print_to(memory, 2, a3, a4)?;
                self.files.write(2, b"\n")?;
                Err(Failure::End(Outcome::Killed(SIGABRT)))
            }
            b"SYS_CYCLE_COUNT" => Ok((math::low_half(cycles >> 32), math::low_half(cycles))),
            b"SYS_RANDOM" => {
                let mut bytes = vec![0; ask.room.min(MOST_BYTES) as usize];
                File::open("/dev/urandom")
                    .and_then(|mut file| file.read_exact(&mut bytes))
                    .map_err(Errno::from)?;
                memory.write(ask.to, &bytes)?;
                Ok((0, 0))
            }
            b"SYS_GETENV" => {
                let mut variable = vec![0; a4.min(MOST_BYTES) as usize];
                memory.read(a3, &mut variable)?;
                variable.push(b'=');
                let found = self.proof.env.iter().find(|v| v.starts_with(&variable));
                match found {
                    Some(text) => ask.answer(memory, &text[variable.len()..]),
                    None => Ok((u32::MAX, 0)),
                }
            }
            b"SYS_ARGC" => Ok((u32::try_from(self.args.len()).unwrap_or(u32::MAX), 0)),
            b"SYS_ARGV" => match self.args.get(a3 as usize) {
                Some(argument) => ask.answer(memory, argument),
                None => refuse("SYS_ARGV", SOFTWARE, "there is no argument of this number"),
            },
            b"SYS_KECCAK" => {
                let mut hash = Keccak256::default();
                each_chunk(memory, a3, a4, |bytes| {
                    hash.update(bytes);
                    Ok(())
                })?;
                ask.answer(memory, &hash.finish())
            }
            // No processes: what the guest's library takes for "not there".
            b"SYS_FORK" | b"SYS_PIPE" => Ok((u32::MAX, 0)),
            b"SYS_EXIT" => Err(Failure::End(Outcome::Exit(0))),
            name => match NOT_HERE.iter().find(|known| known.as_bytes() == name) {
                Some(known) => refuse(known, SOFTWARE, "rvjit proves and verifies nothing"),
                None => refuse(
                    "a call of the host by a name that rvjit does not know",
                    SOFTWARE,
                    "a2 has the name's address",
                ),
            },
        }
    }

    /// `SYS_READ(descriptor, length)`: whole words to the answer, the bytes of the last word that does not fit there in
    /// a1; fewer than asked for at the end only.
    fn risc0_read(&mut self, ask: &Question, memory: &mut Memory) -> Result<(u32, u32), Failure> {
        let [fd, len, ..] = ask.args;
        if fd != 0 {
            return refuse(
                "SYS_READ",
                SOFTWARE,
                "the descriptor in a3 is none (0 is there)",
            );
        }
        if len > MOST_BYTES || len.saturating_sub(4) > ask.room {
            return refuse(
                "SYS_READ",
                SOFTWARE,
                "the length in a4 is more than there is room for",
            );
        }
        let mut bytes = vec![0; len as usize];
        // Also what an interrupted read has left.
        let mut done = self.proof.read(&mut bytes);
        while !self.proof.given && done < bytes.len() {
            match self.files.read(0, &mut bytes[done..]) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) => {
                    bytes.truncate(done);
                    self.proof.input.push_front(bytes);
                    return Err(error.into());
                }
            }
        }
        let main = bytes.len().min(ask.room as usize);
        memory.write(ask.to, &bytes[..main])?;
        let mut tail = [0; 4];
        tail[..bytes.len() - main].copy_from_slice(&bytes[main..]);
        let read = u32::try_from(done).unwrap_or(u32::MAX);
        Ok((read, u32::from_le_bytes(tail)))
    }
}

impl Question {
    /// Gives as much of an answer as there is room for; a0 is its whole length.
    fn answer(&self, memory: &mut Memory, bytes: &[u8]) -> Result<(u32, u32), Failure> {
        let now = bytes.len().min(self.room as usize);
        memory.write(self.to, &bytes[..now])?;
        Ok((u32::try_from(bytes.len()).unwrap_or(u32::MAX), 0))
    }
}

/// `SHA(out, in, first half, second half, blocks)`: the states are in SHA-256's byte order.
fn sha(memory: &mut Memory, [out, state, first, second, count]: [u32; 5]) -> Result<(), Failure> {
    if count > MOST_BLOCKS {
        return refuse("SHA", SHA, "it is asked for more than 2^20 blocks");
    }
    let mut state = words::<8>(memory, state)?.map(u32::swap_bytes);
    for block in 0..count {
        let at = block.wrapping_mul(64);
        let halves = [
            words::<8>(memory, first.wrapping_add(at))?,
            words::<8>(memory, second.wrapping_add(at))?,
        ];
        let mut schedule = [0; 64];
        for (word, &big_endian) in schedule.iter_mut().zip(halves.as_flattened()) {
            *word = big_endian.swap_bytes();
        }
        math::sha256_extend(&mut schedule);
        math::sha256_compress(&mut state, &schedule);
    }
    put_words(memory, out, state.map(u32::swap_bytes))
}
