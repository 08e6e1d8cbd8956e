//! Random programs in compressed form: each instruction that has 16 bits somewhere may have them here, so that targets of
//! jumps and ends of pages fall between words, and jumps that went by bytes go into the middle of instructions.

use crate::agree;
use crate::generate::{self, Program, Random};
use rvjit::rv32::{Insn, Isa, decode, encode, expand};
use std::collections::HashMap;

pub(crate) const RV32C: Isa = Isa { compressed: true };

/// The shortest form of each instruction that has one, by its long one.
pub(crate) struct Forms(HashMap<u32, u16>);

impl Forms {
    pub(crate) fn new() -> Forms {
        let form = |half| Some((encode(expand(half)?), half));
        Forms(
            (0..=u16::MAX)
                .filter(|half| half & 3 != 3)
                .filter_map(form)
                .collect(),
        )
    }

    pub(crate) fn of(&self, insn: Insn) -> Option<u16> {
        self.0.get(&encode(insn)).copied()
    }
}

/// How far the instruction at `pc` jumps; `None` where it does not, or not by a constant.
fn offset(insn: Insn) -> Option<i32> {
    match insn {
        Insn::Branch { offset, .. } | Insn::Jal { offset, .. } => Some(offset),
        _ => None,
    }
}

fn with_offset(insn: Insn, new: i32) -> Insn {
    match insn {
        Insn::Branch { cond, rs1, rs2, .. } => Insn::Branch {
            cond,
            rs1,
            rs2,
            offset: new,
        },
        Insn::Jal { rd, .. } => Insn::Jal { rd, offset: new },
        other => other,
    }
}

/// Half-words of a program whose branches lead to the same instructions as before. What is not decoded stays as it is.
/// `short(n)` tells whether instruction `n` is to be as short as it can.
pub(crate) fn compress(forms: &Forms, words: &[u32], short: impl Fn(usize) -> bool) -> Vec<u16> {
    let insns: Vec<Option<Insn>> = words.iter().map(|&word| decode(word)).collect();
    let mut is_short: Vec<bool> = (0..words.len()).map(short).collect();
    loop {
        let mut places = vec![0];
        for &short in &is_short {
            let last = *places.last().unwrap();
            places.push(last + if short { 2 } else { 4 });
        }
        let mut halves = Vec::new();
        let mut changed = false;
        for (n, insn) in insns.iter().enumerate() {
            let moved = insn.map(|insn| {
                let target = offset(insn).and_then(|offset| {
                    let target = i64::try_from(n).unwrap() + i64::from(offset / 4);
                    places.get(usize::try_from(target).ok()?)
                });
                target.map_or(insn, |target: &i32| with_offset(insn, target - places[n]))
            });
            match moved.and_then(|insn| forms.of(insn)) {
                Some(half) if is_short[n] => halves.push(half),
                _ => {
                    // What became long stays long, so that this ends.
                    changed |= std::mem::replace(&mut is_short[n], false);
                    let word = moved.map_or(words[n], encode);
                    halves.extend([word as u16, (word >> 16) as u16]);
                }
            }
        }
        if !changed {
            return halves;
        }
    }
}

/// The program in compressed form: all that can be short, most of it, or little.
fn compressed(forms: &Forms, program: &Program, random: &mut Random) -> Program {
    let seed = random.next();
    let often = random.pick(&[4, 4, 3, 1]);
    let short = |n: usize| {
        let mut random = Random::new(seed ^ n as u64);
        random.below(4) < often
    };
    let mut halves = compress(forms, &program.words, short);
    // The end of the program is where a word may end.
    if halves.len() % 2 == 1 {
        halves.push(0);
    }
    let word = |pair: &[u16]| u32::from(pair[1]) << 16 | u32::from(pair[0]);
    Program {
        isa: RV32C,
        words: halves.chunks(2).map(word).collect(),
        ..program.clone()
    }
}

#[test]
fn compressed_programs_agree_with_the_interpreter() {
    let forms = Forms::new();
    agree(RV32C, 5, |random| {
        let program = generate::program(random);
        compressed(&forms, &program, random)
    });
}

#[test]
fn compressed_forms_do_the_same() {
    let forms = Forms::new();
    let mut random = Random::new(1);
    let (mut short, mut all) = (0, 0);
    for _ in 0..200 {
        let program = generate::program(&mut random);
        let halves = compress(&forms, &program.words, |_| true);
        let mut at = 0;
        let mut insns = Vec::new();
        while let Some(&low) = halves.get(at) {
            let high = halves.get(at + 1).copied().unwrap_or(0);
            let long = low & 3 == 3;
            insns.push(if long {
                decode(u32::from(high) << 16 | u32::from(low))
            } else {
                expand(low)
            });
            at += if long { 2 } else { 1 };
            short += usize::from(!long);
        }
        all += insns.len();
        let zero = |insn: Option<Insn>| insn.map(|insn| with_offset(insn, 0));
        let before = program.words.iter().map(|&word| zero(decode(word)));
        assert!(before.eq(insns.into_iter().map(zero)));
    }
    assert!(6 * short > all, "{short} of {all} are short");
}
