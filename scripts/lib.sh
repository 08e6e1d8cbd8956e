# shellcheck shell=bash
# What the scripts share: where the project is, and installing what is missing.
# Sourced, not run. Says what it installs, and is silent when there is nothing to do.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export ROOT

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
    say "$*"
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "needs root (or sudo) for: $*"
    fi
}

# apt_install PACKAGE…: by apt, after one update a run.
apt_install() {
    command -v apt-get >/dev/null || die "no apt-get here; install by other means: $*"
    say "installing $*"
    if [ -z "${APT_UPDATED:-}" ]; then
        as_root apt-get update -qq >&2
        APT_UPDATED=1
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

# need PROBE PACKAGE [PROBE PACKAGE]…: a probe is a command, or a path that must exist.
need() {
    local missing=()
    while [ $# -gt 0 ]; do
        case $1 in
        /*) [ -e "$1" ] || missing+=("$2") ;;
        *) command -v "$1" >/dev/null || missing+=("$2") ;;
        esac
        shift 2
    done
    [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
}

# has_rust_target TRIPLE: does the compiler that cargo would use have it?
has_rust_target() {
    local libdir
    libdir=$("${RUSTC:-rustc}" --print target-libdir --target "$1" 2>/dev/null) || return 1
    compgen -G "$libdir/libcore-*.rlib" >/dev/null
}

# need_rust_target TRIPLE: by rustup; fails where rustup cannot.
need_rust_target() {
    ! has_rust_target "$1" || return 0
    command -v rustup >/dev/null || return 1
    say "installing the rust target $1"
    rustup target add "$1" >&2
}

# newer OUTPUT INPUT…: is OUTPUT there and newer than all inputs?
newer() {
    local output=$1 input
    shift
    [ -e "$output" ] || return 1
    for input in "$@"; do
        [ "$output" -nt "$input" ] || return 1
    done
}

# need_arm64: what cargo needs to build for ARM64 Linux, in cargo's own variables, and what runs the
# result here: nothing on ARM64, qemu-aarch64 elsewhere (or what RVJIT_ARM64_RUNNER says).
need_arm64() {
    local triple=aarch64-unknown-linux-gnu
    if [ "$(uname -m)" != aarch64 ]; then
        need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu \
            /usr/aarch64-linux-gnu/lib/libc.so.6 libc6-dev-arm64-cross
        export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
        if [ -z "${RVJIT_ARM64_RUNNER:-}" ]; then
            need qemu-aarch64 qemu-user
            RVJIT_ARM64_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
        fi
        export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=$RVJIT_ARM64_RUNNER
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
}
