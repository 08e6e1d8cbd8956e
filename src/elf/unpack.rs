//! Compressed debug sections: `SHF_COMPRESSED` with zlib or zstd (gABI, "Section Compression"), and the older
//! `.zdebug_` names of GNU with zlib.
//!
//! They are unpacked once, when the first of them is asked for. What they become is limited for all of them together,
//! whatever sizes the file claims: a small file cannot ask for much memory. What cannot be unpacked is left out, and
//! said with its reason.

use std::io::{self, Read};

/// `sh_flags` of a section whose bytes are a compression header and a stream.
pub(super) const SHF_COMPRESSED: u64 = 0x800;
/// `ch_type` of the compression header.
const ELFCOMPRESS_ZLIB: u32 = 1;
const ELFCOMPRESS_ZSTD: u32 = 2;
/// Bytes of `Elf32_Chdr`: type, size, alignment.
const HEADER_SIZE: usize = 12;
/// What an older section starts with: `ZLIB`, then the size as 8 bytes, the highest first.
const GNU_HEADER_SIZE: usize = 12;
/// Bytes that all sections of a file may become.
const MOST_BYTES: u64 = 256 << 20;
/// What anybody reads, without `.debug_`. A list, as the number of sections in a file has no useful limit.
const NAMES: [&str; 15] = [
    "abbrev",
    "addr",
    "aranges",
    "frame",
    "info",
    "line",
    "line_str",
    "loc",
    "loclists",
    "ranges",
    "rnglists",
    "str",
    "str_offsets",
    "types",
    "cu_index",
];

/// How a section is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// `SHF_COMPRESSED`.
    Flag,
    /// `.zdebug_`.
    Gnu,
}

/// The sections that were compressed.
#[derive(Debug, Default)]
pub(super) struct Unpacked {
    sections: Vec<(String, Vec<u8>)>,
    /// Those that could not be unpacked: name and reason.
    pub(super) left_out: Vec<String>,
}

impl Unpacked {
    /// Unpacks what `find` gives for a name behind `.debug_`.
    pub(super) fn new<'a>(find: impl Fn(&str) -> Option<(&'a [u8], Packing)>) -> Unpacked {
        Unpacked::limited(find, MOST_BYTES)
    }

    fn limited<'a>(find: impl Fn(&str) -> Option<(&'a [u8], Packing)>, mut room: u64) -> Unpacked {
        let mut unpacked = Unpacked::default();
        for short in NAMES {
            let Some((bytes, packing)) = find(short) else {
                continue;
            };
            let name = format!(".debug_{short}");
            match unpack(bytes, packing, room) {
                Ok(bytes) => {
                    room -= bytes.len() as u64;
                    unpacked.sections.push((name, bytes));
                }
                Err(error) => unpacked.left_out.push(format!("{name}: {error}")),
            }
        }
        unpacked
    }

    /// The bytes of a section, by its name with `.debug_`.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        let found = self.sections.iter().find(|section| section.0 == name)?;
        Some(&found.1)
    }
}

fn unpack(bytes: &[u8], packing: Packing, room: u64) -> io::Result<Vec<u8>> {
    let damaged = || io::Error::other("damaged");
    match packing {
        Packing::Gnu => {
            let (header, stream) = bytes
                .split_at_checked(GNU_HEADER_SIZE)
                .ok_or_else(damaged)?;
            let size = header.strip_prefix(b"ZLIB").ok_or_else(damaged)?;
            let size = size.iter().fold(0, |size, &b| size << 8 | u64::from(b));
            read(flate2::read::ZlibDecoder::new(stream), size, room)
        }
        Packing::Flag => {
            let (header, stream) = bytes.split_at_checked(HEADER_SIZE).ok_or_else(damaged)?;
            let word = |at: usize| {
                let word = header[at..at + 4].iter().rev();
                word.fold(0u32, |word, &b| word << 8 | u32::from(b))
            };
            let size = word(4).into();
            match word(0) {
                ELFCOMPRESS_ZLIB => read(flate2::read::ZlibDecoder::new(stream), size, room),
                ELFCOMPRESS_ZSTD => {
                    let decoder = ruzstd::decoding::StreamingDecoder::new(stream);
                    read(decoder.map_err(|_| damaged())?, size, room)
                }
                other => Err(io::Error::other(format!(
                    "compressed in a way that is not known ({other})"
                ))),
            }
        }
    }
}

/// All that a stream gives, which must be `size` bytes and at most `room`. Memory grows with what is really there.
fn read(stream: impl Read, size: u64, room: u64) -> io::Result<Vec<u8>> {
    if size > room {
        return Err(io::Error::other(format!(
            "more than {} MiB of debug information",
            MOST_BYTES >> 20
        )));
    }
    let mut bytes = Vec::new();
    let damaged = |_| io::Error::other("damaged");
    // One byte more than wanted shows a stream that goes on.
    stream
        .take(size + 1)
        .read_to_end(&mut bytes)
        .map_err(damaged)?;
    if bytes.len() as u64 != size {
        return Err(io::Error::other("damaged: not the size that it claims"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(9));
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn flagged(kind: u32, size: u32, stream: &[u8]) -> Vec<u8> {
        let header = [kind, size, 1].map(u32::to_le_bytes).concat();
        [&header, stream].concat()
    }

    fn gnu(size: u64, stream: &[u8]) -> Vec<u8> {
        [b"ZLIB", &size.to_be_bytes()[..], stream].concat()
    }

    #[test]
    fn each_way_to_compress_and_to_be_damaged() {
        let text: Vec<u8> = b"lines and names ".repeat(100);
        let size = 1600;
        let (z, s) = (zlib(&text), zstd(&text));
        // What is said; nothing where it is read.
        let rows: [(Packing, Vec<u8>, u64, &str); 15] = [
            (Packing::Flag, flagged(1, size, &z), 1600, ""),
            (Packing::Flag, flagged(2, size, &s), 1600, ""),
            (Packing::Gnu, gnu(1600, &z), 1600, ""),
            (Packing::Flag, flagged(1, size, &z), 1599, "more than"),
            (Packing::Flag, flagged(2, size, &s), 1599, "more than"),
            (Packing::Gnu, gnu(u64::MAX, &z), 1600, "more than"),
            (Packing::Flag, flagged(1, size - 1, &z), 9999, "size"),
            (Packing::Flag, flagged(2, size - 1, &s), 9999, "size"),
            (Packing::Flag, flagged(1, size + 1, &z), 9999, "size"),
            (Packing::Flag, flagged(3, size, &z), 9999, "not known"),
            (Packing::Flag, flagged(1, size, &s), 9999, "damaged"),
            (Packing::Flag, flagged(2, size, &z), 9999, "damaged"),
            (Packing::Flag, flagged(1, size, &z[..20]), 9999, "damaged"),
            (Packing::Flag, vec![1, 0, 0], 9999, "damaged"),
            (Packing::Gnu, b"ZLIX56789012".to_vec(), 9999, "damaged"),
        ];
        for (number, (packing, bytes, room, expected)) in rows.into_iter().enumerate() {
            match (unpack(&bytes, packing, room), expected) {
                (Ok(bytes), "") => assert_eq!(bytes, text, "row {number}"),
                (Err(error), says) if !says.is_empty() => {
                    assert!(error.to_string().contains(says), "row {number}: {error}");
                }
                (got, _) => panic!("row {number}: {got:?}"),
            }
        }
    }

    #[test]
    fn the_limit_is_for_all_sections_together() {
        let bytes = flagged(1, 1600, &zlib(&[7; 1600]));
        let find = |name: &str| {
            let there = ["info", "line", "str"].contains(&name);
            there.then_some((&bytes[..], Packing::Flag))
        };
        let unpacked = Unpacked::limited(find, 4000);
        assert_eq!(unpacked.get(".debug_line").map(<[u8]>::len), Some(1600));
        assert!(unpacked.get(".debug_str").is_none());
        assert_eq!(unpacked.left_out.len(), 1);
        assert!(unpacked.left_out[0].starts_with(".debug_str: more than"));
    }
}
