//! What a program asked for in vain, as lines: a run that did less than it should does not do so in silence.

use crate::machine::{Exit, Machine};
use crate::memory::PAGE_SIZE;
use crate::syscall::notes::{Missing, linux_name};

/// The most calls that are named in a line.
const MOST_NAMED: usize = 8;

/// A line for each kind of thing that was asked for in vain, without the program's name.
///
/// A heap that is refused is told of only where the program did not end itself well: many ask for more than there can be
/// and make do with less.
#[must_use]
pub fn notes(exit: Exit, machine: &Machine) -> Vec<String> {
    let syscalls = machine.syscalls();
    let mut lines = Vec::new();
    if !syscalls.notes().missing().is_empty() {
        lines.push(missing(syscalls.notes().missing()));
    }
    if let Some(path) = syscalls.notes().ungranted() {
        lines.push(format!(
            "it could not open '{}': no directory is granted; --dir DIR grants one",
            path.escape_ascii()
        ));
    }
    if let Some(refused) = syscalls.refused_break().filter(|_| exit != Exit::Status(0)) {
        let to = refused.to;
        lines.push(match refused.limit {
            Some(limit) => format!(
                "its heap was refused up to {to:#010x}: the stack or a segment is at {limit:#010x}"
            ),
            None => {
                let size = u64::from(machine.memory().limit_pages()) * u64::from(PAGE_SIZE) / 1024;
                format!(
                    "its heap was refused up to {to:#010x}: all memory is {size} KiB (--memory)"
                )
            }
        });
    }
    lines
}

fn missing(calls: &[Missing]) -> String {
    let one = |call: &Missing| match *call {
        Missing::System(number) => match linux_name(number) {
            Some(name) => format!("{name} ({number})"),
            None => format!("system call {number}"),
        },
        Missing::Semihosting(number) => format!("semihosting operation {number:#x}"),
    };
    let mut named: Vec<String> = calls.iter().take(MOST_NAMED).map(one).collect();
    if calls.len() > MOST_NAMED {
        named.push("and others".to_owned());
    }
    let of_linux = |call: &Missing| matches!(call, Missing::System(n) if linux_name(*n).is_some());
    let whose = match (calls.iter().any(of_linux), calls.iter().all(of_linux)) {
        (_, true) => "; Linux programs make them: build it for newlib (riscv64-unknown-elf-gcc)",
        (true, false) => {
            "; Linux programs make some of them: build it for newlib (riscv64-unknown-elf-gcc)"
        }
        (false, false) => "; neither newlib nor Linux has them",
    };
    format!(
        "it made calls that are not there and fail: {}{whose}",
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_named_with_whose_they_are() {
        let rows = [
            (
                vec![Missing::System(66)],
                "writev (66); Linux programs make them",
            ),
            (
                vec![Missing::System(4000), Missing::Semihosting(0x99)],
                "system call 4000, semihosting operation 0x99; neither",
            ),
            (
                vec![Missing::System(222), Missing::System(4000)],
                "mmap2 (222), system call 4000; Linux programs make some",
            ),
            (
                (1000..1020).map(Missing::System).collect(),
                "system call 1007, and others; neither",
            ),
        ];
        for (calls, expected) in rows {
            let line = missing(&calls);
            assert!(line.contains(expected), "{line}");
        }
    }
}
