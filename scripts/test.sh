#!/usr/bin/env bash
# Everything that must hold before a change is merged; CI runs just this. Installs what is
# missing (apt, rustup), and says so. Steps: see the end of this file. What a step prints is
# also in target/test/STEP.log; a failed step does not keep the others from running.
# The last line is the total over all steps: "N passed, N failed".
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$ROOT"
target=${CARGO_TARGET_DIR:-$ROOT/target}
arm64=aarch64-unknown-linux-gnu
logs=$ROOT/target/test
mkdir -p "$logs"
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}

command -v cargo >/dev/null || die "cargo is missing: see https://rustup.rs"
need gcc gcc make make perl perl awk gawk diff diffutils xz xz-utils \
    shellcheck shellcheck x86_64-linux-gnu-objdump binutils-x86-64-linux-gnu \
    riscv64-unknown-elf-gcc gcc-riscv64-unknown-elf /usr/src/newlib newlib-source \
    /usr/lib/picolibc/riscv64-unknown-elf/picolibc.specs picolibc-riscv64-unknown-elf \
    aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu \
    /usr/aarch64-linux-gnu/lib/libc.so.6 libc6-dev-arm64-cross \
    qemu-riscv32 qemu-user
cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
cargo clippy --version >/dev/null 2>&1 || rustup component add clippy

# What hangs, fails. The longest step, the tests that are emulated, takes half an hour on a busy machine of two cores.
limit=(timeout --kill-after=10 3600)

passed=0 failed=0 summary=()

# account STEP STATUS SECONDS: adds to the totals. A step counts the tests that it reports, or as one.
account() {
    local name=$1 status=$2 seconds=$3 good bad
    read -r good bad < <(perl -ne '
        $good += $1, $bad += $2 if /^test result: .*?(\d+) passed; (\d+) failed/;
        $good += $1 if /: (\d+) guests as expected$/;
        END { printf "%d %d\n", $good, $bad }' "$logs/$name.log")
    if [ "$status" -ne 0 ]; then
        [ "$bad" -gt 0 ] || bad=1
    elif [ "$good" -eq 0 ]; then
        good=1
    fi
    passed=$((passed + good)) failed=$((failed + bad))
    summary+=("$(printf '%-22s %4d s  %4d passed %4d failed' "$name" "$seconds" "$good" "$bad")")
}

# step NAME COMMAND…
step() {
    local name=$1 status=0 start=$SECONDS
    shift
    printf '\n== %s: %s\n' "$name" "$*"
    "$@" 2>&1 | tee "$logs/$name.log" || status=$?
    account "$name" "$status" $((SECONDS - start))
}

# begin NAME COMMAND…: a step beside others; finish NAME waits for it and shows what it printed.
declare -A running started
begin() {
    local name=$1
    shift
    printf '\n== %s (beside the others): %s\n' "$name" "$*"
    started[$name]=$SECONDS
    { "$@" >"$logs/$name.log" 2>&1; } &
    running[$name]=$!
}
finish() {
    local name=$1 status=0
    wait "${running[$name]}" || status=$?
    unset "running[$name]"
    printf '\n== %s\n' "$name"
    cat "$logs/$name.log"
    account "$name" "$status" $((SECONDS - ${started[$name]}))
}
trap '[ ${#running[@]} -eq 0 ] || kill "${running[@]}" 2>/dev/null' EXIT

# The same suite for ARM64, where the machine is another. cargo's own variables say how to link and run.
arm64_tests() {
    need_arm64 && "${limit[@]}" cargo test --locked --no-fail-fast --target "$arm64" "$@"
}

# With the binary that the tests built: its own checks are on, and what the JIT emits is the same.
arm64_guests() {
    RVJIT_ARM64_PROFILE=dev "${limit[@]}" scripts/check-guests.sh scripts/arm64.sh run --dir . "$@"
}

# Pages and address bits as other ARM64 hosts have them: 16 and 64 KiB, 36 and 39 bits.
arm64_hosts() {
    local host engine
    for host in "-p 16384" "-p 65536" "-R 0x1000000000" "-R 0x8000000000"; do
        printf '%s\n' "$host"
        engine=jit_window
        [ "${host:0:2}" = -R ] || engine=jit_paged
        (
            export RVJIT_ARM64_RUNNER="qemu-aarch64 $host -L /usr/aarch64-linux-gnu"
            need_arm64 && "${limit[@]}" cargo test --locked --target "$arm64" --test fixtures "$engine"
        ) || return
    done
}

mac_check() {
    local triple=aarch64-apple-darwin
    if need_rust_target "$triple"; then
        cargo check --locked --all-targets --target "$triple"
    else
        say "SKIPPED: there is no rust target $triple to be had here"
    fi
}

musl_check() {
    local triple
    for triple in x86_64-unknown-linux-musl aarch64-unknown-linux-musl; do
        if need_rust_target "$triple"; then
            cargo check --locked --target "$triple"
        else
            say "SKIPPED: there is no rust target $triple to be had here"
        fi
    done
}

# rvjit as cargo's runner: what `cargo run` of a Rust guest prints is what it prints under check-guests.sh.
cargo_runner() {
    local project
    for project in rust-hello riscv-rt; do
        (
            cd "guests/$project" &&
                CARGO_TARGET_RISCV32IM_UNKNOWN_NONE_ELF_RUNNER="$target/release/rvjit run" \
                    CARGO_TARGET_DIR=$ROOT/target/guests/work/$project \
                    "${limit[@]}" cargo run --quiet --release
        ) >"$logs/cargo-runner.out" || return
        diff "guests/expected/$project.short.out" "$logs/cargo-runner.out" || return
    done
}

begin guests-build scripts/build-guests.sh
step format cargo fmt --check
step shellcheck shellcheck -x scripts/*.sh .ci/run
step clippy cargo clippy --locked --all-targets -- -D warnings
step tests "${limit[@]}" cargo test --locked --no-fail-fast
step encodings scripts/check-encodings.sh
step macos mac_check
step musl musl_check
if [ "$(uname -m)" != aarch64 ]; then
    step arm64-tests arm64_tests
    step arm64-hosts arm64_hosts
fi
step release cargo build --locked --release
finish guests-build
step fixtures-qemu scripts/build-fixtures.sh --verify
native_guests=("${limit[@]}" scripts/check-guests.sh)
for placement in auto window paged; do
    step "guests-jit-$placement" "${native_guests[@]}" "$target/release/rvjit" run --dir . --engine jit --placement "$placement"
done
step guests-interp "${native_guests[@]}" "$target/release/rvjit" run --dir . --engine interp
step guests-jit-long "${native_guests[@]}" --long "$target/release/rvjit" run --dir . --engine jit
if [ "$(uname -m)" != aarch64 ]; then
    step guests-arm64 arm64_guests --engine jit
    step guests-arm64-paged arm64_guests --engine jit --placement paged
fi
step cargo-runner cargo_runner
step mutants scripts/mutants.sh sample

echo
printf '%s\n' "${summary[@]}"
printf '%d s in all\n' "$SECONDS"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
