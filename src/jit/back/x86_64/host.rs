//! What the host at hand can do, and what it does badly.

/// Instructions beyond the baseline.
#[derive(Debug, Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a bit of cpuid's, and independent of the others"
)]
pub(super) struct Features {
    /// andn and tzcnt.
    pub(super) bmi1: bool,
    /// shlx, shrx, sarx, rorx and mulx.
    pub(super) bmi2: bool,
    /// lzcnt.
    pub(super) lzcnt: bool,
    /// popcnt.
    pub(super) popcnt: bool,
}

/// What the host has.
#[cfg(target_arch = "x86_64")]
pub(super) fn features() -> Features {
    use std::arch::is_x86_feature_detected as has;
    Features {
        bmi1: has!("bmi1"),
        bmi2: has!("bmi2"),
        lzcnt: has!("lzcnt"),
        popcnt: has!("popcnt"),
    }
}

/// Whether jumps that cross the end of a line of 32 bytes, or end there, are slow: erratum SKX102 of the processors from
/// Skylake to Comet Lake, after the correction of their microcode ("Mitigations for Jump Conditional Code Erratum", Intel
/// 2019, table 1). They then are not executed from the cache of decoded instructions.
#[cfg(target_arch = "x86_64")]
pub(super) fn wants_jumps_in_lines() -> bool {
    use std::arch::x86_64::__cpuid;

    let vendor = __cpuid(0);
    let intel = [vendor.ebx, vendor.edx, vendor.ecx]
        == [*b"Genu", *b"ineI", *b"ntel"].map(u32::from_le_bytes);
    is_affected(intel, __cpuid(1).eax)
}

/// By the signature in eax of cpuid leaf 1: stepping in bits 0–3, model in 4–7 and 16–19, family in 8–11 and 20–27.
#[cfg(any(target_arch = "x86_64", test))]
fn is_affected(intel: bool, signature: u32) -> bool {
    let family = (signature >> 8 & 0xf) + (signature >> 20 & 0xff);
    let model = signature >> 4 & 0xf | signature >> 12 & 0xf0;
    let stepping = signature & 0xf;
    let affected = match model {
        // Skylake client; Skylake and Cascade Lake servers, but not Cooper Lake.
        0x4e | 0x5e => true,
        0x55 => stepping <= 7,
        // Kaby, Coffee, Whiskey, Amber and Comet Lake.
        0x8e => stepping <= 0xc,
        0x9e => stepping <= 0xd,
        0xa5 | 0xa6 => true,
        _ => false,
    };
    intel && family == 6 && affected
}

/// As on any recent host: for readers of listings.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn features() -> Features {
    Features {
        bmi1: true,
        bmi2: true,
        lzcnt: true,
        popcnt: true,
    }
}

/// As on any recent host: for readers of listings.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn wants_jumps_in_lines() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::is_affected;

    #[test]
    fn affected_processors_are_known_by_their_signature() {
        // Skylake client, Cascade Lake, Coffee Lake; Haswell, Ice Lake, Cooper Lake.
        for signature in [0x0005_06e3, 0x0005_0657, 0x0009_06ea] {
            assert!(is_affected(true, signature), "{signature:#x}");
            assert!(!is_affected(false, signature), "{signature:#x}");
        }
        for signature in [0x0003_06c3, 0x0006_06a6, 0x0005_065b] {
            assert!(!is_affected(true, signature), "{signature:#x}");
        }
    }
}
