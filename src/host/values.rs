//! What is passed between host and guest functions, by the calling convention ilp32 (RISC-V ELF psABI, "Integer Calling
//! Convention"): words in a0 to a7 and then on the stack, results in a0 and a1.
//!
//! A value of 64 bits takes two words; the first may be the last register and the second the first word of the stack.
//! Bytes and text are copied to the guest's stack for the call, and their address is what is passed.

use crate::cpu::Cpu;
use crate::memory::{Access, Fault, FaultKind, Memory};
use std::fmt;
use std::marker::PhantomData;

/// a0: the first register of arguments and results.
pub(super) const A0: usize = 10;
const SP: usize = 2;
/// a0 to a7.
const REGISTERS: usize = 8;
/// Bytes that sp is a multiple of where a function is called.
const STACK_ALIGNMENT: u32 = 16;

/// The address of something in guest memory.
pub struct Ptr<U> {
    /// The address.
    pub addr: u32,
    to: PhantomData<fn() -> U>,
}

impl<U> Ptr<U> {
    /// Something at this address. Whether it is there is found out when it is used.
    #[must_use]
    pub fn new(addr: u32) -> Ptr<U> {
        Ptr {
            addr,
            to: PhantomData,
        }
    }
}

impl<U> Clone for Ptr<U> {
    fn clone(&self) -> Ptr<U> {
        *self
    }
}

impl<U> Copy for Ptr<U> {}

impl<U> PartialEq for Ptr<U> {
    fn eq(&self, other: &Ptr<U>) -> bool {
        self.addr == other.addr
    }
}

impl<U> Eq for Ptr<U> {}

impl<U> fmt::Debug for Ptr<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ptr({:#010x})", self.addr)
    }
}

/// The words of a call that is being made.
#[derive(Debug)]
pub struct Outgoing<'a> {
    memory: &'a mut Memory,
    registers: [u32; REGISTERS],
    used: usize,
    stack: Vec<u32>,
    /// Below it is free.
    sp: u32,
    buffers: Vec<u32>,
}

impl<'a> Outgoing<'a> {
    pub(super) fn new(memory: &'a mut Memory, sp: u32) -> Outgoing<'a> {
        Outgoing {
            memory,
            registers: [0; REGISTERS],
            used: 0,
            stack: Vec::new(),
            sp: sp / STACK_ALIGNMENT * STACK_ALIGNMENT,
            buffers: Vec::new(),
        }
    }

    fn word(&mut self, word: u32) {
        if let Some(register) = self.registers.get_mut(self.used) {
            *register = word;
            self.used += 1;
        } else {
            self.stack.push(word);
        }
    }

    fn double(&mut self, value: u64) {
        // Where no half is in a register, the value is aligned on the stack.
        if self.used == REGISTERS && self.stack.len() % 2 == 1 {
            self.stack.push(0);
        }
        let [low, high] = halves(value);
        self.word(low);
        self.word(high);
    }

    /// Copies bytes to the stack, and passes their address.
    fn bytes(&mut self, parts: &[&[u8]]) -> Result<(), Fault> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        self.sp = self.below(len)?;
        let mut at = self.sp;
        for part in parts {
            self.memory.write(at, part)?;
            // In range: all of it lies below the old sp.
            at = at.wrapping_add(u32::try_from(part.len()).unwrap_or(u32::MAX));
        }
        self.buffers.push(self.sp);
        self.word(self.sp);
        Ok(())
    }

    /// sp with room for so many bytes above it.
    fn below(&self, len: usize) -> Result<u32, Fault> {
        let fault = Fault {
            addr: self.sp.wrapping_sub(1),
            access: Access::Write,
            kind: FaultKind::Unmapped,
        };
        let len = u32::try_from(len)
            .ok()
            .and_then(|len| len.checked_next_multiple_of(STACK_ALIGNMENT));
        len.and_then(|len| self.sp.checked_sub(len)).ok_or(fault)
    }

    /// Sets registers and stack; where each buffer is, in their order.
    pub(super) fn finish(mut self, x: &mut [u32; 32]) -> Result<Vec<u32>, Fault> {
        if !self.stack.is_empty() {
            self.sp = self.below(4 * self.stack.len())?;
            let bytes: Vec<u8> = self
                .stack
                .iter()
                .flat_map(|word| word.to_le_bytes())
                .collect();
            self.memory.write(self.sp, &bytes)?;
        }
        x[A0..A0 + self.used].copy_from_slice(&self.registers[..self.used]);
        x[SP] = self.sp;
        Ok(self.buffers)
    }
}

fn halves(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes)
}

fn joined([low, high]: [u32; 2]) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// The words of a call that the guest has made.
#[derive(Debug)]
pub struct Incoming<'a> {
    x: [u32; 32],
    memory: &'a Memory,
    next: usize,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(cpu: &Cpu, memory: &'a Memory) -> Incoming<'a> {
        Incoming {
            x: cpu.x,
            memory,
            next: 0,
        }
    }

    fn word(&mut self) -> Result<u32, Fault> {
        let n = self.next;
        self.next += 1;
        if n < REGISTERS {
            return Ok(self.x[A0 + n]);
        }
        let mut bytes = [0; 4];
        let offset = u32::try_from(4 * (n - REGISTERS)).unwrap_or(u32::MAX);
        self.memory
            .peek(self.x[SP].wrapping_add(offset), &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn double(&mut self) -> Result<u64, Fault> {
        if self.next > REGISTERS && self.next % 2 == 1 {
            self.next += 1;
        }
        Ok(joined([self.word()?, self.word()?]))
    }
}

/// What can be a parameter of a guest function's type `P`: the same value, or for bytes and text whatever they are
/// borrowed from.
pub trait Arg<P> {
    /// Puts it where the function looks for it.
    #[doc(hidden)]
    fn pass(&self, call: &mut Outgoing<'_>) -> Result<(), Fault>;

    /// The function has returned; `buffers` are the places of its own and of those behind it.
    #[doc(hidden)]
    fn returned(
        &mut self,
        _buffers: &mut std::vec::IntoIter<u32>,
        _memory: &Memory,
    ) -> Result<(), Fault> {
        Ok(())
    }
}

/// The arguments of a guest function whose parameters are the tuple `P`.
pub trait Args<P> {
    #[doc(hidden)]
    fn pass(&self, call: &mut Outgoing<'_>) -> Result<(), Fault>;
    #[doc(hidden)]
    fn returned(
        &mut self,
        buffers: &mut std::vec::IntoIter<u32>,
        memory: &Memory,
    ) -> Result<(), Fault>;
}

/// A parameter of a host function.
pub trait Param: Sized {
    /// Words that it takes.
    #[doc(hidden)]
    const WORDS: usize = 1;
    #[doc(hidden)]
    fn take(call: &mut Incoming<'_>) -> Result<Self, Fault>;
}

/// What a function returns: nothing, a number, or two words.
pub trait Results: Sized {
    #[doc(hidden)]
    fn from_words(words: [u32; 2]) -> Self;
    /// What a0 and, if it is used, a1 become.
    #[doc(hidden)]
    fn into_words(self) -> (Option<u32>, Option<u32>);
}

/// A value of one register: how it becomes a word (extended as the convention says), and comes of one.
macro_rules! words {
    ($($type:ty, $to:expr, $from:expr;)*) => {$(
        impl Arg<$type> for $type {
            fn pass(&self, call: &mut Outgoing<'_>) -> Result<(), Fault> {
                let to: fn($type) -> u32 = $to;
                call.word(to(*self));
                Ok(())
            }
        }

        impl Param for $type {
            fn take(call: &mut Incoming<'_>) -> Result<$type, Fault> {
                let from: fn(u32) -> $type = $from;
                Ok(from(call.word()?))
            }
        }

        impl Results for $type {
            fn from_words([word, _]: [u32; 2]) -> $type {
                let from: fn(u32) -> $type = $from;
                from(word)
            }

            fn into_words(self) -> (Option<u32>, Option<u32>) {
                let to: fn($type) -> u32 = $to;
                (Some(to(self)), None)
            }
        }
    )*};
}

fn low_half(word: u32) -> u16 {
    let [a, b, ..] = word.to_le_bytes();
    u16::from_le_bytes([a, b])
}

words! {
    u32, |value| value, |word| word;
    i32, |value| value.cast_unsigned(), |word| word.cast_signed();
    u16, |value| value.into(), low_half;
    i16, |value| i32::from(value).cast_unsigned(), |word| low_half(word).cast_signed();
    u8, |value| value.into(), |word| word.to_le_bytes()[0];
    i8, |value| i32::from(value).cast_unsigned(), |word| word.to_le_bytes()[0].cast_signed();
    bool, |value| value.into(), |word| word.to_le_bytes()[0] != 0;
}

/// The same for values of two words.
macro_rules! doubles {
    ($($type:ty, $to:expr, $from:expr;)*) => {$(
        impl Arg<$type> for $type {
            fn pass(&self, call: &mut Outgoing<'_>) -> Result<(), Fault> {
                let to: fn($type) -> u64 = $to;
                call.double(to(*self));
                Ok(())
            }
        }

        impl Param for $type {
            const WORDS: usize = 2;

            fn take(call: &mut Incoming<'_>) -> Result<$type, Fault> {
                let from: fn(u64) -> $type = $from;
                Ok(from(call.double()?))
            }
        }

        impl Results for $type {
            fn from_words(words: [u32; 2]) -> $type {
                let from: fn(u64) -> $type = $from;
                from(joined(words))
            }

            fn into_words(self) -> (Option<u32>, Option<u32>) {
                let to: fn($type) -> u64 = $to;
                let [low, high] = halves(to(self));
                (Some(low), Some(high))
            }
        }
    )*};
}

doubles! {
    u64, |value| value, |value| value;
    i64, |value| value.cast_unsigned(), |value| value.cast_signed();
}

impl<U> Arg<Ptr<U>> for Ptr<U> {
    fn pass(&self, call: &mut Outgoing<'_>) -> Result<(), Fault> {
        call.word(self.addr);
        Ok(())
    }
}

impl<U> Param for Ptr<U> {
    fn take(call: &mut Incoming<'_>) -> Result<Ptr<U>, Fault> {
        Ok(Ptr::new(call.word()?))
    }
}

impl<U> Results for Ptr<U> {
    fn from_words([word, _]: [u32; 2]) -> Ptr<U> {
        Ptr::new(word)
    }

    fn into_words(self) -> (Option<u32>, Option<u32>) {
        (Some(self.addr), None)
    }
}

impl Results for () {
    fn from_words(_: [u32; 2]) {}

    fn into_words(self) -> (Option<u32>, Option<u32>) {
        (None, None)
    }
}

impl Results for (u32, u32) {
    fn from_words([a0, a1]: [u32; 2]) -> (u32, u32) {
        (a0, a1)
    }

    fn into_words(self) -> (Option<u32>, Option<u32>) {
        (Some(self.0), Some(self.1))
    }
}

/// Bytes that the function may read, and write for itself.
impl<B: AsRef<[u8]> + ?Sized> Arg<&[u8]> for &B {
    fn pass(&self, call: &mut Outgoing<'_>) -> Result<(), Fault> {
        call.bytes(&[self.as_ref()])
    }

    fn returned(&mut self, buffers: &mut std::vec::IntoIter<u32>, _: &Memory) -> Result<(), Fault> {
        buffers.next();
        Ok(())
    }
}

/// Bytes that are afterwards what the function made of them.
impl<B: AsRef<[u8]> + AsMut<[u8]> + ?Sized> Arg<&mut [u8]> for &mut B {
    fn pass(&self, call: &mut Outgoing<'_>) -> Result<(), Fault> {
        call.bytes(&[(**self).as_ref()])
    }

    fn returned(
        &mut self,
        buffers: &mut std::vec::IntoIter<u32>,
        memory: &Memory,
    ) -> Result<(), Fault> {
        match buffers.next() {
            Some(addr) => memory.peek(addr, (**self).as_mut()),
            None => Ok(()),
        }
    }
}

/// Text, with a NUL behind it.
impl<B: AsRef<str> + ?Sized> Arg<&str> for &B {
    fn pass(&self, call: &mut Outgoing<'_>) -> Result<(), Fault> {
        call.bytes(&[self.as_ref().as_bytes(), &[0]])
    }

    fn returned(&mut self, buffers: &mut std::vec::IntoIter<u32>, _: &Memory) -> Result<(), Fault> {
        buffers.next();
        Ok(())
    }
}

macro_rules! tuples {
    ($(($($value:ident $param:ident $n:tt),*);)*) => {$(
        impl<$($value: Arg<$param>, $param),*> Args<($($param,)*)> for ($($value,)*) {
            fn pass(&self, _call: &mut Outgoing<'_>) -> Result<(), Fault> {
                $(self.$n.pass(_call)?;)*
                Ok(())
            }

            fn returned(&mut self, _buffers: &mut std::vec::IntoIter<u32>, _memory: &Memory) -> Result<(), Fault> {
                $(self.$n.returned(_buffers, _memory)?;)*
                Ok(())
            }
        }
    )*};
}

tuples! {
    ();
    (A P 0);
    (A P 0, B Q 1);
    (A P 0, B Q 1, C R 2);
    (A P 0, B Q 1, C R 2, D S 3);
    (A P 0, B Q 1, C R 2, D S 3, E T 4);
    (A P 0, B Q 1, C R 2, D S 3, E T 4, F U 5);
    (A P 0, B Q 1, C R 2, D S 3, E T 4, F U 5, G V 6);
    (A P 0, B Q 1, C R 2, D S 3, E T 4, F U 5, G V 6, H W 7);
    (A P 0, B Q 1, C R 2, D S 3, E T 4, F U 5, G V 6, H W 7, I X 8);
    (A P 0, B Q 1, C R 2, D S 3, E T 4, F U 5, G V 6, H W 7, I X 8, J Y 9);
}
