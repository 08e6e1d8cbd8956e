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

/// As many pages as fit, each of them apart from the others: then all in between, up to the limit.
#[test]
fn pages_that_lie_apart_are_limited_like_others() {
    const START: u32 = 0x1000_0000;
    for placement in [Placement::Window, Placement::Paged] {
        for (limit, mapped) in [(67_000, 67_500), (8_000, 20_000), (10, 100)] {
            if placement == Placement::Paged && limit > PAGED_MOST_PAGES {
                continue;
            }
            let case = format!("{placement:?}, {limit} of {mapped}");
            let mut memory = memory(placement, limit);
            let bytes = u64::from(mapped) * u64::from(PAGE_SIZE);
            memory.map(START, bytes, Permissions::RW).unwrap();
            let address = |page: u32| START + page * PAGE_SIZE + page % PAGE_SIZE;
            let apart = (0..mapped).step_by(2);
            let mut touched = Vec::new();
            for page in apart.chain((1..mapped).step_by(2)) {
                let done = memory.store(address(page), page.to_le_bytes()[0] | 1);
                let Err(fault) = done else {
                    touched.push(page);
                    continue;
                };
                assert_eq!(fault.kind, FaultKind::OutOfPages, "{case}");
                break;
            }
            assert_eq!(touched.len(), limit as usize, "{case}");
            assert_eq!(memory.pages_used(), limit, "{case}");
            assert_eq!(memory.pages_peak(), limit, "{case}");
            for page in touched {
                let byte = memory.load::<u8>(address(page));
                assert_eq!(byte, Ok(page.to_le_bytes()[0] | 1), "{case}");
            }
        }
    }
}

#[test]
fn stores_beside_the_watched_word_leave_nothing_behind() {
    const PAGE: u32 = 0x1_0000;
    for placement in [Placement::Window, Placement::Paged] {
        let mut memory = memory(placement, 4);
        memory.map(PAGE, 0x1000, Permissions::RW).unwrap();
        memory.set_watch(Some(PAGE + 8..PAGE + 12));
        for addr in [PAGE, PAGE + 4, PAGE + 12, PAGE + 0xffc] {
            memory.store(addr, 1_u32).unwrap();
            assert!(!memory.stops_here() && !memory.has_code_writes());
        }
        memory.store(PAGE + 11, 1_u8).unwrap();
        assert!(memory.stops_here() && !memory.has_code_writes());
        // Code on the same page, there before and after.
        memory.protect_code(PAGE / PAGE_SIZE);
        memory.set_watch(None);
        memory.store(PAGE, 1_u32).unwrap();
        let write = CodeWrite { addr: PAGE, len: 4 };
        assert_eq!(memory.take_code_writes(), [write]);
        memory.set_watch(Some(PAGE + 8..PAGE + 12));
        memory.unprotect_code(PAGE / PAGE_SIZE);
        memory.store(PAGE + 8, 1_u32).unwrap();
        assert!(memory.stops_here() && !memory.has_code_writes());
    }
}

/// What waits is seen by whoever reads through here, and is in the page itself once it is settled or flags change.
#[test]
fn stores_to_a_watched_page_wait_and_are_lost_nowhere() {
    const PAGE: u32 = 0x1_0000;
    for placement in [Placement::Window, Placement::Paged] {
        let mut memory = memory(placement, 8);
        memory.map(PAGE, 0x3000, Permissions::RW).unwrap();
        memory.write(PAGE + 0xff0, &[0x11; 32]).unwrap();
        memory.set_watch(Some(PAGE + 8..PAGE + 16));
        let mut expected = [0; 0x2000];
        memory.peek(PAGE, &mut expected).unwrap();
        for (n, settle) in [true, false, false, true, false].into_iter().enumerate() {
            for at in [8, 12, 0, 0xffc, 0xffe, 0x20] {
                let value = u32::try_from(n << 16 | at).unwrap();
                memory
                    .store(PAGE + u32::try_from(at).unwrap(), value)
                    .unwrap();
                expected[at..at + 4].copy_from_slice(&value.to_le_bytes());
                assert_eq!(memory.load(PAGE + u32::try_from(at).unwrap()), Ok(value));
            }
            memory.write(PAGE + 0xf00, &[7; 0x200]).unwrap();
            expected[0xf00..0x1100].fill(7);
            if settle {
                memory.settle();
            }
            let mut seen = [0; 0x2000];
            memory.peek(PAGE, &mut seen).unwrap();
            assert!(seen == expected, "{placement:?} {n}");
        }
        memory.store(PAGE + 8, 5_u32).unwrap();
        memory.unmap(PAGE + 0x2000, 0x1000).unwrap();
        memory.set_watch(None);
        assert_eq!(memory.load::<u32>(PAGE + 8), Ok(5));
        memory.set_watch(Some(PAGE + 8..PAGE + 16));
        memory.store(PAGE + 8, 6_u32).unwrap();
        memory.unmap(PAGE, 0x1000).unwrap();
        memory.map(PAGE, 0x1000, Permissions::RW).unwrap();
        assert_eq!(memory.load::<u32>(PAGE + 8), Ok(0));
    }
}

#[test]
fn stores_to_code_that_nobody_takes_are_bounded() {
    const PAGE: u32 = 0x1_0000;
    let mut memory = memory(Placement::Paged, 4);
    memory.map(PAGE, 0x1000, Permissions::RW).unwrap();
    memory.protect_code(PAGE / PAGE_SIZE);
    for n in 0..100_000_u32 {
        memory.store(PAGE + n * 4 % PAGE_SIZE, n).unwrap();
    }
    let writes = memory.take_code_writes();
    assert!(writes.len() < 10_000, "{}", writes.len());
    for addr in (PAGE..PAGE + PAGE_SIZE).step_by(4) {
        let covers = |write: &CodeWrite| addr.wrapping_sub(write.addr) < write.len;
        assert!(writes.iter().any(covers), "{addr:#x}");
    }
}

#[test]
fn page_0_can_be_memory() {
    for placement in [Placement::Paged, Placement::Window] {
        let mut memory = memory(placement, 64);
        assert_eq!(memory.permissions(0), None);
        memory.map(0, 0x1000, Permissions::RWX).unwrap();
        memory.store(0, 0x1234_5678u32).unwrap();
        assert_eq!(memory.fetch(0), Ok(0x1234_5678));
        // An access that wraps.
        assert!(memory.load::<u32>(0xffff_fffe).is_err());
        memory.unmap(0, 0x1000).unwrap();
        assert_eq!(memory.permissions(0), None);
        assert_eq!(memory.pages_used(), 0);
    }
}
