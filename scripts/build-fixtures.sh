#!/usr/bin/env bash
# Builds fixtures/*.elf from fixtures/src. The results are committed, so this is
# needed only after a change there. Usage:
#   build-fixtures.sh            build
#   build-fixtures.sh --verify   change nothing: check that they are what their sources give,
#                                and run them under qemu-riscv32 against MANIFEST
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need riscv64-unknown-elf-gcc gcc-riscv64-unknown-elf

cd "$ROOT/fixtures"
generated=$(mktemp -d)
trap 'rm -rf "$generated"' EXIT
out=.
[ "${1:-}" != --verify ] || out=$generated
awk -f src/statemachine.awk >"$generated/statemachine.inc"

# elf NAME FLAG…: links NAME.elf. The paths of this machine stay out of it.
elf() {
    local name=$1
    shift
    riscv64-unknown-elf-gcc -march=rv32im -mabi=ilp32 -nostdlib -nostartfiles -static \
        -ffreestanding -fno-pic -ffile-prefix-map="$PWD"=. -ffile-prefix-map="$generated"=src \
        -Wa,--debug-prefix-map="$PWD"=. \
        -Wall -Wextra -Werror -Isrc -I"$generated" \
        -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments \
        "$@" -o "$out/$name.elf"
}

# hosted NAME [FLAG…]: a C program with main.
hosted() {
    local name=$1
    shift
    elf "$name" -O2 src/start.S src/rt.c "src/$name.c" "$@" -lgcc
}

for name in hello exitcode alu shifts muldiv loadstore branches sieve matrix sort hash \
    string fib interp indirect statemachine args_env memory brk_limit exhaust misaligned \
    counters unknown_syscall efault calls; do
    hosted "$name"
done
hosted highmem -Wl,-Ttext-segment=0x80000000
elf topmem -O2 src/start.S src/rt.c src/highmem.c -Wl,-Ttext-segment=0xf0000000
# The same programs with compressed instructions: -march given last counts.
for name in sort hash string matrix interp statemachine indirect; do
    elf "rvc_$name" -O2 src/start.S src/rt.c "src/$name.c" -lgcc -march=rv32imac
done
hosted atomic -march=rv32ima
elf embedded -march=rv32e -mabi=ilp32e src/embedded.S
elf nullcrash -g -O0 -fno-inline -fno-omit-frame-pointer src/start.S src/rt.c src/nullcrash.c
for how in zlib zlib-gnu zstd; do
    riscv64-unknown-elf-objcopy "--compress-debug-sections=$how" "$out/nullcrash.elf" "$out/nullcrash_${how/-/_}.elf"
done
elf ecall_registers -O2 src/start.S src/rt.c src/ecall_registers.S
elf smc -march=rv32im_zifencei -O2 src/start.S src/rt.c src/smc.S -Wl,-N
elf rwx -march=rv32im_zifencei src/rwx.S -Wl,-N
elf semi src/semi.S -Wl,-Ttext-segment=0x80000000
elf semi_exit -DSTATUS src/semi.S -Wl,-Ttext-segment=0x80000000
elf tohost_pass src/tohost.S -Wl,-Ttext-segment=0x80000000
for name in htif uart_echo; do
    elf "$name" -march=rv32im_zicsr "src/$name.S" -Wl,-Ttext-segment=0x80000000
done
elf htif_upper -march=rv32im_zicsr -DUPPER_FIRST -DSTATUS=3 src/htif.S -Wl,-Ttext-segment=0x80000000
finisher() { elf "$1" -march=rv32im_zicsr "-DVALUE=$2" src/finisher.S -Wl,-Ttext-segment=0x80000000; }
finisher finisher_pass 0x5555
finisher finisher_fail 0x00073333
finisher finisher_reset 0x7777
elf sp1 src/sp1.S -Wl,-Ttext-segment=0x00201000
elf sp1_precompile -DPRECOMPILE=0x0001010a src/sp1.S -Wl,-Ttext-segment=0x00201000
elf risc0 src/risc0.S -Wl,-Ttext-segment=0x00201000
elf risc0_precompile -DPRECOMPILE=6 src/risc0.S -Wl,-Ttext-segment=0x00201000
elf tohost_fail -DFAILURE=3 src/tohost.S -Wl,-Ttext-segment=0x80000000
for wild in '' -DWILD; do
    elf "bare_ram${wild:+_wild}" -march=rv32im_zifencei $wild src/bare_ram.S -s -Wl,-N \
        -Wl,-Ttext-segment=0x80400000
done
elf bare_rom src/bare_rom.S -s -T src/bare_rom.ld
elf low src/low.S -s -Wl,-N -Wl,-Ttext=0
elf heapinfo src/heapinfo.S -s -Wl,-Ttext-segment=0x80000000
elf noflags src/noflags.S -s -T src/noflags.ld
elf tohost_abs src/tohost_abs.S -T src/tohost_abs.ld
hosted tohost_local
hosted wants
hosted trampoline -march=rv32im_zifencei -Wno-pedantic
elf rvc_flag src/rvc_flag.S
elf hello_stripped -O2 src/start.S src/rt.c src/hello.c -s -lgcc

# Programs on a bare machine, with trap handlers.
for name in modes traps timer emulate tasks code; do
    elf "machine_$name" -march=rv32im_zicsr_zifencei -O2 src/bare.S "src/machine_$name.c" -lgcc \
        -Wl,-Ttext-segment=0x80000000
done

number=0
for name in null_read null_write wild_read wild_write write_text jump_data jump_unmapped \
    jump_misaligned stack_overflow illegal illegal_zero breakpoint write_rodata jump_null \
    illegal_compressed; do
    number=$((number + 1))
    elf "fault_$name" -O1 "-DFAULT=$number" -Wno-infinite-recursion -Wno-unused \
        -fno-optimize-sibling-calls src/start.S src/rt.c src/fault.c
done

[ "${1:-}" = --verify ] || exit 0

failed=0
# Symbols hold the names of temporary files. Another compiler gives other programs, and is no
# reason to fail.
stripped() { riscv64-unknown-elf-objcopy --strip-all "$1" "$generated/$2"; }
compiler() { riscv64-unknown-elf-objcopy -O binary --dump-section .comment=/dev/stdout "$1" /dev/null; }
if cmp -s <(compiler hello.elf) <(compiler "$out/hello.elf"); then
    for file in *.elf; do
        stripped "$file" old && stripped "$out/$file" new
        cmp -s "$generated/old" "$generated/new" || {
            say "$file is not what its sources give"
            failed=1
        }
    done
else
    say "another compiler built the fixtures; only running them"
fi

# What qemu's Linux ABI answers differently, or has no notion of.
need qemu-riscv32 qemu-user
differs=" unknown_syscall exhaust topmem fault_jump_misaligned fault_illegal_compressed semi semi_exit \
tohost_pass tohost_fail htif htif_upper finisher_pass finisher_fail finisher_reset machine_modes \
machine_traps machine_timer machine_emulate machine_tasks machine_code \
bare_ram bare_ram_wild bare_rom low heapinfo noflags tohost_abs trampoline "
while IFS='|' read -r name args status _; do
    name=${name//[[:space:]]/}
    case $name in '' | '#'*) continue ;; esac
    case $differs in *" ${name%%.*} "*) continue ;; esac
    got=0
    # shellcheck disable=SC2086 # the arguments are words
    { qemu-riscv32 "${name%%.*}.elf" $args >"$generated/out" || got=$?; } 2>/dev/null
    if [ "$got" -ne "$((status))" ] || ! cmp -s "$generated/out" "$name.out"; then
        say "$name: status $got, or its output, differs from MANIFEST"
        diff "$name.out" "$generated/out" >&2 || true
        failed=1
    fi
done <MANIFEST
exit "$failed"
