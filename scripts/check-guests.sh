#!/usr/bin/env bash
# Runs the guests of target/guests against guests/MANIFEST and guests/expected.
# Usage: check-guests.sh [--long] [--native] [RUNNER [ARG…]]
#   --long    the benchmark runs, not the short ones
#   --native  the native builds, without a runner
#   RUNNER    what runs an ELF file given to it: qemu-riscv32 if none is named, which
#             cannot run abi (newlib's system calls), picolibc and riscv-rt (machine registers)
# Example: check-guests.sh target/release/rvjit run --dir .
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

long='' native='' skip=" "
while [ $# -gt 0 ]; do
    case $1 in
    --long) long=1 ;;
    --native) native=1 ;;
    -*) die "unknown option $1" ;;
    *) break ;;
    esac
    shift
done
bare="picolibc picolibc-default picolibc-default-stripped riscv-rt riscv-rt-stripped"
if [ -n "$native" ]; then
    skip=" $bare rust-hello "
elif [ $# -eq 0 ]; then
    need qemu-riscv32 qemu-user
    set -- qemu-riscv32
    skip=" abi $bare "
elif [ -e "$1" ]; then
    runner=$(realpath "$1")
    shift
    set -- "$runner" "$@"
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0 ran=0
while IFS='|' read -r name status stdin short usual; do
    name=${name//[[:space:]]/} stdin=${stdin//[[:space:]]/}
    case $name in '' | '#'*) continue ;; esac
    case $skip in *" $name "*) continue ;; esac
    arguments=$short expected=$ROOT/guests/expected/$name.short.out
    if [ -n "$long" ]; then
        arguments=$usual expected=$ROOT/guests/expected/$name.out
        [ "${usual//[[:space:]]/}" != - ] || continue
    fi
    program=("$@" "$ROOT/target/guests/rv32/$name.elf")
    [ -z "$native" ] || program=("$ROOT/target/guests/native/$name")
    [ -e "${program[-1]}" ] || die "${program[-1]} is missing: run build-guests.sh"
    input=/dev/null
    [ -z "$stdin" ] || input=$ROOT/guests/$stdin
    rm -rf "$folder/cwd"
    mkdir "$folder/cwd"
    got=0
    # shellcheck disable=SC2086 # the arguments are words
    (cd "$folder/cwd" && exec "${program[@]}" $arguments) \
        <"$input" >"$folder/out" 2>"$folder/err" || got=$?
    ran=$((ran + 1))
    if [ "$got" -ne "$((status))" ]; then
        say "$name: exit status $got, not $((status))"
        tail -n 5 "$folder/err" >&2
        failed=1
    fi
    if ! cmp -s "$folder/out" "$expected"; then
        say "$name: another output than $expected"
        diff "$expected" "$folder/out" | head -n 5 >&2 || true
        failed=1
    fi
done <"$ROOT/guests/MANIFEST"
[ "$failed" -ne 0 ] || say "$ran guests as expected"
exit "$failed"
