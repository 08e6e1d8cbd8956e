"""What the emitted code spends its instructions on: how often each guest instruction ran, by the QEMU plugin, times
the host instructions that `rvjit disasm --jit` shows for it."""

import json
import re
import subprocess
from collections import Counter

from measure import number, ratio, table
from programs import ROOT, programs, say

# The classes, by guest mnemonic. The disassembler prints some instructions by their short names.
CLASSES = {
    "load": "lb lbu lh lhu lw",
    "store": "sb sh sw",
    "add, sub": "add addi sub neg",
    "move, constant": "mv li lui auipc nop",
    "logic": "and andi or ori xor xori not zext.b",
    "shift": "sll slli srl srli sra srai",
    "set if": "slt slti sltu sltiu seqz snez sltz sgtz",
    "branch on zero": "beqz bnez bltz bgez blez bgtz",
    "branch": "beq bne blt bge bltu bgeu",
    "jump": "j",
    "call": "jal call",
    "indirect jump": "jr jalr",
    "return": "ret",
    "multiply": "mul mulh mulhu mulhsu",
    "divide": "div divu rem remu",
}
REGISTER = re.compile(r"\b(?:ra|sp|gp|tp|a[0-7]|t[0-6]|s[0-9]|s1[01])\b")
CLASS_OF = {name: kind for kind, names in CLASSES.items() for name in names.split()}


def runs_by_pc(runner, program):
    """{pc: how often it was executed}."""
    counts = runner.path("counts")
    command = [str(ROOT / "scripts/insn-count.sh"), "-o", str(counts), "--blocks", program.elf]
    samples, out = runner.run([*command, *program.args], stdin=program.stdin)
    runner.check("counting qemu", program, samples[0].status, out)
    runs = Counter()
    for line in counts.read_text().splitlines():
        kind, *numbers = line.split()
        if kind == "block":
            start, insns, times = (int(text, 0) for text in numbers)
            for n in range(insns):
                runs[start + 4 * n] += times
    return runs


def listing(binary, program, target, placement):
    """{pc: (guest text, [host text])}."""
    command = [binary, "disasm", "--jit", "--json", "--target", target, "--placement", placement]
    out = subprocess.run([*command, program.elf], check=True, capture_output=True).stdout
    lines = {}
    for function in json.loads(out)["functions"]:
        for insn in function["insns"]:
            host = [" ".join(h["text"].split()) for h in insn.get("host") or []]
            lines[insn["pc"]] = (" ".join(insn["text"].split()), host)
    return lines


def classes(runner, options):
    """See the module's description. Programs count alike, however long they run."""
    chosen = programs(True, options.only)
    runs = [runs_by_pc(runner, program) for program in chosen]
    text, data = registers(options, chosen, runs)
    data = {"registers": data}
    for target in [options.target] if options.target else ["arm64", "x86-64"]:
        part, data[target] = of_target(options, chosen, runs, target)
        text += "\n" + part
    return text, data


def registers(options, chosen, all_runs):
    """How often instructions name each register: what deserves a home in a host register."""
    used = Counter()
    for program, runs in zip(chosen, all_runs):
        lines = listing(options.rvjit[0], program, "arm64", options.placement[0])
        for pc, times in runs.items():
            text = lines.get(pc, ("", []))[0]
            # Names come behind the mnemonic; `ret` reads ra.
            names = ["ra"] if text == "ret" else REGISTER.findall(text.partition(" ")[2])
            for name in names:
                used[name] += times / runs.total() / len(chosen)
    total = used.total()
    rows, so_far = [], 0
    for name, share in used.most_common():
        so_far += share
        rows.append([name, percent(share / total), percent(so_far / total)])
    text = "Operands of executed instructions by guest register, programs of equal weight:\n\n"
    return text + table(["register", "of operands", "so far"], rows), used


def of_target(options, chosen, all_runs, target):
    placement = options.placement[0]
    guest, host, mnemonics, hot = Counter(), Counter(), Counter(), []
    for program, runs in zip(chosen, all_runs):
        lines = listing(options.rvjit[0], program, target, placement)
        total = sum(runs.values())
        missing = sum(times for pc, times in runs.items() if pc not in lines)
        if missing:
            say(f"{program.name}: {missing / total:.2%} of the instructions are in no function")
        for pc, times in runs.items():
            text, code = lines.get(pc, ("?", []))
            share = times / total / len(chosen)
            kind = CLASS_OF.get(text.split(" ")[0], "other")
            guest[kind] += share
            host[kind] += share * len(code)
            for line in code:
                mnemonics[line.split(" ")[0]] += share
            if len(code) > 1:
                hot.append((share * (len(code) - 1), program.name, pc, text, code))
    total = sum(host.values())
    names = " ".join(program.name for program in chosen)
    text = (
        f"### {target}\n\nPlacement {placement}; {names}: short runs, each of equal weight. Executed guest "
        "instructions by class, and the host instructions on the way through each. Where several guest instructions became one, it "
        "counts for one of them.\n\n"
    )
    rows = [
        [kind, percent(guest[kind]), number(ratio(cost, guest[kind])), percent(cost / total)]
        for kind, cost in host.most_common()
    ]
    rows.append(["**all**", percent(1), number(total), percent(1)])
    text += table(["guest class", "of guest", "host each", "of host"], rows)
    rows = [[name, percent(share / total)] for name, share in mnemonics.most_common(20)]
    text += "\nThe host instructions:\n\n" + table(["host", "of host"], rows)
    hot.sort(reverse=True)
    rows = [
        [f"`{guest_text}`", name, f"{pc:#x}", percent(share / total), f"`{'; '.join(code)}`"]
        for share, name, pc, guest_text, code in hot[: options.top]
    ]
    head = ["guest", "program", "pc", "of host, beyond one", "host"]
    text += "\nWhere most is spent beyond one host instruction each:\n\n" + table(head, rows)
    return text, {"guest": guest, "host": host, "mnemonics": mnemonics, "all": total}


def percent(share):
    return f"{share:.1%}"
