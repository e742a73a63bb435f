#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Counts the instructions of a get and a put, as the difference of two runs, and compares them with the record.
# usage: guard.sh RECORD LANGUAGE TOOLCHAIN TIMES COMMAND...   (which is told how often)
set -euo pipefail
record=$1 language=$2 toolchain=$3 times=$4
shift 4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
few=1000

# The runtimes do something of their own beside; this keeps it the same each time.
export GOMAXPROCS=1 GOGC=off GODEBUG=asyncpreemptoff=1 RUBYOPT=--disable-gems

count() { # TIMES
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "${command[@]}" "$1" >"$work/said" 2>&1 || true
  sed -n 's/.*Collected : //p' "$work/said" | grep . || { cat "$work/said" >&2; return 1; }
}
command=("$@")
begun=$(count $few)
ended=$(count $((few + times)))
tenths=$(((ended - begun) * 10 / times))
now=$((tenths / 10)).$((tenths % 10))

last=$(awk -v language="$language" -v toolchain="$toolchain" '$1 == language && $3 == toolchain { line = $0 } END { print line }' \
  "$record")
if [ -z "$last" ]; then
  echo "$language: $now instructions, and the record has none for $toolchain: nothing to compare with"
  exit 77
fi
read -r _ before _ _ <<<"$last"
awk -v language="$language" -v before="$before" -v now="$now" -v toolchain="$toolchain" 'BEGIN {
  grown = (now / before - 1) * 100
  printf "%s: %s instructions, and %s in the record (%+.1f %%)\n", language, now, before, grown
  if (grown > 3) {
    print "FAILED: a get and a put have grown; make them shorter, or add a line to tests/instructions/record.txt:"
    print language, now, toolchain, "why"
    exit 1
  }
  if (grown < -3)
    print "they have become shorter: a line in tests/instructions/record.txt would keep them so"
}'
