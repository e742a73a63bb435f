#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The library has a probe for every event of the header, with the arguments that src/run/probe.h says, and no other.
# usage: probe_test.sh SOURCE_FOLDER LIBRARY
set -euo pipefail
source=$1 library=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# NAME COUNT_OF_ARGUMENTS, as src/run/probe.h defines them and as the notes of the library say.
grep -oE 'PROBE[0-9]\([a-z_]+, pool,' "$source/src/run/probe.h" | sed -E 's/PROBE([0-9])\(([a-z_]+),.*/\2 \1/' |
  sort >"$work/defined"
readelf --notes --wide "$library" | awk '
  /Provider:/  { provider = $NF }
  /Name:/      { name = $2 }
  /Arguments:/ { if (provider == "libpool") print name, NF - 1 }' | sort -u >"$work/found"
sed -nE 's/^#define POOL_EVENT_([A-Z_]+) .*/\L\1/p' "$source/abi/pool/event.h" | sort >"$work/events"
grep -oE '^EVENT\([A-Z_]+' "$source/src/run/events.def" | sed 's/EVENT(//' | tr 'A-Z' 'a-z' | sort >"$work/rows"
cut -d ' ' -f 1 "$work/defined" >"$work/names"

failed=0
same() { # LEFT RIGHT ADVICE
  if ! diff -u "$work/$1" "$work/$2"; then
    echo "FAILED: $3"
    failed=1
  fi
}
same events rows "the events of the headers and the rows of src/run/events.def differ: each event has its row"
same events names "the events of the headers and the probes of src/run/probe.h differ: each event has its probe"
same defined found "the probes of src/run/probe.h and the notes of the library differ: put each where its event happens"
[ "$(wc -l <"$work/found")" -ge 14 ] || { echo "FAILED: found only a few probes; is this test broken?"; failed=1; }
exit $failed
