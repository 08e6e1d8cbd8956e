"""Measures rvjit against native code and qemu-riscv32: see scripts/bench.sh."""

import argparse
import json
import re
import sys
from pathlib import Path

import modes
import programs
from classes import classes
from growth import growth
from measure import Runner
from syscalls import syscalls

SECTIONS = {
    "times": ("Time", modes.times),
    "expansion": ("ARM64 expansion", modes.expansion),
    "hello": ("Hello world", modes.hello),
    "short_total": ("Short programs", modes.short_total),
    "syscalls": ("System calls", syscalls),
    "growth": ("Growth", growth),
    "classes": ("Where instructions go", classes),
}
MARKS = ("<!-- bench.sh: from here -->", "<!-- bench.sh: to here -->")


def parse():
    parser = argparse.ArgumentParser(
        prog="bench.sh",
        description="Measures rvjit against native code and qemu-riscv32. Without a mode: times.",
    )
    mode = parser.add_argument_group("modes (several may be given)")
    mode.add_argument("--times", action="store_true", help="each program on each engine")
    mode.add_argument("--expansion", action="store_true", help="ARM64 instructions a guest instruction")
    mode.add_argument("--hello", action="store_true", help="hello world as a whole process")
    mode.add_argument("--short-total", action="store_true", help="all short runs together")
    mode.add_argument("--syscalls", action="store_true", help="what a system call costs")
    mode.add_argument("--growth", action="store_true", help="time and memory against work, code, memory")
    mode.add_argument("--classes", action="store_true", help="host instructions by guest class")
    mode.add_argument("--all", action="store_true", help="all of these")
    parser.add_argument("--short", action="store_true", help="times of the short runs")
    parser.add_argument("--quick", action="store_true", help="fewer runs of hello world")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="take the best of N [3]")
    parser.add_argument("--only", metavar="NAMES", help="programs, separated by commas")
    parser.add_argument(
        "--placement", action="append", metavar="P", help="auto, identity, window or paged (repeatable)"
    )
    parser.add_argument(
        "--rvjit", action="append", metavar="BIN", help="this build (repeatable, to compare builds)"
    )
    parser.add_argument("--rvjit-arm64", dest="arm64", metavar="BIN", help="this build for --expansion")
    parser.add_argument(
        "--target", choices=["arm64", "x86-64"], help="the host for --classes, if only one [both]"
    )
    parser.add_argument("--top", type=int, default=15, metavar="N", help="hottest instructions in --classes")
    parser.add_argument("--no-build", action="store_true", help="build no guests and no rvjit")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    parser.add_argument(
        "--markdown", metavar="FILE", help=f"replace what stands between the marks in FILE ({MARKS[0]})"
    )
    options = parser.parse_args()
    options.only = options.only.replace(",", " ").split() if options.only else None
    options.placement = options.placement or ["auto"]
    return options


def main():
    options = parse()
    chosen = [name for name in SECTIONS if options.all or getattr(options, name)] or ["times"]
    counts, timed = "expansion" in chosen, set(chosen) - {"expansion"}
    if not options.no_build:
        programs.build(arm64=counts and not options.arm64, host=bool(timed) and not options.rvjit)
    release = programs.target_dir() / "release/rvjit"
    options.rvjit = [str(Path(path).resolve()) for path in options.rvjit or [release]]
    options.arm64 = options.arm64 or programs.target_dir() / "aarch64-unknown-linux-gnu/release/rvjit"
    options.arm64 = str(Path(options.arm64).resolve())
    programs.WORK.mkdir(parents=True, exist_ok=True)

    runner = Runner()
    machine = modes.machine()
    text, data = [f"Measured on {machine}.\n"], {"machine": machine}
    for name in chosen:
        title, measure = SECTIONS[name]
        section, data[name] = measure(runner, options)
        text.append(f"## {title}\n\n{section}")
    data["wrong"] = [list(pair) for pair in runner.wrong]
    if runner.wrong:
        wrong = ", ".join(f"{name} on {where}" for where, name in runner.wrong)
        text.append(f"**Wrong results: {wrong}.**\n")

    text = "\n".join(text)
    print(text, end="")
    if options.json:
        Path(options.json).write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    if options.markdown:
        file = Path(options.markdown)
        parts = re.split("|".join(map(re.escape, MARKS)), file.read_text())
        if len(parts) != 3:
            programs.die(f"{file}: the marks are missing")
        file.write_text(f"{parts[0]}{MARKS[0]}\n\n{text}\n{MARKS[1]}{parts[2]}")
    return 1 if runner.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
