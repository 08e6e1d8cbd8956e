"""What can be measured. Each function returns (text, data): a Markdown section, and the same for JSON."""

import hashlib
import json
import statistics
import subprocess

from measure import geomean, number, ratio, table
from programs import NATIVE, QEMU, ROOT, WORK, Engine, guest_c, native_c, programs, rvjit, say

ARM64_RUNNER = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]


def variants(options):
    """The builds and placements of rvjit to compare, as engines."""
    engines = []
    for n, binary in enumerate(options.rvjit):
        for placement in options.placement:
            name = "rvjit" if n == 0 else f"rvjit {'ABCDEFGH'[n]}"
            if len(options.placement) > 1:
                name += f" {placement}"
            engines.append(Engine(name, rvjit(binary, placement)))
    return engines


def best_times(runner, chosen, engines, runs, of):
    """{program: {engine: best}}; the engines take turns."""
    best = {}
    for program in chosen:
        took = best[program.name] = {}
        for _ in range(runs):
            for engine in engines:
                value = of(runner.program(engine, program))
                took[engine.name] = min(value, took.get(engine.name, value))
        say(f"{program.name}: " + ", ".join(f"{k} {v:.3f}" for k, v in took.items()))
    return best


def times(runner, options):
    """Seconds of each program on each engine, and their ratios."""
    ours = variants(options)
    engines = [NATIVE, QEMU, *ours]
    chosen = programs(options.short, options.only)
    # User time is what the design counts; a short run is too short for the kernel to tell
    # the two kinds apart.
    of = (lambda sample: sample.cpu) if options.short else (lambda sample: sample.user)
    best = best_times(runner, chosen, engines, options.runs, of)
    unit, scale, digits = ("ms", 1e3, 1) if options.short else ("s", 1, 2)
    head = ["program", f"native {unit}", f"qemu {unit}"]
    head += [f"{engine.name} {unit}" for engine in ours]
    head += [f"{engine.name} / native" for engine in ours]
    head += [f"qemu / {engine.name}" for engine in ours]
    rows, data = [], {"programs": {}, "unit": "s"}
    for name, took in best.items():
        slower = [ratio(took[e.name], took[NATIVE.name]) for e in ours]
        faster = [ratio(took[QEMU.name], took[e.name]) for e in ours]
        rows.append([name, *(number(took[e.name] * scale, digits) for e in engines)])
        rows[-1] += [*map(number, slower), *map(number, faster)]
        data["programs"][name] = {"seconds": took, "over_native": slower, "under_qemu": faster}
    kept = list(data["programs"].values())
    data["over_native"] = [geomean(r["over_native"][i] for r in kept) for i in range(len(ours))]
    data["under_qemu"] = [geomean(r["under_qemu"][i] for r in kept) for i in range(len(ours))]
    means = [*map(number, data["over_native"]), *map(number, data["under_qemu"])]
    rows.append(["**geometric mean**", *[""] * len(engines), *means])
    what = "user and system time" if options.short else "user time"
    text = (
        f"{'Short' if options.short else 'Benchmark'} runs, {what}, the best of {options.runs}, "
        f"engines taking turns. Lower is better for “/ native”, higher for “qemu /”.\n\n"
    )
    text += table(head, rows)
    if len(ours) > 1:
        against = {
            e.name: geomean(best[name][e.name] / best[name][ours[0].name] for name in best)
            for e in ours[1:]
        }
        data["over_first"] = against
        text += "".join(
            f"\n{name} takes {value:.3f} times as long as {ours[0].name}.\n"
            for name, value in against.items()
        )
    return text, data


def short_total(runner, options):
    """All short runs together: what start-up and translation cost."""
    engines = [NATIVE, QEMU, *variants(options)]
    chosen = programs(True, options.only)
    best = best_times(runner, chosen, engines, max(options.runs, 5), lambda sample: sample.cpu)
    totals = {e.name: sum(took[e.name] for took in best.values()) for e in engines}
    native = totals[NATIVE.name]
    rows = [[name, number(t * 1e3, 1), number(t / native)] for name, t in totals.items()]
    text = (
        f"{len(chosen)} short runs (2 to 9 million guest instructions each; nqueens takes 52, lua 120) as whole "
        f"processes: the sum of the best user and system times.\n\n"
    )
    return text + table(["engine", "total ms", "/ native"], rows), totals


def hello(runner, options):
    """Hello world as a whole process."""
    elf = str(guest_c("hello"))
    binary = options.rvjit[0]
    commands = {
        "native, static": [str(native_c("hello", "-static"))],
        "qemu": ["qemu-riscv32", elf],
        "rvjit interpreter": [*rvjit(binary, engine="interp"), elf],
    }
    for engine in variants(options):
        commands[engine.name] = [*engine.prefix, elf]
    runs = 20 if options.quick else 60
    samples = {name: [] for name in commands}
    for _ in range(5):
        for name, command in commands.items():
            got, out = runner.run(command, runs=runs)
            if out != b"hello, world\n" * runs:
                runner.wrong.append((name, "hello"))
                say(f"hello on {name}: wrong output")
            samples[name] += got
    rows, data = [], {}
    for name, got in samples.items():
        walls = [sample.wall * 1e3 for sample in got]
        peak = max(sample.peak_kib for sample in got) / 1024
        data[name] = {"best_ms": min(walls), "median_ms": statistics.median(walls), "peak_mib": peak}
        rows.append([name, number(min(walls)), number(statistics.median(walls)), number(peak, 1)])
    for row, name in zip(rows, data):
        row.insert(3, number(data["qemu"]["median_ms"] / data[name]["median_ms"]))
    text = f"A newlib `puts`, whole process, wall time of {5 * runs} runs, peak memory of the host process.\n\n"
    head = ["engine", "best ms", "median ms", "qemu / this", "peak MiB"]
    return text + table(head, rows), data


def count(runner, program_file, args, stdin):
    """Instructions executed under QEMU: (by map, stdout, status)."""
    counts = runner.path("counts")
    command = [str(ROOT / "scripts/insn-count.sh"), "-o", str(counts), "--maps", program_file, *args]
    samples, out = runner.run(command, stdin=stdin)
    found = {}
    for line in counts.read_text().splitlines() if counts.exists() else []:
        kind, *name, value = line.split(" ")
        found[" ".join(name) if kind == "map" else kind] = int(value)
    return found, out, samples[0].status


def guest_count(runner, program):
    """Guest instructions of a program; counted once for each ELF file and its arguments."""
    cache = WORK / "guest-counts.json"
    known = json.loads(cache.read_text()) if cache.exists() else {}
    with open(program.elf, "rb") as file:
        key = hashlib.sha256(file.read() + repr(program.args).encode()).hexdigest()
    if key not in known:
        found, out, status = count(runner, program.elf, program.args, program.stdin)
        runner.check("counting qemu", program, status, out)
        known[key] = found["total"]
        cache.write_text(json.dumps(known))
    return known[key]


def native_arm64_count(runner, program):
    if not program.native_arm64.exists():
        return None
    return count(runner, str(program.native_arm64), program.args, program.stdin)[0].get("total")


def expansion(runner, options):
    """ARM64 instructions for each guest instruction, counted, so the same on any machine."""
    rows, data = [], {"programs": {}}
    placement = options.placement[0]
    for program in programs(True, options.only):
        guest = guest_count(runner, program)
        command = rvjit(options.arm64, placement)
        args = [*command[1:], program.elf, *program.args]
        found, out, status = count(runner, command[0], args, program.stdin)
        runner.check("arm64 jit", program, status, out)
        emitted, total = found.get("[anonymous]"), found.get("total")
        native = native_arm64_count(runner, program)
        figures = {"emitted": ratio(emitted, guest), "total": ratio(total, guest)}
        figures["native"] = ratio(native, guest)
        data["programs"][program.name] = {"guest": guest, **figures}
        rows.append([program.name, f"{guest:,}", *(number(f, 3) for f in figures.values())])
        say(" ".join(rows[-1]))
    for key in ("emitted", "total", "native"):
        data[key] = geomean(program[key] for program in data["programs"].values())
    means = [number(data[key], 3) for key in ("emitted", "total", "native")]
    rows.append(["**geometric mean**", "", *means])
    text = (
        "ARM64 instructions executed for each guest instruction executed, counted by a QEMU plugin under "
        f"qemu-aarch64, short runs, placement {placement}. *Emitted* is code made at run time: the translation of "
        "the guest with the stubs around it. *Total* adds all of rvjit itself: loading, translating, system calls. "
        "*Native* is the same C built by `gcc -O2` for ARM64 (static glibc), against the guest's count; where it "
        "is missing, there is no such build.\n\n"
    )
    return text + table(["program", "guest", "emitted", "total", "native"], rows), data


def machine():
    """One line about where this ran."""
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break

    def first_line(*command):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return (done.stdout.splitlines() or ["?"])[0]

    versions = [["uname", "-sr"], ["gcc", "--version"], ["qemu-riscv32", "--version"]]
    return ", ".join([model, *(first_line(*command) for command in versions)])
