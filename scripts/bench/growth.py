"""Growth: time against work and code size, memory against memory touched. Straight lines are good."""

import random
import subprocess

from measure import number, ratio, table
from programs import QEMU, WORK, Engine, guest_c, native_c, newer, programs, rvjit

PAGE = 4096


def best(runner, command, runs, stdin="/dev/null"):
    """The best processor time in seconds, and the least peak memory in MiB."""
    samples, _ = runner.run(command, runs=runs, stdin=stdin)
    bad = [sample.status for sample in samples if sample.status != 0]
    if bad:
        runner.wrong.append((command[0], command[-1]))
    return min(s.cpu for s in samples), min(s.peak_kib for s in samples) / 1024


def work(runner, engines):
    rows, data = [], {}
    for program in programs(False, ["sieve", "sha256", "recursion", "statemachine"]):
        rounds = int(program.args[0])
        for engine in engines:
            took = []
            for part in (100, 10, 1):
                program.args = [str(rounds // part)]
                took.append(best(runner, engine.command(program), 3)[0])
            data[f"{program.name} {engine.name}"] = took
            step = ratio(took[2] - took[1], took[1] - took[0])
            cells = [*(number(t * 1e3, 1) for t in took), number(step, 1)]
            rows.append([f"{program.name}, {engine.name}", *cells])
    head = ["program, engine", "1 % ms", "10 % ms", "100 % ms", "last step / first"]
    return table(head, rows), data


def straight_code(insns):
    """An ELF file with so many instructions in functions of 250, each called once. Made of what
    compilers make: arithmetic, loads, stores, and branches forward."""
    elf = WORK / f"code-{insns}.elf"
    if newer(elf, __file__):
        return elf
    WORK.mkdir(parents=True, exist_ok=True)
    draw = random.Random(insns)
    registers = ["a0", "a1", "a2", "a3", "a4", "a5", "s0", "s1", "t1"]
    lines = [".globl _start", "_start:", "la a6, data"]
    functions = insns // 250
    lines += [f"call f{n}" for n in range(functions)]
    lines += ["li a0, 0", "li a7, 93", "ecall"]
    for n in range(functions):
        lines.append(f"f{n}:")
        for i in range(245):
            d, a, b = (draw.choice(registers) for _ in range(3))
            kind = draw.randrange(10)
            if kind < 2:
                lines.append(f"lw {d}, {draw.randrange(256) * 4}(a6)")
            elif kind < 3:
                lines.append(f"sw {d}, {draw.randrange(256) * 4}(a6)")
            elif kind < 4 and i < 240:
                lines.append(f"bne {a}, {b}, .+{draw.choice([8, 12, 16])}")
            elif kind < 7:
                lines.append(f"addi {d}, {a}, {draw.randrange(-2048, 2048)}")
            else:
                lines.append(f"{draw.choice(['add', 'sub', 'xor', 'sltu'])} {d}, {a}, {b}")
        lines.append("ret")
    lines += [".bss", "data: .space 4096"]
    source = elf.with_suffix(".s")
    source.write_text("\n".join(lines) + "\n")
    compiler = "riscv64-unknown-elf-gcc -march=rv32im -mabi=ilp32 -nostdlib -static -Wl,--no-relax"
    subprocess.run([*compiler.split(), str(source), "-o", str(elf)], check=True)
    source.unlink()
    return elf


def code(runner, engines):
    rows, data = [], {}
    sizes = [1_000, 10_000, 100_000, 1_000_000]
    elves = [str(straight_code(size)) for size in sizes]
    # What is executed once is interpreted, unless all is to be translated.
    all_code = [Engine(f"{e.name}, --hot 0", [*e.prefix, "--hot", "0"]) for e in engines if e != QEMU]
    for engine in [*engines, *all_code]:
        took = [best(runner, [*engine.prefix, elf], 5) for elf in elves]
        times = [t for t, _ in took]
        data[engine.name] = times
        each = (times[-1] - times[0]) / (sizes[-1] - sizes[0]) * 1e9
        steps = [ratio(times[i + 1] - times[0], times[i] - times[0]) for i in (1, 2)]
        cells = [number(t * 1e3, 1) for t in times] + [number(s, 1) for s in steps]
        rows.append([engine.name, *cells, number(each, 0), number(took[-1][1], 1)])
    head = ["engine", "1 k ms", "10 k ms", "100 k ms", "1 M ms", "100 k / 10 k", "1 M / 100 k"]
    return table([*head, "ns an instruction", "peak MiB at 1 M"], rows), data


def memory(runner, engines):
    elf, native = str(guest_c("touch")), str(native_c("touch", "-static"))
    rows, data = [], {}
    pages = [0, 256, 1024, 4096, 8192]
    for name, command in [("native, static", [native]), *((e.name, [*e.prefix, elf]) for e in engines)]:
        peaks = [best(runner, [*command, str(n)], 3)[1] for n in pages]
        data[name] = peaks
        slope = (peaks[-1] - peaks[0]) / ((pages[-1] - pages[0]) * PAGE / 2**20)
        rows.append([name, *(number(p, 1) for p in peaks), number(slope)])
    head = ["engine", *(f"{n * PAGE >> 20} MiB" for n in pages), "MiB a MiB touched"]
    return table(head, rows), data


def growth(runner, options):
    """See the module's description."""
    engines = [QEMU]
    for placement in options.placement:
        name = "rvjit" if len(options.placement) == 1 else f"rvjit {placement}"
        engines.append(Engine(name, rvjit(options.rvjit[0], placement)))
    data = {}
    text, data["work"] = work(runner, engines)
    text = (
        "Time against work: rounds of the benchmark programs, user and system time of the whole process. On a "
        "straight line, the step from 10 to 100 % is ten times that from 1 to 10 %.\n\n" + text
    )
    part, data["code"] = code(runner, engines)
    text += (
        "\nTime against code size: so many guest instructions, each executed at most once. rvjit interprets such code; "
        "with `--hot 0` it translates it, and only that is seen. The ratios are of the times above the first column's."
        "\n\n" + part
    )
    part, data["memory"] = memory(runner, engines)
    text += (
        "\nPeak memory of the host process in MiB against guest memory touched, one byte a page.\n\n" + part
    )
    return text, data
