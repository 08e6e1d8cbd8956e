#!/usr/bin/env bash
# Builds rvjit for ARM64 Linux (release) and runs it with the arguments given: directly
# on ARM64, under qemu-aarch64 elsewhere. Without arguments it only builds.
#   RVJIT_ARM64_RUNNER=…   what to run it with in place of qemu-aarch64
# Example: arm64.sh run fixtures/hello.elf
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

command -v cargo >/dev/null || die "cargo is missing: see https://rustup.rs, or install the package cargo"

triple=aarch64-unknown-linux-gnu
runner=()
if [ "$(uname -m)" != aarch64 ]; then
    need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu \
        /usr/aarch64-linux-gnu/lib/libc.so.6 libc6-dev-arm64-cross
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    if [ -n "${RVJIT_ARM64_RUNNER:-}" ]; then
        read -ra runner <<<"$RVJIT_ARM64_RUNNER"
    else
        need qemu-aarch64 qemu-user
        runner=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
    fi
fi

# Where rustup cannot fetch the target, Debian's own toolchain has it.
if ! need_rust_target "$triple"; then
    say "rustup cannot provide $triple; using Debian's toolchain"
    if [ ! -e /usr/bin/rustc ] || ! RUSTC=/usr/bin/rustc has_rust_target "$triple"; then
        as_root dpkg --add-architecture arm64
        apt_install rustc-web libstd-rust-web-dev libstd-rust-web-dev:arm64
    fi
    export RUSTC=/usr/bin/rustc
fi

cargo build --quiet --release --target "$triple" --manifest-path "$ROOT/Cargo.toml"
[ $# -gt 0 ] || exit 0
binary=${CARGO_TARGET_DIR:-$ROOT/target}/$triple/release/rvjit
exec "${runner[@]}" "$binary" "$@"
