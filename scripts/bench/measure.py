"""Running programs and taking their times; tables of the results."""

import math
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from programs import native_c, say


@dataclass
class Sample:
    """One run: seconds, and KiB of peak memory."""

    wall: float
    user: float
    system: float
    peak_kib: int
    status: int

    @property
    def cpu(self):
        return self.user + self.system


class Runner:
    """Runs commands in an empty folder and remembers which of them went wrong."""

    def __init__(self):
        self.spawn = str(native_c("spawn", "-static", "-Wall", "-Wextra"))
        self.folder = tempfile.TemporaryDirectory(prefix="rvjit-bench-")
        self.wrong = []

    def path(self, name):
        return Path(self.folder.name) / name

    def run(self, command, runs=1, stdin="/dev/null", stdout=None):
        """Samples, and what the runs wrote to stdout, or nothing where that went to a file of the caller's."""
        cwd = self.path("cwd")
        cwd.mkdir(exist_ok=True)
        times, out, err = self.path("times"), self.path("out"), self.path("err")
        with open(stdin, "rb") as given, open(stdout or out, "wb") as to, open(err, "wb") as error:
            subprocess.run(
                [self.spawn, str(runs), str(times), *command],
                cwd=cwd, stdin=given, stdout=to, stderr=error, check=True,
            )  # fmt: skip
        samples = []
        for line in times.read_text().splitlines():
            wall, user, system, peak, status = map(int, line.split())
            status = status >> 8 & 0xFF if status & 0x7F == 0 else 128 + (status & 0x7F)
            samples.append(Sample(wall / 1e9, user / 1e6, system / 1e6, peak, status))
        return samples, b"" if stdout else out.read_bytes()

    def program(self, engine, program):
        """One run of a program of the manifest; a wrong result is reported."""
        samples, out = self.run(engine.command(program), stdin=program.stdin)
        self.check(engine.name, program, samples[0].status, out)
        return samples[0]

    def check(self, where, program, status, out):
        what = None
        if status != program.status:
            what = f"exit status {status}, not {program.status}"
        elif out != program.expected:
            what = "wrong output"
        if what and (where, program.name) not in self.wrong:
            self.wrong.append((where, program.name))
            say(f"{program.name} on {where}: {what}")
            say(self.path("err").read_text(errors="replace")[-500:])


def geomean(values):
    values = [value for value in values if value and value > 0]
    if not values:
        return None
    return math.exp(sum(map(math.log, values)) / len(values))


def ratio(a, b):
    return a / b if a and b else None


def table(head, rows):
    """A Markdown table that can be read as it is: the first column left, the others right."""
    cells = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = []
    for row in cells:
        padded = [row[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("| " + " | ".join(padded) + " |")
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines.insert(1, "| " + " | ".join(rule) + " |")
    return "\n".join(lines) + "\n"


def number(value, digits=2):
    return "–" if value is None else f"{value:.{digits}f}"
