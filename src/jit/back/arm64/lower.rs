//! Operations to instructions. Each method says what it emits; [`Arm64::read`] may put a load before, and
//! [`Arm64::write`] a store behind, where a guest register has no home.

use super::regs::{ARENA, Home, INDEX, LINK, SCRATCH};
use super::{Arm64, displacement, state_offset};
use crate::asm::a64::{
    AdrDisp, Amount, Assembler, BitField, BitmaskImm32, Cond as HostCond, Imm12, LogicShift,
    MovImm, Shift, W, WZR, patch_branch,
};
use crate::jit::back::backend::{
    Backend, BlockLabel, CodeOffset, Event, Link, Output, Patch, Position, Stubs, Target,
};
use crate::jit::back::emission::Cold;
use crate::jit::ir::op::{Address, Joint, Op, Operand, ShiftKind, Test};
use crate::jit::ir::state::{JumpTableKind, offset};
use crate::memory::Placement;
use crate::rv32::{AluOp, AtomicOp, BitOp, Cond, LoadOp, MulOp, Reg, StoreOp, UnaryOp};

fn amount(bits: u32) -> Amount<W> {
    Amount::wrapping(bits)
}

impl Arm64 {
    /// The operand in a register: [`INDEX`] for a constant or a register without a home.
    fn operand_register(&mut self, b: Operand) -> W {
        match b {
            Operand::Reg(b) => self.read(b, INDEX),
            Operand::Imm(value) => {
                self.asm.mov_u32(INDEX.w(), value);
                INDEX.w()
            }
        }
    }

    fn logic_imm(&mut self, op: AluOp, d: W, n: W, value: u32) {
        let a = &mut self.asm;
        match (op, BitmaskImm32::new(value)) {
            (AluOp::Xor, _) if value == u32::MAX => a.mvn(d, n),
            (AluOp::And, Some(imm)) => a.and_imm(d, n, imm),
            (AluOp::Or, Some(imm)) => a.orr_imm(d, n, imm),
            (AluOp::Xor, Some(imm)) => a.eor_imm(d, n, imm),
            _ => {
                a.mov_u32(INDEX.w(), value);
                self.alu_registers(op, d, n, INDEX.w());
            }
        }
    }

    fn alu_registers(&mut self, op: AluOp, d: W, n: W, m: W) {
        let a = &mut self.asm;
        match op {
            AluOp::Add => a.add(d, n, m),
            AluOp::Sub => self.subtract(d, n, m),
            AluOp::And => a.and(d, n, m),
            AluOp::Or => a.orr(d, n, m),
            AluOp::Xor => a.eor(d, n, m),
            AluOp::Sll => a.lslv(d, n, m),
            AluOp::Srl => a.lsrv(d, n, m),
            AluOp::Sra => a.asrv(d, n, m),
            AluOp::Slt | AluOp::Sltu => unreachable!("lifted to SetIf"),
        }
    }

    /// How far a constant that takes two instructions is from the low half of this place's address, if `adr` reaches.
    fn near(&self, value: u32) -> Option<AdrDisp> {
        let single = [value, !value]
            .iter()
            .any(|&v| v >> 16 == 0 || v << 16 == 0);
        let here = self.draft.place(self.here()).0;
        let distance = value.wrapping_sub(self.options.code_low.wrapping_add(here));
        AdrDisp::new(distance.cast_signed().into()).filter(|_| !single)
    }
}

impl Backend for Arm64 {
    const JUMP_TABLE: JumpTableKind = JumpTableKind::Direct;
    /// Where linkers begin RV32 programs: `adr` then makes return addresses.
    const CODE_LOW: Option<u32> = Some(0x1_0000);

    fn stubs(&mut self) -> Stubs {
        self.emit_stubs()
    }

    fn begin(&mut self, at: CodeOffset, blocks: usize) {
        self.asm.clear();
        self.draft.begin(at);
        self.too_far = false;
        self.blocks.clear();
        self.blocks.extend((0..blocks).map(|_| self.asm.label()));
    }

    fn finish(&mut self) -> Output {
        self.draft.output.cold = self.draft.place(self.here());
        for number in 0.. {
            let Some(cold) = self.draft.cold_code(number) else {
                break;
            };
            let start = self.here();
            let result = self.asm.bind(cold.label);
            self.reach(result);
            self.leave_insn();
            self.draft.cold_emitted(&cold, start, self.here());
        }
        self.too_far |= self.asm.has_unbound_branches();
        let bytes = self.asm.words().iter().flat_map(|word| word.to_le_bytes());
        self.draft.output.code.extend(bytes);
        self.draft.output.too_far = self.too_far;
        if self.too_far {
            self.short_branches = false;
        }
        self.draft.finish()
    }

    fn recycle(&mut self, output: Output) {
        self.draft.output = output;
    }

    fn block(&mut self, label: BlockLabel, pc: u32) {
        let place = self.draft.place(self.here());
        self.flags = None;
        let label = self.block_label(label);
        let result = self.asm.bind(label);
        self.reach(result);
        self.draft.output.entries.push((pc, place));
        if !self.options.poison {
            return;
        }
        for scratch in [SCRATCH, INDEX, LINK] {
            self.asm.mov_u64(scratch, 0xdead_beef_dead_beef);
        }
        // Only the identity placement relies on the upper halves of homes.
        if self.options.placement != Placement::Identity
            && let Some(garbage) = MovImm::new(0xdead, 48)
        {
            for (_, w) in self.homes.in_host() {
                self.asm.movk(w.x(), garbage);
            }
        }
    }

    fn position(&mut self, position: Position) {
        self.draft.operation_begins(self.here(), position);
    }

    fn count(&mut self, pc: u32, insns: u16) {
        let budget = state_offset(offset::BUDGET);
        self.asm.ldur(SCRATCH, ARENA, budget);
        if let Some(imm) = Imm12::new(u32::from(insns)) {
            self.asm.subs_imm(SCRATCH, SCRATCH, imm);
        }
        let cold = self.asm.label();
        let result = self.asm.b_cond_to(HostCond::Lt, cold);
        self.reach(result);
        self.asm.stur(SCRATCH, ARENA, budget);
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
        if value == 0 && self.homes.get(rd) == Home::InCpu {
            return self.write_from(rd, WZR);
        }
        self.write(rd, LINK, |this, d| match this.near(value) {
            Some(from_here) if rd == Reg::RA => this.asm.adr(d.x(), from_here),
            _ => this.asm.mov_u32(d, value),
        });
    }

    fn copy(&mut self, rd: Reg, rs: Reg) {
        if self.homes.get(rd) == Home::InCpu {
            let n = self.read(rs, SCRATCH);
            return self.write_from(rd, n);
        }
        self.write(rd, SCRATCH, |this, d| {
            // A register without a home is loaded straight into its place.
            let n = this.read(rs, d.x());
            if n != d {
                this.asm.mov(d, n);
            }
        });
    }

    fn alu(&mut self, op: AluOp, rd: Reg, a: Reg, b: Operand) {
        self.write(rd, SCRATCH, |this, d| {
            let n = this.read(a, SCRATCH);
            match b {
                Operand::Reg(b) => {
                    let m = this.read(b, INDEX);
                    this.alu_registers(op, d, n, m);
                }
                Operand::Imm(value) => match op {
                    AluOp::Add => this.add_imm(d, n, value, INDEX),
                    AluOp::And | AluOp::Or | AluOp::Xor => this.logic_imm(op, d, n, value),
                    AluOp::Sll => this.asm.lsl_imm(d, n, amount(value)),
                    AluOp::Srl => this.asm.lsr_imm(d, n, amount(value)),
                    AluOp::Sra => this.asm.asr_imm(d, n, amount(value)),
                    AluOp::Sub | AluOp::Slt | AluOp::Sltu => unreachable!("lifted to Add or SetIf"),
                },
            }
        });
    }

    fn alu_shifted(&mut self, op: AluOp, rd: Reg, a: Reg, b: Reg, kind: ShiftKind, by: u8) {
        self.write(rd, SCRATCH, |this, d| {
            let n = this.read(a, SCRATCH);
            let m = this.read(b, INDEX);
            let by = amount(u32::from(by));
            let shift = match kind {
                ShiftKind::Left => Shift::Lsl,
                ShiftKind::Right => Shift::Lsr,
                ShiftKind::Arithmetic => Shift::Asr,
            };
            let logic = match kind {
                ShiftKind::Left => LogicShift::Lsl,
                ShiftKind::Right => LogicShift::Lsr,
                ShiftKind::Arithmetic => LogicShift::Asr,
            };
            match op {
                AluOp::Add => this.asm.add_shift(d, n, m, shift, by),
                AluOp::Sub => this.asm.sub_shift(d, n, m, shift, by),
                AluOp::And => this.asm.and_shift(d, n, m, logic, by),
                AluOp::Or => this.asm.orr_shift(d, n, m, logic, by),
                AluOp::Xor => this.asm.eor_shift(d, n, m, logic, by),
                other => unreachable!("{other:?} takes no shifted operand"),
            }
        });
    }

    fn extract(&mut self, rd: Reg, rs: Reg, lsb: u8, width: u8, signed: bool) {
        self.write(rd, SCRATCH, |this, d| {
            let n = this.read(rs, SCRATCH);
            if let Some(field) = BitField::new(u32::from(lsb), u32::from(width)) {
                if signed {
                    this.asm.sbfx(d, n, field);
                } else {
                    this.asm.ubfx(d, n, field);
                }
            }
        });
    }

    fn place(&mut self, rd: Reg, rs: Reg, lsb: u8, width: u8) {
        self.write(rd, SCRATCH, |this, d| {
            let n = this.read(rs, SCRATCH);
            if let Some(field) = BitField::new(u32::from(lsb), u32::from(width)) {
                this.asm.ubfiz(d, n, field);
            }
        });
    }

    fn rotate(&mut self, rd: Reg, rs: Reg, by: Operand) {
        self.write(rd, SCRATCH, |this, d| {
            let n = this.read(rs, SCRATCH);
            match by {
                Operand::Imm(bits) => this.asm.ror_imm(d, n, amount(bits)),
                Operand::Reg(by) => {
                    let m = this.read(by, INDEX);
                    this.asm.rorv(d, n, m);
                }
            }
        });
    }

    fn funnel(&mut self, rd: Reg, high: Reg, low: Reg, by: u8) {
        self.write(rd, SCRATCH, |this, d| {
            let n = this.read(high, SCRATCH);
            let m = this.read(low, INDEX);
            this.asm.extr(d, n, m, amount(u32::from(by)));
        });
    }

    fn set_if(&mut self, cond: Cond, rd: Reg, a: Reg, b: Operand) {
        self.write(rd, SCRATCH, |this, d| {
            let n = this.read(a, SCRATCH);
            if (cond, b) == (Cond::Lt, Operand::Imm(0)) {
                this.asm.lsr_imm(d, n, amount(31));
            } else {
                let cond = this.compare(cond, n, b);
                this.asm.cset(d, cond);
            }
        });
    }

    fn mul(&mut self, op: MulOp, rd: Reg, a: Reg, b: Reg) {
        self.emit_mul(op, rd, a, b);
    }

    fn mul_wide(&mut self, op: MulOp, lo: Reg, hi: Reg, a: Reg, b: Reg) {
        self.emit_mul_wide(op, lo, hi, a, b);
    }

    fn div_rem(&mut self, signed: bool, quot: Reg, rem: Reg, a: Reg, b: Reg) {
        self.emit_div_rem(signed, quot, rem, a, b);
    }

    fn divide_by(&mut self, op: MulOp, rd: Reg, a: Reg, b: Reg, _value: u32, certain: bool) {
        self.emit_divide_by(op, rd, a, b, certain);
    }

    fn bits(&mut self, op: BitOp, rd: Reg, a: Reg, b: Reg) {
        self.emit_bits(op, rd, a, b);
    }

    fn unary(&mut self, op: UnaryOp, rd: Reg, rs: Reg) {
        self.emit_unary(op, rd, rs);
    }

    fn select(&mut self, cond: Cond, a: Reg, b: Operand, rd: Reg, rs: Operand, other: Reg) {
        let n = self.read(a, SCRATCH);
        let cond = self.compare(cond, n, b);
        let new = match rs {
            Operand::Imm(0) => WZR,
            Operand::Imm(value) => {
                self.asm.mov_u32(LINK.w(), value);
                LINK.w()
            }
            Operand::Reg(rs) => self.read(rs, LINK),
        };
        let old = self.read(other, SCRATCH);
        self.write(rd, SCRATCH, |this, d| {
            this.asm.csel(d, new, old, cond);
        });
    }

    fn mul_add(&mut self, rd: Reg, c: Reg, a: Reg, b: Reg) {
        self.write(rd, SCRATCH, |this, d| {
            let n = this.read(a, LINK);
            let m = this.read(b, INDEX);
            let c = this.read(c, SCRATCH);
            this.asm.madd(d, n, m, c);
        });
    }

    fn add_carry(&mut self, sub: bool, lo: Reg, carry: Reg, a: Reg, b: Reg) {
        self.write(lo, SCRATCH, |this, d| {
            let n = this.read(a, SCRATCH);
            let m = this.read(b, INDEX);
            if sub {
                this.asm.subs(d, n, m);
            } else {
                this.asm.adds(d, n, m);
            }
        });
        self.write(carry, SCRATCH, |this, d| {
            this.asm
                .cset(d, if sub { HostCond::Cc } else { HostCond::Cs });
        });
    }

    fn load(&mut self, op: LoadOp, rd: Reg, address: Address) {
        self.emit_load(op, rd, address);
    }

    fn store(&mut self, op: StoreOp, src: Reg, address: Address) {
        self.emit_store(op, src, address);
    }

    fn joint(&mut self, access: Joint, base: Reg, offset: i32, update: Option<i32>) {
        self.emit_joint(access, base, offset, update);
    }

    fn atomic(&mut self, op: AtomicOp, rd: Reg, src: Reg, base: Reg) {
        self.emit_atomic(op, rd, src, base);
    }

    fn branch(&mut self, test: Test, target: Target) {
        match test {
            Test::Compare(cond, a, b) => {
                let n = self.read(a, SCRATCH);
                match (cond, b) {
                    (Cond::Eq | Cond::Ne, Operand::Imm(0)) => {
                        self.branch_on_zero(n, cond == Cond::Eq, target);
                    }
                    (Cond::Lt | Cond::Ge, Operand::Imm(0)) => {
                        self.branch_on_bit(n, 31, cond == Cond::Lt, target);
                    }
                    _ => {
                        let cond = self.compare(cond, n, b);
                        self.b_cond(cond, target);
                    }
                }
            }
            Test::Bits { zero, a, b } => {
                let n = self.read(a, SCRATCH);
                match b {
                    Operand::Imm(value) if value.is_power_of_two() => {
                        self.branch_on_bit(n, value.trailing_zeros(), !zero, target);
                    }
                    _ => {
                        match b {
                            Operand::Imm(value) if let Some(mask) = BitmaskImm32::new(value) => {
                                self.asm.tst_imm(n, mask);
                            }
                            _ => {
                                let m = self.operand_register(b);
                                self.asm.tst(n, m);
                            }
                        }
                        let cond = if zero { HostCond::Eq } else { HostCond::Ne };
                        self.b_cond(cond, target);
                    }
                }
            }
        }
    }

    fn jump(&mut self, target: Target) {
        match target {
            Target::Block { .. } => self.branch_with(target, Assembler::b_to),
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
        let mut target = self.read(rs, SCRATCH);
        if offset != 0 {
            self.add_imm(SCRATCH.w(), target, offset.cast_unsigned(), INDEX);
            target = SCRATCH.w();
        }
        if self.options.hashed_jumps {
            self.jump_hashed(target, link);
        } else {
            self.jump_direct(target, link);
        }
    }

    fn interpret(&mut self) {
        self.leave_insn();
        self.draft.left_to_interpret(self.here());
    }

    fn host_register(&self, reg: Reg) -> Option<usize> {
        match self.homes.get(reg) {
            Home::Host(host) => Some(usize::from(host.number())),
            Home::Zero | Home::InCpu => None,
        }
    }

    fn disassemble(code: &[u8], address: u64) -> (usize, String) {
        match code.first_chunk() {
            Some(&word) => {
                let word = u32::from_le_bytes(word);
                (4, crate::asm::a64::disassemble(word, address))
            }
            None => (code.len(), "(cut)".to_string()),
        }
    }

    fn relink(&self, link: &Link, to: Option<CodeOffset>, patches: &mut Vec<Patch>) {
        let mut patch = |at: CodeOffset, word: Option<u32>| {
            if let Some(word) = word {
                let mut bytes = [0; 8];
                bytes[..4].copy_from_slice(&word.to_le_bytes());
                patches.push(Patch { at, bytes, len: 4 });
            }
        };
        let conditional = link.branch != link.cold;
        let direct = to.and_then(|to| patch_branch(link.insn, displacement(link.branch, to)));
        if conditional && direct.is_some() {
            return patch(link.branch, direct);
        }
        match to {
            Some(to) => patch(link.cold, Assembler::b_word(displacement(link.cold, to))),
            None => patch(link.cold, Some(self.exit_insn(link.cold))),
        }
        if conditional {
            let cold = displacement(link.branch, link.cold);
            patch(link.branch, patch_branch(link.insn, cold));
        }
    }
}
