//! Prints guest instruction words as text: hexadecimal words on stdin, `word<TAB>text` on stdout, the n-th word as if at
//! address 4 n. `scripts/check-encodings.sh` compares this with objdump.

use rvjit::rv32::disassemble_word;
use std::io::{self, BufWriter, Write};

fn main() -> io::Result<()> {
    let input = io::read_to_string(io::stdin())?;
    let mut output = BufWriter::new(io::stdout().lock());
    for (pc, word) in (0..).step_by(4).zip(input.split_whitespace()) {
        let word = u32::from_str_radix(word, 16).map_err(io::Error::other)?;
        writeln!(output, "{word:08x}\t{}", disassemble_word(word, pc))?;
    }
    output.flush()
}
