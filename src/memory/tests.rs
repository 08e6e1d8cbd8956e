//! What only shows in how the host is asked for pages.

use super::*;

fn memory(placement: Placement, limit_pages: u32) -> Memory {
    Memory::new(MemoryConfig {
        placement,
        limit_pages,
        strict_align: false,
    })
    .unwrap()
}

/// What the host says of the mapping that this address is in; `None` where it does not say.
fn host_flags(address: usize) -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/smaps").ok()?;
    let mut lines = maps.lines().skip_while(|line| {
        let range = line
            .split(' ')
            .next()
            .and_then(|range| range.split_once('-'));
        let ends = range.map(|(start, end)| {
            let number = |text| usize::from_str_radix(text, 16).unwrap_or(0);
            number(start)..number(end)
        });
        !ends.is_some_and(|ends| ends.contains(&address))
    });
    lines.find_map(|line| line.strip_prefix("VmFlags:").map(str::to_owned))
}

#[test]
fn no_huge_page_makes_untouched_pages_count() {
    // An emulator shows mappings of its own.
    let told = cfg!(all(target_os = "linux", target_arch = "x86_64"))
        && std::fs::exists("/sys/kernel/mm/transparent_hugepage").unwrap_or(false);
    if told {
        let memory = memory(Placement::Window, 64);
        let flags = host_flags(memory.table().base() + 0x1_0000).unwrap();
        assert!(flags.split(' ').any(|flag| flag == "nh"), "{flags}");
    }
}
