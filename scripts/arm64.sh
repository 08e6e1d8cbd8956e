#!/usr/bin/env bash
# Builds rvjit for ARM64 Linux and runs it with the arguments given: directly
# on ARM64, under qemu-aarch64 elsewhere. Without arguments it only builds.
#   RVJIT_ARM64_RUNNER=…    what to run it with in place of qemu-aarch64
#   RVJIT_ARM64_PROFILE=…   cargo's profile; release
# Example: arm64.sh run fixtures/hello.elf
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

command -v cargo >/dev/null || die "cargo is missing: see https://rustup.rs, or install the package cargo"

triple=aarch64-unknown-linux-gnu
need_arm64
profile=${RVJIT_ARM64_PROFILE:-release}
cargo build --quiet --profile "$profile" --target "$triple" --manifest-path "$ROOT/Cargo.toml"
[ $# -gt 0 ] || exit 0
# cargo's folder for the profile dev has another name.
binary=${CARGO_TARGET_DIR:-$ROOT/target}/$triple/${profile/#dev/debug}/rvjit
read -ra runner <<<"${CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER:-}"
exec "${runner[@]}" "$binary" "$@"
