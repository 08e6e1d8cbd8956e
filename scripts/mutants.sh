#!/usr/bin/env bash
# Do the tests notice? Runs tests against mutants of the sources: single bugs, each of which some test must catch. Usage:
#   mutants.sh sample [SEED]   four of them, for the test suite; SEED (a commit, by default) says which
#   mutants.sh all [host]      all of them; `host` leaves out what is emulated
#   mutants.sh NUMBER…         these
#   mutants.sh list            numbers, files, and what is wrong
# The rows are in tests/mutants; scripts/mutants.pl says how to write one. All mutants are built into one copy of the
# project, in target/mutants, and the environment says which one is on: the project's own sources know nothing of them.
# A mutant is killed if one of its row's tests fails, or does not end within LIMIT. With none on, all of these tests must pass.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need perl perl
cd "$ROOT"
work=$ROOT/target/mutants
tree=$work/tree
arm64=aarch64-unknown-linux-gnu
limit=${LIMIT:-300}
host=$(uname -m | sed 's/x86_64/x86-64/; s/aarch64/arm64/')
export CARGO_TERM_COLOR=never

rows=$(perl scripts/mutants.pl list)
mode=${1:-sample}
case $mode in
list)
    cut -f 1-3 <<<"$rows"
    exit
    ;;
all | sample) chosen=$(cut -f 1 <<<"$rows") ;;
*) chosen=$(printf '%s\n' "$@") ;;
esac

# tests_of NUMBER: a line for each test of a row that can be run here: perhaps arm64, then the target, perhaps a name.
tests_of() {
    awk -F '\t' -v number="$1" '$1 == number { print $4 }' <<<"$rows" | sed 's/; /\n/g' |
        awk -v host="$host" -v emulates="$emulates" '
            NF == 0 { next }
            $1 == host { sub(/^[^ ]+ /, ""); print; next }
            $1 == "arm64" { if (emulates) print; next }
            $1 == "x86-64" { next }
            { print }' |
        awk '
            { target = $1 == "arm64" ? 2 : 1; head = target == 2 ? $1 " " $2 : $1 }
            NF == target { print head }
            { for (n = target + 1; n <= NF; n++) print head, $n }'
}

emulates=1
case "$mode ${2:-}" in
"all host" | sample*) emulates= ;;
esac
[ "$host" = x86-64 ] || emulates=

if [ "$mode" = sample ]; then
    seed=${2:-$(git rev-parse HEAD 2>/dev/null || date +%F)}
    chosen=$(awk -F '\t' '$5 == "" && $6 == "" { print $1 }' <<<"$rows" | while read -r number; do
        [ -z "$(tests_of "$number")" ] ||
            printf '%s %s\n' "$(printf '%s %s' "$seed" "$number" | cksum | cut -d ' ' -f 1)" "$number"
    done | sort -n | head -4 | cut -d ' ' -f 2)
    say "a sample, to be had again by: scripts/mutants.sh sample $seed"
fi

# lines …: grep, to which it is no error that there are none.
lines() { grep "$@" || [ $? -eq 1 ]; }

# What is gone from the project goes from the copy; what is as it was keeps its time, so that cargo need not build it.
mkdir -p "$tree"
list=$(git ls-files --cached --others --exclude-standard)
(cd "$tree" && find . -type f -printf '%P\n') | lines -vxF "$list" | while read -r gone; do rm -f "$tree/$gone"; done
mutated=$(cut -f 2 <<<"$rows" | sort -u)
lines -vxF -e src/lib.rs -e "$mutated" <<<"$list" | while read -r file; do
    cmp -s "$file" "$tree/$file" || { mkdir -p "$(dirname "$tree/$file")" && cp "$file" "$tree/$file"; }
done
while read -r file; do mkdir -p "$tree/${file%/*}"; done <<<"$mutated"
perl scripts/mutants.pl apply "$tree"

# arguments TEST: its words as cargo's arguments.
arguments() {
    local words
    read -ra words <<<"$1"
    if [ "${words[0]}" = arm64 ]; then
        printf '%s\n' --target "$arm64"
        words=("${words[@]:1}")
    fi
    if [ "${words[0]}" = lib ]; then echo --lib; else printf '%s\n' --test "${words[0]}"; fi
    printf '%s\n' -- "${words[@]:1}"
}

# try NUMBER TEST: the status of the test with this mutant on.
try() {
    local words
    mapfile -t words < <(arguments "$2")
    (
        cd "$tree"
        RVJIT_MUTANT=$1 CARGO_TARGET_DIR=$work/target timeout --kill-after=10 "$limit" \
            cargo test --locked --quiet "${words[@]}" </dev/null >"$work/log" 2>&1
    )
}

tests=$(for number in $chosen; do tests_of "$number"; done | sort -u)
! grep -q '^arm64' <<<"$tests" || need_arm64
# Other people's crates are built for the tests already.
if [ ! -e "$work/target/debug" ] && [ -d target/debug/deps ]; then
    mkdir -p "$work/target"
    (cd target && find debug/deps debug/build debug/.fingerprint ! -name '*rvjit*' ! -path '*/rvjit-*/*' \
        \( -path '*/build/*' -o -path '*/.fingerprint/*' -o -name '*.rlib' -o -name '*.rmeta' -o -name '*.so' -o -name '*.d' \) -type f -print0 |
        xargs -0 cp --parents -pt "$work/target")
fi
(
    cd "$tree"
    export CARGO_TARGET_DIR=$work/target
    build() {
        local targets
        mapfile -t targets < <(awk '{ print $1 == "lib" ? "--lib" : "--test\n" $1 }')
        [ "${#targets[@]}" -eq 0 ] || cargo test --locked --quiet --no-run "${targets[@]}" "$@" >"$work/log" 2>&1
    }
    lines -v '^arm64' <<<"$tests" | cut -d ' ' -f 1 | sort -u | build
    sed -n 's/^arm64 //p' <<<"$tests" | cut -d ' ' -f 1 | sort -u | build --target "$arm64"
) || {
    grep -A 9 '^error' "$work/log"
    die "the mutants do not compile"
}

# Where a test fails anyhow, it kills nothing.
while read -r test; do
    [ -n "$test" ] || continue
    try 0 "$test" || {
        cat "$work/log"
        die "fails without any mutant: $test"
    }
    grep -q '^running [1-9]' "$work/log" || die "there is no such test: $test"
done <<<"$tests"

killed=0 survived=0 argued=0 skipped=0
for number in $chosen; do
    row=$(awk -F '\t' -v number="$number" '$1 == number' <<<"$rows")
    [ -n "$row" ] || die "there is no mutant $number"
    file=$(cut -f 2 <<<"$row") wrong=$(cut -f 3 <<<"$row") why=$(cut -f 5 <<<"$row")
    own=$(tests_of "$number")
    if [ -z "$own" ]; then
        skipped=$((skipped + 1))
        continue
    fi
    by='' start=$SECONDS
    # Most fall in the first of the random programs.
    for programs in 500 ''; do
        while read -r test; do
            case $programs$test in
            500*random_programs*) export RVJIT_PROGRAMS=500 ;;
            500*) unset RVJIT_PROGRAMS ;;
            *random_programs*) unset RVJIT_PROGRAMS ;;
            *) continue ;;
            esac
            status=0
            try "$number" "$test" || status=$?
            if [ "$status" -ne 0 ]; then
                by=$test
                [ "$status" -ne 124 ] && [ "$status" -ne 137 ] || by="$test (it does not end)"
                break 2
            fi
        done <<<"$own"
    done
    unset RVJIT_PROGRAMS
    if [ -n "$by" ]; then
        killed=$((killed + 1)) verdict="killed by $by"
        [ -z "$why" ] || verdict="$verdict, though said to change nothing"
    elif [ -n "$why" ]; then
        argued=$((argued + 1)) verdict="changes nothing: $why"
    else
        survived=$((survived + 1)) verdict="SURVIVED"
    fi
    printf '%4d %4d s %s: %s\n         %s\n' "$number" $((SECONDS - start)) "$file" "$wrong" "$verdict"
done
echo "mutants: $killed killed, $survived survived, $argued change nothing, $skipped not for this host"
[ "$survived" -eq 0 ]
