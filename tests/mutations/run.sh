#!/bin/sh
# Puts deliberate faults into a copy of the committed source and says which of them the simulation catches, after how
# many worlds of 30 days, and by what. The world that catches one is played again without it, and has to pass. Fails when
# one is not caught, or when the patch no longer fits the source.
#
# Some minutes for the build, some more for the worlds: most faults show in the first or the second.
#
#   tests/mutations/run.sh [NUMBER…]
set -eu

all='1  a write that is lost (no fsync)
2  published before it is durable
3  a login after a 5xx
4  a backoff that gives up
5  the wrong clock
6  the login quota is not persisted
7  waiters dropped
8  no jitter of renewals
9  a stale reject is honoured
10 a parent is not renewed for its tenants
11 the quota is written after the login
12 an import replaces the chain unseen
13 a token is kept past its expiry
14 a peer who leaves cancels a rotation
15 no jitter of backoffs
16 the limiter is off by one
17 forced renewals are not throttled
18 reads wait for a refresh without end
19 the access rules let everybody read
20 the quota does not follow steps of the clock
21 a login goes on after the machine slept
22 no warning before the end of a chain
23 min_ttl does not lead to a renewal
24 a refresh token is sent before its record says so
25 a parent that is too old is exchanged
26 a parent that was refused is exchanged again
27 a 500 is taken for not carried out
28 the end of the 14 days is not named
29 a backoff that does not double
30 the records of chains do not follow steps of the clock
31 nor does the quota those that happened while the daemon was down
32 nor do the records of chains'

root=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git -C "$root" archive HEAD | tar -x -C "$copy"
cd "$copy"
git apply tests/mutations/mutants.patch
: "${CARGO_TARGET_DIR:=$root/target/mutants}"
export CARGO_TARGET_DIR
# The source is another than the lints were written for.
cargo build --quiet --locked --release -p tokend-tests --bin simulate --config profile.release.lto=false \
    --config profile.release.codegen-units=16

simulate() {
    MUTANT=$1 "$CARGO_TARGET_DIR/release/simulate" --seed "$2" --seeds "$3" --days 30 2>&1
}

missed=0
for number in ${*:-$(echo "$all" | cut -d' ' -f1)}; do
    name=$(echo "$all" | sed -n "s/^$number  *//p")
    if said=$(simulate "$number" 1 200); then
        missed=$((missed + 1))
        echo "$number $name: NOT CAUGHT"
        continue
    fi
    seed=$(echo "$said" | sed -n '2s/^seed \([0-9]*\),.*/\1/p')
    if ! simulate 0 "${seed:-1}" 1 >/dev/null; then
        missed=$((missed + 1))
        echo "$number $name: seed ${seed:-?} fails without it, too"
        continue
    fi
    echo "$number $name: seed ${seed:-?}: $(echo "$said" | sed -n 1p | cut -c1-150)"
done
exit "$((missed > 0))"
