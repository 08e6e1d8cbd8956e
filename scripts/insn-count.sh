#!/usr/bin/env bash
# Counts the instructions that a program executes, under QEMU user mode: an aarch64
# Linux binary (rvjit itself, say) or a static RV32 one. The figures repeat exactly.
# Usage: insn-count.sh [-o FILE] [--maps] [--buckets] [--range START-END]… PROGRAM [ARG…]
#   -o FILE     write the counts there, not to stderr
#   --maps      also by file that the code came from; [anonymous] is code made at run time
#   --buckets   also by MiB of address space
#   --blocks    also by translation block: address, instructions, runs
#   --range     also within [START, END), in hex
# Example: insn-count.sh --maps target/aarch64-unknown-linux-gnu/release/rvjit run a.elf
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

options=
while [ $# -gt 0 ]; do
    case $1 in
    -o) rm -f "$2" && options+=",out=$2" && shift 2 ;;
    --maps) options+=",maps=on" && shift ;;
    --buckets) options+=",buckets=on" && shift ;;
    --blocks) options+=",blocks=on" && shift ;;
    --range) options+=",range=$2" && shift 2 ;;
    -*) die "unknown option $1" ;;
    *) break ;;
    esac
done
[ $# -gt 0 ] || die "which program?"

need gcc gcc qemu-aarch64 qemu-user
plugin=$ROOT/target/insn-count/plugin.so
source=$ROOT/scripts/insn-count/plugin.c
if ! newer "$plugin" "$source"; then
    mkdir -p "${plugin%/*}"
    gcc -O2 -Wall -Wextra -shared -fPIC -fvisibility=hidden -o "$plugin.$$" "$source"
    mv "$plugin.$$" "$plugin"
fi

# The machine is bytes 18 and 19 of the ELF header.
case $(od -An -tx1 -j18 -N2 "$1" | tr -d ' ') in
b700)
    need /usr/aarch64-linux-gnu/lib/libc.so.6 libc6-dev-arm64-cross
    exec qemu-aarch64 -L /usr/aarch64-linux-gnu -plugin "$plugin$options" "$@"
    ;;
f300) exec qemu-riscv32 -plugin "$plugin$options" "$@" ;;
*) die "$1 is neither aarch64 nor RISC-V" ;;
esac
