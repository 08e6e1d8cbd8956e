//! SP1's calls, and those of Pico, which took over its numbers.
//!
//! The number is in t0, arguments in a0 to a2; t0 is also where a result goes, and stays as it is where there is none.
//! Its lowest byte says which call it is; of the others a verifier makes something.

use super::math::{self, U256};
use super::{T0, put_words, refuse, words};
use crate::cpu::Cpu;
use crate::memory::Memory;
use crate::syscall::{Failure, Outcome, Syscalls};

const A0: usize = 10;

macro_rules! calls {
    ($($name:ident = $number:literal;)*) => {
        $(const $name: u32 = $number;)*

        /// The name of a call.
        #[must_use]
        pub(in crate::syscall) fn name(number: u32) -> Option<&'static str> {
            match number {
                $($name => Some(stringify!($name)),)*
                _ => None,
            }
        }
    };
}
calls! {
    HALT = 0x00;
    WRITE = 0x02;
    ENTER_UNCONSTRAINED = 0x03;
    EXIT_UNCONSTRAINED = 0x04;
    SHA_EXTEND = 0x0030_0105;
    SHA_COMPRESS = 0x0001_0106;
    ED_ADD = 0x0001_0107;
    ED_DECOMPRESS = 0x0108;
    KECCAK_PERMUTE = 0x0001_0109;
    SECP256K1_ADD = 0x0001_010a;
    SECP256K1_DOUBLE = 0x010b;
    SECP256K1_DECOMPRESS = 0x010c;
    BN254_ADD = 0x0001_010e;
    BN254_DOUBLE = 0x010f;
    COMMIT = 0x10;
    COMMIT_DEFERRED_PROOFS = 0x1a;
    VERIFY_SP1_PROOF = 0x1b;
    BLS12381_DECOMPRESS = 0x011c;
    UINT256_MUL = 0x0001_011d;
    BLS12381_ADD = 0x0001_011e;
    BLS12381_DOUBLE = 0x011f;
    BLS12381_FP_ADD = 0x0001_0120;
    BLS12381_FP_SUB = 0x0001_0121;
    BLS12381_FP_MUL = 0x0001_0122;
    BLS12381_FP2_ADD = 0x0001_0123;
    BLS12381_FP2_SUB = 0x0001_0124;
    BLS12381_FP2_MUL = 0x0001_0125;
    BN254_FP_ADD = 0x0001_0126;
    BN254_FP_SUB = 0x0001_0127;
    BN254_FP_MUL = 0x0001_0128;
    BN254_FP2_ADD = 0x0001_0129;
    BN254_FP2_SUB = 0x0001_012a;
    BN254_FP2_MUL = 0x0001_012b;
    SECP256R1_ADD = 0x0001_012c;
    SECP256R1_DOUBLE = 0x012d;
    SECP256R1_DECOMPRESS = 0x012e;
    U256XU2048_MUL = 0x0001_012f;
    HINT_LEN = 0xf0;
    HINT_READ = 0xf1;
}

/// Descriptors of [`WRITE`]: since version 4 those that mean something to SP1 begin at 10.
const PUBLIC_VALUES: [u32; 2] = [3, 13];
const HINT: [u32; 2] = [4, 14];

impl Syscalls {
    /// Does a call; returns what t0 becomes.
    pub(super) fn sp1_call(
        &mut self,
        number: u32,
        cpu: &mut Cpu,
        memory: &mut Memory,
    ) -> Result<u32, Failure> {
        let [a0, a1, a2]: [u32; 3] = std::array::from_fn(|n| cpu.x[A0 + n]);
        let result = match number {
            HALT => {
                // A status of the host has 8 bits, and what failed must not become 0.
                let status = u8::try_from(a0).unwrap_or(u8::MAX);
                return Err(Failure::End(Outcome::Exit(status)));
            }
            WRITE => self.sp1_write(memory, a0, a1, a2).map(|()| number)?,
            // The digest of what was committed, and of proofs that were: a verifier wants them.
            COMMIT | COMMIT_DEFERRED_PROOFS => number,
            HINT_LEN => match self.proof.input.front() {
                Some(item) => u32::try_from(item.len()).unwrap_or(u32::MAX),
                None => u32::MAX,
            },
            HINT_READ => self.hint_read(memory, a0, a1).map(|()| number)?,
            SHA_EXTEND => {
                let mut schedule: [u32; 64] = words(memory, a0)?;
                math::sha256_extend(&mut schedule);
                put_words(memory, a0, schedule).map(|()| number)?
            }
            SHA_COMPRESS => {
                let (schedule, mut state) = (words(memory, a0)?, words(memory, a1)?);
                math::sha256_compress(&mut state, &schedule);
                put_words(memory, a1, state).map(|()| number)?
            }
            KECCAK_PERMUTE => {
                let halves: [u32; 50] = words(memory, a0)?;
                let lane = |n: usize| u64::from(halves[2 * n + 1]) << 32 | u64::from(halves[2 * n]);
                let mut state: [u64; 25] = std::array::from_fn(lane);
                math::keccak_f(&mut state);
                let half = |n: usize| math::low_half(state[n / 2] >> (32 * (n % 2)));
                put_words(memory, a0, std::array::from_fn::<u32, 50, _>(half)).map(|()| number)?
            }
            UINT256_MUL => {
                // The modulus stands behind the second factor.
                let modulus = words(memory, a1.wrapping_add(32))?;
                let product =
                    U256(words(memory, a0)?).mul_mod(U256(words(memory, a1)?), U256(modulus));
                put_words(memory, a0, product.0).map(|()| number)?
            }
            ENTER_UNCONSTRAINED | EXIT_UNCONSTRAINED => {
                return refuse("an unconstrained block", number, "rvjit has none");
            }
            VERIFY_SP1_PROOF => {
                return refuse("VERIFY_SP1_PROOF", number, "rvjit verifies no proofs");
            }
            _ => {
                let (call, why) = match name(number) {
                    Some(name) => (name, "rvjit does not have this precompile of SP1"),
                    None => ("a call", "SP1 has none of this number"),
                };
                return refuse(call, number, why);
            }
        };
        cpu.x[T0] = result;
        Ok(result)
    }

    fn sp1_write(
        &mut self,
        memory: &mut Memory,
        fd: u32,
        addr: u32,
        len: u32,
    ) -> Result<(), Failure> {
        match fd {
            1 | 2 => self.print_to(memory, fd, addr, len),
            _ if PUBLIC_VALUES.contains(&fd) => self.commit(memory, addr, len),
            _ if HINT.contains(&fd) => {
                // An empty item takes memory, too.
                self.proof.keep(size_of::<Vec<u8>>())?;
                let item = self.bytes_to_keep(memory, addr, len)?;
                self.proof.input.push_front(item);
                Ok(())
            }
            _ => refuse(
                "WRITE",
                WRITE,
                "rvjit has no hook behind the descriptor in a0 (1, 2, 3, 4, 13 and 14 are there)",
            ),
        }
    }

    /// Gives the next item of the input, which the guest has asked the length of.
    fn hint_read(&mut self, memory: &mut Memory, addr: u32, len: u32) -> Result<(), Failure> {
        super::check_aligned(addr)?;
        let Some(item) = self.proof.input.front() else {
            return refuse(
                "HINT_READ",
                HINT_READ,
                "the input is used up; --input gives it items",
            );
        };
        if u32::try_from(item.len()) != Ok(len) {
            return refuse(
                "HINT_READ",
                HINT_READ,
                "the next item of the input has another length than a1 says",
            );
        }
        memory.write(addr, item)?;
        self.proof.input.pop_front();
        Ok(())
    }
}
