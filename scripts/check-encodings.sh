#!/usr/bin/env bash
# Checks the golden encodings (tests/golden) against the disassemblers of binutils.
# One function a target.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# compare NAME: golden rows against $work/NAME.txt.
compare() {
    local golden=$ROOT/tests/golden/$1.txt
    if diff -u "$golden" "$work/$1.txt" >"$work/$1.diff"; then
        say "$1: $(wc -l <"$golden") rows agree"
    else
        head -n 40 "$work/$1.diff"
        say "$1: differs from objdump"
        failed=1
    fi
}

a64() {
    local objdump=aarch64-linux-gnu-objdump
    need "$objdump" binutils-aarch64-linux-gnu
    # Row n is at BASE + 4 n (BASE is in src/asm/a64/tests.rs); the words are little-endian.
    # objdump's comments (// ...) go, and blanks become one space.
    local hex
    hex=$(sed -E 's/^(..)(..)(..)(..).*/\\x\4\\x\3\\x\2\\x\1/' "$ROOT/tests/golden/a64.txt" | tr -d '\n')
    # shellcheck disable=SC2059
    printf "$hex" >"$work/a64.bin"
    "$objdump" -D -z -b binary -m aarch64 --adjust-vma=0x80000000 "$work/a64.bin" |
        sed -nE 's/^ *[0-9a-f]+:\t([0-9a-f]{8}) *\t/\1\n/; T
            s|[ \t]*//.*||; s/[ \t]+/ /g; s/ *$//; s/\n/\t/; p' >"$work/a64.txt"
    compare a64
}

x64() {
    local objdump=x86_64-linux-gnu-objdump
    need "$objdump" binutils-x86-64-linux-gnu
    # All rows in one file. objdump prints the address, the bytes and the text; the golden
    # text of a branch is that at address 0, so the address is taken off its target.
    local hex address bytes text
    hex=$(cut -f1 "$ROOT/tests/golden/x64.txt" | tr -d '\n' | sed 's/../\\x&/g')
    # shellcheck disable=SC2059
    printf "$hex" >"$work/x64.bin"
    "$objdump" -D -b binary -m i386:x86-64 -M intel --insn-width=16 "$work/x64.bin" |
        grep -P '^ *[0-9a-f]+:\t' |
        while IFS=$'\t' read -r address bytes text; do
            read -r text <<<"$text"
            if [[ $text =~ ^(j[a-z]+|call)\ +(0x[0-9a-f]+)$ ]]; then
                address=${address//[ :]/}
                printf -v text '%s 0x%x' "${BASH_REMATCH[1]}" $((BASH_REMATCH[2] - 16#$address))
            fi
            printf '%s\t%s\n' "${bytes// /}" "$text"
        done | tr -s ' ' >"$work/x64.txt"
    compare x64
}

# rv32_objdump WORDS: words with objdump's text, in rvjit's notation, for a file of hex words, one a line.
# An object whose attributes name the architecture makes objdump refuse what is none of it.
rv32_objdump() {
    local tool=riscv64-unknown-elf-
    printf '.rept %d\n.insn 4, 0x13\n.endr\n' "$(wc -l <"$1")" |
        "${tool}as" -march="$march" -mabi=ilp32 -o "$work/rv32.o" -
    perl -ne 'print pack "V", hex' "$1" >"$work/rv32.bin"
    "${tool}objcopy" --update-section ".text=$work/rv32.bin" "$work/rv32.o"
    # Remarks and symbols go; some versions write "add" for addi; .insn, .word and .4byte are the same to us.
    "${tool}objdump" -d -z "$work/rv32.o" | perl -ne '
        next unless s/^ *[0-9a-f]+:\t([0-9a-f]{8}) *\t/$1\t/;
        s/ # .*//;
        s/\b([0-9a-f]+) <[^>]*>$/0x$1/;
        s/\t(add|and|or|xor|sll|srl|sra|ror|bclr|bext|binv|bset)(\t\w+,\w+,-?[0-9])/\t$1i$2/;
        s/\t(csrr?[wsc])(\t.*,[0-9]+)$/\t$1i$2/;
        s/\t(?:\.word\t|\.insn\t4, )/\t.4byte\t/;
        print'
}

rv32() {
    need riscv64-unknown-elf-objdump binutils-riscv64-unknown-elf
    local march
    march=$(cargo run --quiet --manifest-path "$ROOT/Cargo.toml" --example rv32_text -- --march)
    # Versions of binutils before 2.41 know no Zicond: its words are data to them.
    local unknown='nothing'
    if ! printf 'nop\n' | riscv64-unknown-elf-as -march="$march" -mabi=ilp32 -o "$work/nop.o" - 2>"$work/as.err"; then
        march=${march/_zicond/}
        unknown='czero'
        say "rv32: this assembler knows no Zicond, whose rows are not compared"
    fi
    cut -f1 "$ROOT/tests/golden/rv32.txt" >"$work/rv32.words"
    # A row that the assembler cannot know is taken as it is.
    rv32_objdump "$work/rv32.words" >"$work/rv32.known"
    paste -d '\n' "$ROOT/tests/golden/rv32.txt" "$work/rv32.known" |
        UNKNOWN=$unknown perl -ne 'if ($. % 2) { $ours = $_; next }
            print /\t\.4byte\t/ && $ours =~ /\t$ENV{UNKNOWN}/ ? $ours : $_' >"$work/rv32.txt"
    compare rv32

    # Random words, half of them with an opcode that exists: all but those that begin a longer instruction.
    perl -e 'srand 1; my @op = (3, 15, 19, 23, 35, 47, 51, 55, 99, 103, 111, 115);
        for (my $n = 0; $n < 300000;) {
            my $word = int(rand 65536) << 16 | int(rand 65536) | 3;
            $word = $word & ~0x7f | $op[rand @op] if rand() < 0.5;
            $word &= 0x03ffffff | int(rand 2) << 30 if rand() < 0.3;
            $word &= 0xfff0707f if rand() < 0.1;
            next if ($word & 31) == 31;
            printf "%08x\n", $word;
            $n++;
        }' >"$work/sample.words"
    cargo run --quiet --manifest-path "$ROOT/Cargo.toml" --example rv32_text \
        <"$work/sample.words" >"$work/sample.ours"
    rv32_objdump "$work/sample.words" >"$work/sample.theirs"
    # What may differ, and how: the list at the head of src/rv32/disasm.rs; the privileged instructions, which rvjit does
    # not execute; shifts by 32 and more, which RV32 reserves and objdump prints.
    if paste "$work/sample.ours" "$work/sample.theirs" | UNKNOWN=$unknown perl -ne '
        m/^(\w+)\t(.*)\t\1\t(.*)$/ or die "rows out of step: $_";
        my ($word, $ours, $theirs) = (hex $1, $2, $3);
        my $data = $theirs =~ /^\.4byte\t/;
        my $privileged = $theirs =~ /^([mshud]ret|wfi|[sh]fence\.\S+|h[fs]\S+)\b/;
        my $reserved_fence = ($word & 0x607f) == 15
            && ($word & 0xf8f80 || ($word & 0x1000 ? $word >> 20 : $word >> 28));
        $known += !$data, next if $ours eq $theirs;
        next if $ours =~ /^$ENV{UNKNOWN}/ && $data;
        next if $ours =~ /^fence/ && $data && $reserved_fence;
        next if $ours =~ /^\.4byte/ && $privileged && ($word & 0x707f) == 0x73;
        next if $ours =~ /^\.4byte/ && $theirs =~ /^(?:s[lr][la]i|rori?|b(?:clr|ext|inv|set)i?)\t.*,0x[23]/;
        # A CSR that is a number in ours and a name in theirs.
        my $csr = sprintf "0x%x", $word >> 20;
        next if ($word & 0x7f) == 0x73 && $ours =~ /^(csr\S+\t(?:\w+,)??)$csr((?:,\w+)?)$/
            && $theirs =~ /^\Q$1\E[a-z]\w+\Q$2\E$/;
        printf "%08x ours: %s objdump: %s\n", $word, $ours, $theirs;
        $bad++;
        END { exit($bad || $known < 50000) }
    ' >"$work/sample.diff"; then
        say "rv32: a random sample agrees"
    else
        head -n 40 "$work/sample.diff"
        say "rv32: a random sample differs from objdump"
        failed=1
    fi
}

# All half-words that can be instructions of 16 bits.
rv32c() {
    local tool=riscv64-unknown-elf-
    need "${tool}objdump" binutils-riscv64-unknown-elf
    perl -e 'for (0..65535) { printf "%04x\n", $_ if ($_ & 3) != 3 }' >"$work/half.words"
    cargo run --quiet --manifest-path "$ROOT/Cargo.toml" --example rv32_text \
        <"$work/half.words" >"$work/half.ours"
    printf '.option rvc\n.rept %d\nc.nop\n.endr\n' "$(wc -l <"$work/half.words")" |
        "${tool}as" -march=rv32imc -mabi=ilp32 -o "$work/half.o" -
    perl -ne 'print pack "v", hex' "$work/half.words" >"$work/half.bin"
    "${tool}objcopy" --update-section ".text=$work/half.bin" "$work/half.o"
    # Targets become distances, as if the instruction stood at address 0.
    "${tool}objdump" -d -z "$work/half.o" | perl -ne '
        next unless s/^ *([0-9a-f]+):\t([0-9a-f]{4}) *\t//;
        my ($pc, $half) = (hex $1, $2);
        s/ # .*//;
        s/\b([0-9a-f]+) <[^>]*>$/sprintf "0x%x", (hex($1) - $pc) & 0xffffffff/e;
        s/^(add|and|or|xor|sll|srl|sra)(\t\w+,\w+,-?[0-9])/$1i$2/;
        s/\s+$//;
        print "$half\t$_\n"' >"$work/half.theirs"
    # What may differ: Zcb, which older binutils do not know; what is reserved, and objdump prints all the same; hints,
    # which have names of their own there.
    if paste "$work/half.ours" "$work/half.theirs" | perl -ne '
        m/^(\w+)\t(.*)\t\1\t(.*)$/ or die "rows out of step: $_";
        my ($half, $ours, $theirs) = (hex $1, $2, $3);
        $same++, next if $ours eq $theirs;
        my ($quadrant, $funct3, $rd) = ($half & 3, $half >> 13, $half >> 7 & 31);
        my $zcb = $theirs =~ /^\.2byte/
            && ($quadrant == 0 && $funct3 == 4 || ($half & 0xfc03) == 0x9c01);
        my $long = $ours =~ /^\.2byte/ && ($half & 0x1000) && $theirs =~ /^(c\.)?s[lr][la]i\t/;
        my $hint = $theirs =~ /^c\.(nop|li|lui|mv|add|slli|slli64|srli64|srai64)\b/;
        # addi by 0 is a hint that objdump does not call mv; c.addi16sp by 0 is reserved; 0 is illegal.
        my $none = $theirs =~ /^addi\t(\w+),\1,0$/;
        next if $zcb || $long || $hint || $none || $half == 0;
        printf "%04x ours: %s objdump: %s\n", $half, $ours, $theirs;
        $bad++;
        END { exit($bad || $same < 45000) }
    ' >"$work/half.diff"; then
        say "rv32c: all half-words agree"
    else
        head -n 40 "$work/half.diff"
        say "rv32c: differs from objdump"
        failed=1
    fi
}

rv32
rv32c
a64
x64
exit $failed
