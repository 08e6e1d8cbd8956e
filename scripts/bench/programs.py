"""The benchmark programs, and how each is run on each engine."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUESTS = ROOT / "target/guests"
WORK = ROOT / "target/bench"


def say(text):
    print(f"bench.sh: {text}", file=sys.stderr, flush=True)


def die(text):
    say(text)
    sys.exit(1)


def newer(output, *inputs):
    return output.exists() and all(
        output.stat().st_mtime > Path(i).stat().st_mtime for i in inputs
    )


def compile_c(output, source, compiler, *flags):
    """Compiles one C file, unless the output is newer."""
    if not newer(output, source):
        output.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([*compiler, "-O2", str(source), *flags, "-o", str(output)], check=True)
    return output


def guest_c(name):
    """One of the C files here, compiled for the guest, with newlib."""
    newlib = GUESTS / "newlib"
    compiler = "riscv64-unknown-elf-gcc -march=rv32im -mabi=ilp32 -static".split()
    paths = ["-isystem", newlib / "include", f"-B{newlib}/lib/", f"-L{newlib}/lib"]
    flags = [*map(str, paths), "-Wl,--no-warn-rwx-segments"]
    return compile_c(WORK / f"{name}.elf", here(f"{name}.c"), compiler, *flags)


def native_c(name, *flags):
    return compile_c(WORK / name, here(f"{name}.c"), ["gcc"], *flags)


def here(name):
    return Path(__file__).with_name(name)


@dataclass
class Program:
    """A row of guests/MANIFEST: a program at one size."""

    name: str
    status: int
    stdin: str
    args: list
    expected: bytes

    @property
    def elf(self):
        return str(GUESTS / "rv32" / f"{self.name}.elf")

    @property
    def native(self):
        return str(GUESTS / "native" / self.name)

    @property
    def native_arm64(self):
        return GUESTS / "aarch64" / self.name


def programs(short, only=None):
    """The programs that have a benchmark size, at that or at the short one."""
    found = []
    for line in (ROOT / "guests/MANIFEST").read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        name, status, stdin, brief, usual = (part.strip() for part in line.split("|"))
        if usual == "-":
            continue
        suffix = ".short.out" if short else ".out"
        found.append(
            Program(
                name,
                int(status),
                str(ROOT / "guests" / stdin) if stdin else os.devnull,
                (brief if short else usual).split(),
                (ROOT / "guests/expected" / (name + suffix)).read_bytes(),
            )
        )
    if only:
        unknown = set(only) - {program.name for program in found}
        if unknown:
            die(f"no such program: {' '.join(sorted(unknown))}")
        found = [program for program in found if program.name in only]
    return found


@dataclass
class Engine:
    """What a program can be run on: `prefix` before the ELF file, or nothing for native code."""

    name: str
    prefix: list = field(default_factory=list)

    def command(self, program):
        if not self.prefix:
            return [program.native, *program.args]
        return [*self.prefix, program.elf, *program.args]


NATIVE = Engine("native")
QEMU = Engine("qemu", ["qemu-riscv32"])


def rvjit(binary, placement="auto", engine="jit"):
    return [str(binary), "run", "--engine", engine, "--placement", placement]


def target_dir():
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def build(guests=True, arm64=False, host=True):
    """Builds rvjit and the guests, silently if nothing is to be done."""
    if host:
        manifest = str(ROOT / "Cargo.toml")
        subprocess.run(
            ["cargo", "build", "--quiet", "--release", "--manifest-path", manifest], check=True
        )
    if arm64:
        subprocess.run([ROOT / "scripts/arm64.sh"], check=True)
    if guests:
        subprocess.run(
            [ROOT / "scripts/build-guests.sh", "bench", "lua", "zlib", "sqlite"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
