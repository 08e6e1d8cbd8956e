"""What a system call costs: single bytes written to /dev/null, on the way through rvjit and without it."""

from measure import number, ratio, table
from modes import variants
from programs import QEMU, guest_c, native_c, rvjit

CALLS = 300_000


def syscalls(runner, options):
    """See the module's description."""
    elf = str(guest_c("write"))
    commands = {
        "native": [str(native_c("write", "-static"))],
        "qemu": [*QEMU.prefix, elf],
        "rvjit interpreter": [*rvjit(options.rvjit[0], engine="interp"), elf],
    }
    for engine in variants(options):
        commands[engine.name] = [*engine.prefix, elf]
    each = {}
    for _ in range(max(options.runs, 5)):
        for name, command in commands.items():
            took = []
            for count in (0, CALLS):
                samples, _ = runner.run([*command, str(count)], stdout="/dev/null")
                if samples[0].status != 0:
                    runner.wrong.append((name, "write"))
                took.append(samples[0].cpu)
            nanoseconds = (took[1] - took[0]) / CALLS * 1e9
            each[name] = min(nanoseconds, each.get(name, nanoseconds))
    rows = [
        [name, number(time, 0), number(time - each["native"], 0), number(ratio(time, each["native"]))]
        for name, time in each.items()
    ]
    text = (
        f"{CALLS:,} one-byte writes to /dev/null: user and system time of a call in nanoseconds, the best of "
        f"{max(options.runs, 5)}.\n\n"
    )
    return text + table(["engine", "ns a call", "beyond native", "/ native"], rows), each
