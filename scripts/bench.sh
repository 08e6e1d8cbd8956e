#!/usr/bin/env bash
# Measures rvjit against native code and qemu-riscv32: builds what it needs, runs the
# benchmark guests on each in turn, checks their output, and prints tables (Markdown).
# Usage: bench.sh [MODE…] [OPTION…]; `bench.sh --help` lists them.
# Examples:
#   bench.sh                              times of all programs, the best of 3
#   bench.sh --short --runs 5 --only lua,qsort
#   bench.sh --rvjit OLD --rvjit NEW      two builds, side by side
#   bench.sh --expansion                  ARM64 instructions a guest instruction
#   bench.sh --all --markdown BENCHMARKS.md   everything, into the file
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need python3 python3 gcc gcc qemu-riscv32 qemu-user
export PYTHONDONTWRITEBYTECODE=1
exec python3 "$ROOT/scripts/bench/bench.py" "$@"
