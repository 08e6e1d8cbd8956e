//! What is done to the operations of a block between lifting and lowering. Each pass is tested on its own.

pub(in crate::jit) mod accesses;
pub mod join;
pub(in crate::jit) mod lives;

use super::ir::costs::Costs;
use super::ir::item::Item;
use super::ir::registers::RegSet;
use super::ir::verify::verify;

/// Runs all passes over one block. `dead` says which registers the code at an address overwrites first, `next` is that
/// set for what follows the block.
pub(in crate::jit) fn run(
    items: &mut [Item],
    costs: &impl Costs,
    dead: impl Fn(u32) -> RegSet,
    next: RegSet,
) {
    let insns = items.iter().map(|item| usize::from(item.insns)).sum();
    check("lifting", items, insns);
    join::optimize(items, costs, dead, next);
    check("passes::join", items, insns);
    if costs.joins_accesses() {
        accesses::join_accesses(items, costs);
        check("passes::accesses", items, insns);
    }
}

/// In debug builds, stops at the pass that broke a rule.
fn check(pass: &str, items: &[Item], insns: usize) {
    if cfg!(debug_assertions)
        && let Err(wrong) = verify(items, insns)
    {
        let all = items.iter().map(|item| format!("{:#x} {item}\n", item.pc));
        panic!("bug: after {pass}: {wrong}\n{}", all.collect::<String>());
    }
}
