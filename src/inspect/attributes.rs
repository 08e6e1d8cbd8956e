//! The section `.riscv.attributes`: the instruction set that a compiler says it used (RISC-V ELF psABI, "Attributes").

/// Tag of the whole file's attributes.
const TAG_FILE: u64 = 1;
/// Tag of the architecture string.
const TAG_ARCH: u64 = 5;
/// Bytes of an architecture string at most: three times what one is that names every extension there is.
const LONGEST_ARCH: usize = 4096;

/// The architecture string of a section's bytes, for example `rv32i2p1_m2p0`; `None` where there is none.
#[must_use]
pub fn arch(section: &[u8]) -> Option<String> {
    let mut rest = section.strip_prefix(b"A")?;
    while !rest.is_empty() {
        let (vendor, next) = subsection(rest, 0)?;
        rest = next;
        let Some(mut vendor) = vendor.strip_prefix(b"riscv\0") else {
            continue;
        };
        while !vendor.is_empty() {
            let (tag, len) = uleb(vendor)?;
            let (body, next) = subsection(vendor.get(len..)?, len)?;
            vendor = next;
            if tag == TAG_FILE
                && let Some(arch) = file_arch(body)
            {
                return Some(arch);
            }
        }
    }
    None
}

/// Splits off what a 32-bit length at the beginning covers; the length counts itself and `before` bytes ahead of it.
fn subsection(bytes: &[u8], before: usize) -> Option<(&[u8], &[u8])> {
    let (len, _) = bytes.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
    let len = len.checked_sub(before).filter(|len| *len >= 4)?;
    Some((bytes.get(4..len)?, bytes.get(len..)?))
}

fn file_arch(mut body: &[u8]) -> Option<String> {
    while !body.is_empty() {
        let (tag, len) = uleb(body)?;
        body = body.get(len..)?;
        // Odd tags have strings, even ones numbers.
        if tag % 2 == 1 {
            let end = body.iter().position(|&b| b == 0)?;
            if tag == TAG_ARCH {
                if end > LONGEST_ARCH {
                    return None;
                }
                return String::from_utf8(body.get(..end)?.to_vec()).ok();
            }
            body = body.get(end + 1..)?;
        } else {
            let (_, len) = uleb(body)?;
            body = body.get(len..)?;
        }
    }
    None
}

/// An unsigned LEB128 number and its length.
fn uleb(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (n, byte) in (0u32..9).zip(bytes) {
        value |= u64::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return Some((value, n as usize + 1));
        }
    }
    None
}

/// The extensions that an architecture string names, without versions: `rv32i2p1_m2p0_zicsr2p0` is `i`, `m`, `zicsr`.
#[must_use]
pub fn extensions(arch: &str) -> Vec<String> {
    let arch = arch.to_ascii_lowercase();
    let body = arch
        .strip_prefix("rv32")
        .or_else(|| arch.strip_prefix("rv64"))
        .unwrap_or(&arch);
    let mut found = Vec::new();
    for part in body.split('_') {
        let mut rest = part;
        while let Some(first) = rest.chars().next() {
            // Names of more than one letter begin with these; one stands in a part of its own or at its end.
            if matches!(first, 'z' | 's' | 'x') {
                found.push(without_version(rest).to_owned());
                break;
            }
            if first.is_ascii_alphabetic() {
                found.push(first.to_string());
            }
            rest = skip_version(&rest[first.len_utf8()..]);
        }
    }
    found
}

/// `zmmul1p0` is `zmmul`; `zve32x` stays, its digits are of the name.
fn without_version(name: &str) -> &str {
    let digits = |text: &str| text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let minor = digits(name);
    if minor < name.len()
        && let Some(major) = name[..minor].strip_suffix('p')
        && digits(major) < major.len()
    {
        return &name[..digits(major)];
    }
    name
}

fn skip_version(text: &str) -> &str {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    match rest.strip_prefix('p') {
        Some(minor)
            if rest.len() < text.len() && minor.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            minor.trim_start_matches(|c: char| c.is_ascii_digit())
        }
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_of_architecture_strings() {
        let rows: [(&str, &[&str]); 7] = [
            ("rv32i2p1_m2p0_zmmul1p0", &["i", "m", "zmmul"]),
            ("rv32imac", &["i", "m", "a", "c"]),
            ("rv32im_zicsr_zifencei", &["i", "m", "zicsr", "zifencei"]),
            ("RV32I2P1", &["i"]),
            ("rv32e1p9", &["e"]),
            ("rv32i_zve32x1p0_xventana", &["i", "zve32x", "xventana"]),
            ("", &[]),
        ];
        for (arch, expected) in rows {
            assert_eq!(extensions(arch), expected, "{arch}");
        }
    }

    /// A section with a stack alignment and an architecture.
    fn section(arch: &str) -> Vec<u8> {
        let mut attributes = vec![4, 16, 5];
        attributes.extend(arch.bytes());
        attributes.push(0);
        let with_len = |mut head: Vec<u8>, body: &[u8]| {
            let len = u32::try_from(head.len() + 4 + body.len()).unwrap();
            head.extend(len.to_le_bytes());
            head.extend(body);
            head
        };
        let file = with_len(vec![1], &attributes);
        let mut vendor = b"riscv\0".to_vec();
        vendor.extend(file);
        let mut all = b"A".to_vec();
        all.extend(with_len(Vec::new(), &vendor));
        all
    }

    #[test]
    fn the_architecture_is_found() {
        let good = section("rv32i2p1_m2p0");
        assert_eq!(arch(&good).as_deref(), Some("rv32i2p1_m2p0"));
        assert_eq!(arch(&section(&"i".repeat(LONGEST_ARCH + 1))), None);
    }

    #[test]
    fn damage_is_no_panic() {
        let good = section("rv32i2p1_m2p0");
        for len in 0..good.len() {
            assert_eq!(arch(&good[..len]), None, "{len}");
        }
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                let _ = arch(&bad);
            }
        }
    }
}
