//! Prints guest instructions as text: hexadecimal words on stdin, `word<TAB>text` on stdout, the n-th word as if at
//! address 4 n; with four digits it is an instruction of 16 bits, as if at address 0. `scripts/check-encodings.sh`
//! compares this with objdump. With `--march` it prints the ISA string of what is implemented.

use rvjit::rv32::table::march;
use rvjit::rv32::{Fetched, Isa, disassemble_word};
use std::io::{self, BufWriter, Write};

fn main() -> io::Result<()> {
    if std::env::args().any(|arg| arg == "--march") {
        return writeln!(io::stdout(), "{}", march());
    }
    let input = io::read_to_string(io::stdin())?;
    let mut output = BufWriter::new(io::stdout().lock());
    for (pc, word) in (0..).step_by(4).zip(input.split_whitespace()) {
        if let (4, Ok(half)) = (word.len(), u16::from_str_radix(word, 16)) {
            let isa = Isa { compressed: true };
            let fetched = Fetched::at::<()>(isa, 0, |_| Ok(half));
            let text = fetched.map_or_else(|()| String::new(), |fetched| fetched.text());
            writeln!(output, "{half:04x}\t{text}")?;
            continue;
        }
        let word = u32::from_str_radix(word, 16).map_err(io::Error::other)?;
        writeln!(output, "{word:08x}\t{}", disassemble_word(word, pc))?;
    }
    output.flush()
}
