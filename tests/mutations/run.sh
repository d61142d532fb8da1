#!/bin/sh
# Puts deliberate faults into a copy of the committed source and says which of them are caught, by which rule of the
# simulation, and in which world. One patch each: its first lines say `what:` it does and which `rule:` has to fire, or
# which unit `test:` of the daemon's has to fail where the simulation cannot see it. Another rule is no catch. The world
# that catches a fault is played again without it, and has to pass. Fails when one is not caught, or no longer fits the
# source.
#
# For each a line: number, what, rule expected, rule that fired, seed.
#
# All are in one build, each behind a switch: some minutes for it, some more for the worlds, of which most faults need one
# or two.
#
#   tests/mutations/run.sh [NUMBER…]
set -eu

root=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git -C "$root" archive HEAD | tar -x -C "$copy"
cd "$copy"
patches=$copy/tests/mutations
: "${CARGO_TARGET_DIR:=$root/target/mutants}"
export CARGO_TARGET_DIR
worlds=${WORLDS:-200}

number() { basename "$1" | cut -d- -f1; }
of() { sed -n "s/^$1: //p" "$2" | head -n 1; }
apply() { git apply -C1 "$1" 2>/dev/null; }

apply "$patches/00-switch.patch" || { echo "the switch does not fit the source" >&2; exit 1; }
broken=
chosen=
tests=
for patch in "$patches"/*.patch; do
    number=$(number "$patch")
    [ "$number" = 00 ] && continue
    if ! apply "$patch"; then
        broken="$broken $number"
    fi
    for wanted in ${*:-"$number"}; do
        if [ "$(printf %02d "${wanted#0}")" = "$number" ]; then
            chosen="$chosen $patch"
            [ -z "$(of test "$patch")" ] || tests=some
        fi
    done
done

cargo build --quiet --locked --release -p tokend-tests-simulation --bin simulate --config profile.release.lto=false \
    --config profile.release.codegen-units=16
[ -z "$tests" ] || cargo test --quiet --locked -p tokend --lib --no-run

# Plays worlds with a fault from a seed on until one breaks the rule.
play() {
    MUTANT=$1 "$CARGO_TARGET_DIR/release/simulate" --threads "$(nproc)" --days 30 --seed "$2" --seeds "$3" --rule "$4" 2>&1
}

# Whether a unit test passes with a fault.
passes() {
    MUTANT=$1 cargo test --quiet --locked -p tokend --lib -- --exact "$2" >"$copy/said" 2>&1
}

missed=0
say() {
    echo "$1, $2, $3, $4, $5"
    case $4 in
    "$3") ;;
    *) missed=$((missed + 1)) ;;
    esac
}

for patch in $chosen; do
    number=$(number "$patch")
    what=$(of what "$patch")
    rule=$(of rule "$patch")
    test=$(of test "$patch")
    case " $broken " in
    *" $number "*)
        say "$number" "$what" "${rule:-$test}" "DOES NOT FIT THE SOURCE" -
        continue
        ;;
    esac
    switch=${number#0}
    if [ -n "$test" ]; then
        fired=NONE
        if ! passes "$switch" "$test" && grep -q "1 failed" "$copy/said" && passes 0 "$test" && grep -q "1 passed" "$copy/said"; then
            fired=$test
        fi
        say "$number" "$what" "$test" "$fired" -
        continue
    fi
    fired=NONE
    seed=1
    others=
    while [ "$seed" -le "$worlds" ]; do
        if said=$(play "$switch" "$seed" $((worlds - seed + 1)) "$rule"); then
            break
        fi
        others=$(echo "$said" | sed -n "s/^seed [0-9]*: \([a-z0-9-]*\): .*/\1/p" | grep -vx "$rule" | sort | uniq -c | sort -rn | head -n 2 | tr -s ' ' | tr '\n' ' ')
        seed=$(echo "$said" | sed -n "s/^seed \([0-9]*\): $rule: .*/\1/p" | head -n 1)
        [ -n "$seed" ] || break
        if play 0 "$seed" 1 "$rule" >/dev/null; then
            fired=$rule
            break
        fi
        seed=$((seed + 1))
    done
    [ "$fired" = "$rule" ] || { fired="NONE (others:${others:- none})"; seed=-; }
    say "$number" "$what" "$rule" "$fired" "${seed:--}"
done
exit "$((missed > 0))"
