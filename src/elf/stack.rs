//! The initial stack: what crt0 finds at sp.
//!
//! Upwards from sp, which is a multiple of 16: argc, argv, NULL, envp, NULL, pairs of auxiliary values ending with
//! AT_NULL; then the strings (RISC-V ELF psABI, "Process Initialization"; newlib's crt0 reads argc and argv only).

use super::{Layout, LoadError};
use crate::memory::{Memory, PAGE_SIZE};

const AT_NULL: u32 = 0;
const AT_PAGESZ: u32 = 6;
const AT_ENTRY: u32 = 9;

/// Writes arguments and environment to the upper end of the stack and returns the stack pointer.
///
/// # Errors
/// When they are more than a quarter of the stack, or hold NUL bytes.
pub fn initial_stack(
    memory: &mut Memory,
    layout: &Layout,
    entry: u32,
    args: &[Vec<u8>],
    env: &[Vec<u8>],
) -> Result<u32, LoadError> {
    let strings = || args.iter().chain(env);
    if let Some(number) = strings().position(|s| s.contains(&0)) {
        return Err(LoadError::NulInArgument(number));
    }
    let strings_len: usize = strings().map(|s| s.len() + 1).sum();
    let words_len = (1 + args.len() + 1 + env.len() + 1 + 6) * 4;
    let total = (strings_len + words_len).next_multiple_of(16);
    let most = (layout.stack.end - layout.stack.start) / 4;
    let size = match u32::try_from(total) {
        Ok(size) if size <= most => size,
        _ => return Err(LoadError::TooManyArguments(total)),
    };
    let sp = layout.stack.end - size;
    let mut words = Vec::with_capacity(words_len);
    let mut text = Vec::with_capacity(strings_len);
    // In range: all of it is smaller than the stack.
    let word = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    words.push(word(args.len()));
    for list in [args, env] {
        for string in list {
            words.push(sp + word(words_len + text.len()));
            text.extend_from_slice(string);
            text.push(0);
        }
        words.push(0);
    }
    words.extend([AT_PAGESZ, PAGE_SIZE, AT_ENTRY, entry, AT_NULL, 0]);
    let mut bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    bytes.extend_from_slice(&text);
    memory.poke(sp, &bytes).map_err(LoadError::TooBig)?;
    Ok(sp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryConfig, Permissions};

    fn stack(len: u32) -> (Memory, Layout) {
        let mut memory = Memory::new(MemoryConfig::default()).unwrap();
        memory.map(0x20000, len.into(), Permissions::RW).unwrap();
        let stack = 0x20000..0x20000 + len;
        (memory, Layout { stack, heap: 0..0 })
    }

    #[test]
    fn crt0_finds_arguments_environment_and_auxiliary_values() {
        let (mut memory, layout) = stack(0x4000);
        let args = [b"prog".to_vec(), Vec::new(), b"x y".to_vec()];
        let sp = initial_stack(&mut memory, &layout, 0x1_0000, &args, &[b"A=1".to_vec()]).unwrap();
        assert_eq!(sp % 16, 0);
        let mut at = |n: u32| memory.load::<u32>(sp + 4 * n).unwrap();
        assert_eq!((at(0), at(4), at(6)), (3, 0, 0));
        let pointers = [at(1), at(2), at(3), at(5)];
        assert_eq!(
            (7..13).map(&mut at).collect::<Vec<_>>(),
            [6, 4096, 9, 0x1_0000, 0, 0]
        );
        let texts = pointers.map(|p| memory.read_c_string(p, 100).unwrap());
        assert_eq!(texts, [&b"prog"[..], b"", b"x y", b"A=1"]);
    }

    #[test]
    fn too_long_arguments_are_an_error() {
        let (mut memory, layout) = stack(0x4000);
        let fits = initial_stack(&mut memory, &layout, 0, &[vec![b'x'; 4000]], &[]);
        assert!(fits.is_ok());
        let error = initial_stack(&mut memory, &layout, 0, &[vec![b'x'; 5000]], &[]);
        assert!(matches!(error, Err(LoadError::TooManyArguments(_))));
        let error = initial_stack(&mut memory, &layout, 0, &[vec![1], vec![0]], &[]);
        assert!(matches!(error, Err(LoadError::NulInArgument(1))));
    }
}
