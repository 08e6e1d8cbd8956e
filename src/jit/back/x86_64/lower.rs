//! The operations of [`Backend`], but for arithmetic (`alu`) and memory (`memory`).

use super::regs::{A, D, Home};
use super::{X86_64, displacement, state};
use crate::asm::x64::{Cond as HostCond, Mem, Rm, Scale};
use crate::jit::back::backend::{
    Backend, BlockLabel, CodeOffset, Event, Link, Output, Patch, Position, Stubs, Target,
};
use crate::jit::back::emission::Cold;
use crate::jit::ir::costs::Costs;
use crate::jit::ir::op::{Address, Op, Operand, ShiftKind, Test};
use crate::jit::ir::state::{HASHED_BITS, JumpTableKind, offset};
use crate::rv32::{AluOp, AtomicOp, BitOp, Cond, LoadOp, MulOp, Reg, StoreOp, UnaryOp};

const CALL: u8 = 0xe8;
const JMP: u8 = 0xe9;

impl X86_64 {
    /// log2 of the bytes from one target of jumps to the next.
    pub(super) fn jump_step(&self) -> u8 {
        if self.options.isa.compressed { 1 } else { 2 }
    }

    /// rax = the target, rotated right so that its slots lie side by side.
    fn rotated_target(&mut self, rs: Reg, offset: i32) {
        let step = self.jump_step();
        match self.rm(rs) {
            target if offset == 0 && self.has.bmi2 => return self.asm.rorx32(A, target, step),
            Rm::Reg(host) if offset != 0 => self.asm.lea32(A, Mem::base(host).disp(offset)),
            _ => {
                self.fetch(A, rs);
                if offset != 0 {
                    self.asm.add32_i(A, offset);
                }
            }
        }
        self.asm.ror32_i(A, step);
    }

    fn jump_sparse(&mut self, rs: Reg, offset: i32, link: Option<(Reg, u32)>) {
        self.rotated_target(rs, offset);
        let slot = state(0).index(A, Scale::X8);
        if link.is_none() {
            self.keep_in_line(self.here(), 7);
        }
        // A misaligned target faults at the access.
        self.draft.site(self.here(), false);
        match link {
            None => self.asm.jmp_m(slot),
            Some((rd, value)) => {
                self.asm.mov64(D, slot);
                self.load_imm(rd, value);
                self.keep_in_line(self.here(), 2);
                self.asm.jmp_m(D);
            }
        }
    }

    fn jump_hashed(&mut self, rs: Reg, offset: i32, link: Option<(Reg, u32)>) {
        self.fetch(A, rs);
        if offset != 0 {
            self.asm.add32_i(A, offset);
        }
        let cold = self.asm.label();
        let step = self.jump_step();
        // 16 bytes a slot.
        let scale = if step == 1 { Scale::X8 } else { Scale::X4 };
        let a = &mut self.asm;
        a.mov32(D, A);
        a.and32_i(D, ((1 << HASHED_BITS) - 1) << step);
        a.lea64(D, state(0).index(D, scale));
        let start = a.offset();
        a.cmp32(A, Mem::base(D));
        self.jump_if(start, HostCond::Ne, cold);
        self.draft.interpret_cold(cold, false);
        if let Some((rd, value)) = link {
            self.load_imm(rd, value);
        }
        self.keep_in_line(self.here(), 3);
        self.asm.jmp_m(Mem::base(D).disp(8));
    }
}

impl Backend for X86_64 {
    const JUMP_TABLE: JumpTableKind = JumpTableKind::Sparse;
    const CODE_LOW: Option<u32> = None;

    fn stubs(&mut self) -> Stubs {
        self.emit_stubs()
    }

    fn begin(&mut self, at: CodeOffset, blocks: usize) {
        self.asm.clear();
        self.flags = None;
        self.draft.begin(at);
        self.blocks.clear();
        self.blocks.extend((0..blocks).map(|_| self.asm.label()));
    }

    fn finish(&mut self) -> Output {
        self.draft.output.cold = self.draft.place(self.here());
        self.emit_wrong_divisors();
        self.emit_special_divisions();
        self.emit_reloads();
        for number in 0.. {
            let Some(cold) = self.draft.cold_code(number) else {
                break;
            };
            let start = self.here();
            self.asm.bind(cold.label);
            self.leave_insn();
            self.draft.cold_emitted(&cold, start, self.here());
        }
        let complete = self.asm.check_labels();
        debug_assert_eq!(
            complete,
            Ok(()),
            "every block that is branched to is emitted"
        );
        self.draft.output.code.extend_from_slice(self.asm.code());
        self.draft.finish()
    }

    fn recycle(&mut self, output: Output) {
        self.draft.output = output;
    }

    fn block(&mut self, label: BlockLabel, pc: u32) {
        let place = self.draft.place(self.here());
        self.asm.bind(self.blocks[label.0]);
        self.release();
        self.flags = None;
        self.draft.output.entries.push((pc, place));
        if self.options.poison {
            for scratch in [A, D] {
                self.asm.mov64_i(scratch, 0xdead_beef_dead_beef);
            }
            for (_, host) in self.homes.in_host() {
                self.asm.bts64_mi8(host, 63);
            }
        }
    }

    fn position(&mut self, position: Position) {
        self.draft.operation_begins(self.here(), position);
    }

    fn count(&mut self, pc: u32, insns: u16) {
        let cold = self.asm.label();
        let start = self.here();
        self.asm.cmp64_i(state(offset::BUDGET), i32::from(insns));
        self.jump_if(start, HostCond::L, cold);
        self.asm.sub64_i(state(offset::BUDGET), i32::from(insns));
        self.draft.cold(Cold {
            label: cold,
            event: Event::Budget { pc },
            link: None,
        });
    }

    fn defer(&mut self, ops: Vec<Op>) -> u32 {
        self.draft.defer(ops)
    }

    fn load_imm(&mut self, rd: Reg, value: u32) {
        match self.host(rd) {
            Some(d) if value == 0 && self.flags().is_none() => self.asm.xor32(d, d),
            _ => self.keeping_flags(|this| this.set(rd, |asm, place| asm.mov32_i(place, value))),
        }
    }

    fn copy(&mut self, rd: Reg, rs: Reg) {
        self.keeping_flags(|this| match this.host(rd) {
            Some(d) => this.asm.mov32(d, this.rm(rs)),
            None => {
                let s = this.read(rs, None);
                this.set(rd, |asm, place| asm.mov32_mr(place, s));
            }
        });
    }

    fn alu(&mut self, op: AluOp, rd: Reg, a: Reg, b: Operand) {
        match b {
            Operand::Imm(value) => self.emit_alu_imm(op, rd, a, value),
            Operand::Reg(b) => self.emit_alu(op, rd, a, b),
        }
    }

    fn alu_shifted(&mut self, op: AluOp, rd: Reg, a: Reg, b: Reg, kind: ShiftKind, amount: u8) {
        debug_assert!(self.shifted_operand(op, kind, amount), "no such operand");
        self.emit_scaled_add(rd, a, b, amount);
    }

    fn extract(&mut self, rd: Reg, rs: Reg, lsb: u8, width: u8, signed: bool) {
        self.emit_extract(rd, rs, lsb, width, signed);
    }

    fn place(&mut self, rd: Reg, rs: Reg, lsb: u8, width: u8) {
        self.emit_place(rd, rs, lsb, width);
    }

    fn rotate(&mut self, rd: Reg, rs: Reg, by: Operand) {
        self.emit_rotate(rd, rs, by);
    }

    fn funnel(&mut self, rd: Reg, high: Reg, low: Reg, amount: u8) {
        self.emit_funnel(rd, high, low, amount);
    }

    fn set_if(&mut self, cond: Cond, rd: Reg, a: Reg, b: Operand) {
        self.emit_set_if(cond, rd, a, b);
    }

    fn mul(&mut self, op: MulOp, rd: Reg, a: Reg, b: Reg) {
        self.emit_mul(op, rd, a, b);
    }

    fn bits(&mut self, op: BitOp, rd: Reg, a: Reg, b: Reg) {
        self.emit_bits(op, rd, a, b);
    }

    fn unary(&mut self, op: UnaryOp, rd: Reg, rs: Reg) {
        self.emit_unary(op, rd, rs);
    }

    fn select(&mut self, cond: Cond, a: Reg, b: Operand, rd: Reg, rs: Operand, other: Reg) {
        self.emit_select(cond, (a, b), rd, rs, other);
    }

    fn divide_by(&mut self, op: MulOp, rd: Reg, a: Reg, b: Reg, value: u32, certain: bool) {
        self.emit_divide_by(op, rd, a, b, value, certain);
    }

    fn mul_wide(&mut self, op: MulOp, lo: Reg, hi: Reg, a: Reg, b: Reg) {
        self.emit_mul_wide(op, lo, hi, a, b);
    }

    fn div_rem(&mut self, signed: bool, quot: Reg, rem: Reg, a: Reg, b: Reg) {
        self.divide(signed, a, b);
        self.written(quot, A);
        self.written(rem, D);
    }

    fn mul_add(&mut self, rd: Reg, c: Reg, a: Reg, b: Reg) {
        self.release();
        self.fetch(A, a);
        self.asm.imul32(A, self.rm(b));
        self.asm.add32(A, self.rm(c));
        self.written(rd, A);
    }

    fn add_carry(&mut self, sub: bool, lo: Reg, carry: Reg, a: Reg, b: Reg) {
        self.emit_add_carry(sub, lo, carry, a, b);
    }

    fn load(&mut self, op: LoadOp, rd: Reg, address: Address) {
        self.emit_load(op, rd, address);
    }

    fn store(&mut self, op: StoreOp, src: Reg, address: Address) {
        self.emit_store(op, src, address);
    }

    fn atomic(&mut self, op: AtomicOp, rd: Reg, src: Reg, base: Reg) {
        self.emit_atomic(op, rd, src, base);
    }

    fn branch(&mut self, test: Test, target: Target) {
        let start = self.here();
        let cond = match test {
            Test::Compare(cond, a, b) => self.emit_compare(cond, a, b),
            Test::Bits { zero, a, b } => {
                self.emit_test(a, b);
                if zero { HostCond::E } else { HostCond::Ne }
            }
        };
        let flags = match test {
            Test::Compare(_, a, Operand::Imm(0)) => Some(a),
            _ => None,
        };
        self.keep_in_line(start, 6);
        self.branch_to(Some(cond), target);
        self.flags = flags.map(|reg| (reg, self.here()));
    }

    fn jump(&mut self, target: Target) {
        self.keep_in_line(self.here(), 5);
        match target {
            Target::Block { .. } => self.branch_to(None, target),
            Target::Outside(pc) => {
                let place = self.draft.place(self.here());
                self.leave(Event::Jump {
                    target: pc,
                    deferred: 0,
                });
                self.draft.link_exit(place, pc);
            }
        }
    }

    fn jump_reg(&mut self, rs: Reg, offset: i32, link: Option<(Reg, u32)>) {
        if self.options.hashed_jumps {
            self.jump_hashed(rs, offset, link);
        } else {
            self.jump_sparse(rs, offset, link);
        }
    }

    fn interpret(&mut self) {
        self.leave_insn();
        self.draft.left_to_interpret(self.here());
    }

    fn host_register(&self, reg: Reg) -> Option<usize> {
        match self.homes.of(reg) {
            Home::Host(host) => Some(usize::from(host.number())),
            Home::Zero | Home::InCpu => None,
        }
    }

    fn disassemble(code: &[u8], address: u64) -> (usize, String) {
        crate::asm::x64::disassemble(code, address)
    }

    fn relink(&self, link: &Link, to: Option<CodeOffset>, patches: &mut Vec<Patch>) {
        let mut bytes = [0; 8];
        if link.branch == link.cold {
            // An unconditional exit: a call of the exit stub, or a jump.
            let (opcode, to) = match to {
                Some(to) => (JMP, to),
                None => (CALL, self.exit),
            };
            bytes[0] = opcode;
            bytes[1..5].copy_from_slice(&displacement(link.branch, to, 5).to_le_bytes());
            patches.push(Patch {
                at: link.branch,
                bytes,
                len: 5,
            });
            return;
        }
        // `branch` is the displacement of a jump that may be conditional.
        let to = to.unwrap_or(link.cold);
        bytes[..4].copy_from_slice(&displacement(link.branch, to, 4).to_le_bytes());
        patches.push(Patch {
            at: link.branch,
            bytes,
            len: 4,
        });
    }
}
