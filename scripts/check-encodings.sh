#!/usr/bin/env bash
# Checks the golden encodings (tests/golden) against the disassemblers of binutils.
# One function a target; a disassembler that is not installed is skipped, and said so.
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
    if ! command -v "$objdump" >/dev/null; then
        say "skipped: a64 (no $objdump; package binutils-aarch64-linux-gnu)"
        return
    fi
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
    if ! command -v objdump >/dev/null || ! objdump --info | grep -q '^ *i386'; then
        say "skipped: x64 (no objdump for x86-64)"
        return
    fi
    # All rows in one file. objdump prints the address, the bytes and the text; the golden
    # text of a branch is that at address 0, so the address is taken off its target.
    local hex address bytes text
    hex=$(cut -f1 "$ROOT/tests/golden/x64.txt" | tr -d '\n' | sed 's/../\\x&/g')
    # shellcheck disable=SC2059
    printf "$hex" >"$work/x64.bin"
    objdump -D -b binary -m i386:x86-64 -M intel --insn-width=16 "$work/x64.bin" |
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

a64
x64
exit $failed
