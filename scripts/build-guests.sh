#!/usr/bin/env bash
# Builds the bigger guest programs into target/guests: rv32/NAME.elf for rvjit, and from
# the same sources native/NAME for this machine and aarch64/NAME, all with gcc -O2.
# What is up to date is left alone. The C sources of newlib, Lua, SQLite and zlib come
# from packages (apt, crates.io) and are not part of this repository; ours are in guests/.
# Usage: build-guests.sh [bench|lua|sqlite|zlib|abi|rust|riscv-rt|picolibc]…   (all by default)
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$ROOT"
out=target/guests
work=$out/work
newlib=$ROOT/$out/newlib
mkdir -p "$out"/{rv32,native,aarch64} "$work"

need riscv64-unknown-elf-gcc gcc-riscv64-unknown-elf gcc gcc make make

# quietly LOG COMMAND…: shows the end of the log when the command fails.
quietly() {
    local log=$work/$1.log
    shift
    "$@" >"$log" 2>&1 || {
        tail -n 40 "$log" >&2
        die "failed: $* (see $log)"
    }
}

build_newlib() {
    [ ! -e "$newlib/complete" ] || return 0
    need /usr/src/newlib newlib-source xz xz-utils
    say "building newlib (a minute)"
    local archive prefix=$ROOT/$work/newlib-prefix
    archive=$(ls /usr/src/newlib/newlib-*.tar.xz)
    rm -rf "$work/newlib" "$newlib" "$prefix"
    mkdir -p "$work/newlib/build"
    tar -xf "$archive" -C "$work/newlib" --strip-components=1
    (
        cd "$work/newlib/build"
        ../configure --target=riscv64-unknown-elf --prefix="$prefix" --disable-multilib \
            --enable-newlib-io-long-long \
            CFLAGS_FOR_TARGET="-O2 -march=rv32im -mabi=ilp32" &&
            make -j"$(nproc)" && make install
    ) >"$work/newlib.log" 2>&1 || {
        tail -n 40 "$work/newlib.log" >&2
        die "newlib does not build (see $work/newlib.log)"
    }
    mv "$prefix/riscv64-unknown-elf" "$newlib"
    rm -rf "$work/newlib" "$prefix"
    touch "$newlib/complete"
}

built=()
warnings=(-Wall -Wextra)

# program NAME SOURCES… -- FLAGS…: for the guest and for this machine, with the flags.
# Depends on the sources, and on the files in `also`.
also=()
program() {
    local name=$1 sources=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        sources+=("$1")
        shift
    done
    shift || true
    build_newlib
    built+=("rv32/$name.elf" "native/$name")
    newer "$out/rv32/$name.elf" "${sources[@]}" "${also[@]}" "$newlib/complete" ||
        quietly "$name" riscv64-unknown-elf-gcc -march=rv32im -mabi=ilp32 -O2 -static \
            "${warnings[@]}" -isystem "$newlib/include" -B"$newlib/lib/" -L"$newlib/lib" \
            -Wl,--no-warn-rwx-segments "$@" "${sources[@]}" -lm -o "$out/rv32/$name.elf"
    newer "$out/native/$name" "${sources[@]}" "${also[@]}" ||
        quietly "$name" gcc -O2 "${warnings[@]}" "$@" "${sources[@]}" -lm -o "$out/native/$name"
}

build_bench() {
    need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu \
        /usr/aarch64-linux-gnu/lib/libc.so.6 libc6-dev-arm64-cross
    local source name generator=fixtures/src/statemachine.awk
    newer "$work/statemachine.inc" "$generator" || awk -f "$generator" >"$work/statemachine.inc"
    also=(guests/bench/bench.h "$work/statemachine.inc")
    for source in guests/bench/*.c; do
        name=$(basename "$source" .c)
        program "$name" "$source" -- -I"$work"
        built+=("aarch64/$name")
        newer "$out/aarch64/$name" "$source" "${also[@]}" ||
            quietly "$name" aarch64-linux-gnu-gcc -O2 -static -I"$work" "$source" \
                -o "$out/aarch64/$name"
    done
    also=()
}

# The sources inside the crates: crate NAME prints the folder that cargo unpacked.
crates=$work/crates
fetch_crates() {
    [ ! -e "$crates/complete" ] || return 0
    command -v cargo >/dev/null || die "cargo is missing"
    say "fetching the crates lua-src, libsqlite3-sys and libz-sys for their C sources"
    mkdir -p "$crates/src"
    : >"$crates/src/lib.rs"
    cat >"$crates/Cargo.toml" <<'MANIFEST'
[package]
name = "sources"
version = "0.0.0"
edition = "2021"

[dependencies]
lua-src = "=547.0.0"
libsqlite3-sys = "=0.30.1"
libz-sys = "=1.1.31"

[workspace]
MANIFEST
    quietly crates cargo vendor --quiet --versioned-dirs --manifest-path "$crates/Cargo.toml" \
        "$crates/vendor"
    touch "$crates/complete"
}

crate() { echo "$crates/vendor/$1"; }

build_lua() {
    fetch_crates
    local lua
    lua=$(crate lua-src-547.0.0)/lua-5.4.7
    program lua guests/lua/lua.c "$lua"/*.c -- -I"$lua"
}

build_zlib() {
    fetch_crates
    local zlib
    zlib=$(crate libz-sys-1.1.31)/src/zlib
    program zlib guests/zlib/zlib.c \
        "$zlib"/{adler32,crc32,deflate,inflate,inffast,inftrees,trees,zutil}.c -- -I"$zlib"
}

build_sqlite() {
    fetch_crates
    local sqlite
    sqlite=$(crate libsqlite3-sys-0.30.1)/sqlite3
    [ -e "$out/rv32/sqlite.elf" ] || say "building SQLite (some minutes)"
    warnings=(-w)
    program sqlite guests/sqlite/sqlite.c "$sqlite/sqlite3.c" -- -I"$sqlite" \
        -DSQLITE_OS_OTHER -DSQLITE_THREADSAFE=0 -DSQLITE_TEMP_STORE=3 \
        -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_OMIT_WAL -DSQLITE_DEFAULT_MEMSTATUS=0 \
        -DSQLITE_MAX_MMAP_SIZE=0 -DSQLITE_OMIT_DEPRECATED
    warnings=(-Wall -Wextra)
}

build_abi() {
    program abi guests/newlib/abi.c --
}

build_rust() {
    local triple=riscv32im-unknown-none-elf elf=$out/rv32/rust-hello.elf project=guests/rust-hello
    need_rust_target "$triple" || die "rustup cannot provide $triple"
    built+=(rv32/rust-hello.elf)
    newer "$elf" "$project"/src/main.rs "$project"/{Cargo.toml,link.ld,.cargo/config.toml} && return
    # cargo reads .cargo/config.toml from where it is run.
    (cd "$project" && CARGO_TARGET_DIR=$ROOT/$work/rust-hello cargo build --quiet --release)
    cp "$work/rust-hello/$triple/release/rust-hello" "$elf"
    touch "$elf"
}

# strip NAME: NAME.elf without symbols, as NAME-stripped.elf.
stripped() {
    local from=$out/rv32/$1.elf to=$out/rv32/$1-stripped.elf
    built+=("rv32/$1-stripped.elf")
    newer "$to" "$from" || riscv64-unknown-elf-strip "$from" -o "$to"
}

build_riscv-rt() {
    local triple=riscv32im-unknown-none-elf elf=$out/rv32/riscv-rt.elf project=guests/riscv-rt
    need_rust_target "$triple" || die "rustup cannot provide $triple"
    built+=(rv32/riscv-rt.elf)
    newer "$elf" "$project"/src/main.rs "$project"/{Cargo.toml,Cargo.lock,memory.x,.cargo/config.toml} || {
        (cd "$project" && CARGO_TARGET_DIR=$ROOT/$work/riscv-rt cargo build --quiet --locked --release)
        cp "$work/riscv-rt/$triple/release/riscv-rt-guest" "$elf"
        touch "$elf"
    }
    stripped riscv-rt
}

build_picolibc() {
    need /usr/lib/picolibc/riscv64-unknown-elf/picolibc.specs picolibc-riscv64-unknown-elf
    local elf=$out/rv32/picolibc.elf source=guests/picolibc/picolibc.c
    built+=(rv32/picolibc.elf)
    # With memory where nothing of `virt` is; and as the package's linker script has it, which is where the UART would be.
    newer "$elf" "$source" || quietly picolibc riscv64-unknown-elf-gcc --specs=picolibc.specs --oslib=semihost --crt0=semihost \
        -march=rv32im -mabi=ilp32 -O2 -Wall -Wextra -Wl,--no-warn-rwx-segments \
        -Wl,--defsym=__flash=0x80000000 -Wl,--defsym=__flash_size=0x100000 \
        -Wl,--defsym=__ram=0x80100000 -Wl,--defsym=__ram_size=0x100000 \
        "$source" -o "$elf"
    elf=$out/rv32/picolibc-default.elf
    built+=(rv32/picolibc-default.elf)
    newer "$elf" "$source" || quietly picolibc riscv64-unknown-elf-gcc --specs=picolibc.specs \
        --oslib=semihost --crt0=semihost -march=rv32im -mabi=ilp32 -O2 -Wall -Wextra \
        -Wl,--no-warn-rwx-segments "$source" -o "$elf"
    stripped picolibc-default
}

[ $# -gt 0 ] || set -- bench lua zlib abi rust riscv-rt picolibc sqlite
for part in "$@"; do
    case $part in
    bench | lua | sqlite | zlib | abi | rust | riscv-rt | picolibc) "build_$part" ;;
    *) die "unknown part $part" ;;
    esac
done

printf '%s:' "$out"
for file in "${built[@]}"; do
    [ -s "$out/$file" ] || die "$out/$file was not built"
    printf ' %s' "$file"
done
echo
