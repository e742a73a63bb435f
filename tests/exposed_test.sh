#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# examples/exposed shows three busy pools to poolctl, and one of them is paused and resumed from outside.
# usage: exposed_test.sh PROGRAM POOLCTL
set -euo pipefail
program=$1 poolctl=$2
work=$(mktemp -d)
export XDG_RUNTIME_DIR=$work
coproc "$program" 600
pid=$COPROC_PID
trap 'kill $pid; rm -rf "$work"' EXIT
read -r line <&"${COPROC[0]}"
[ "$line" = 'look at it with: poolctl top' ] || { echo "FAILED: it says $line"; exit 1; }
"$poolctl" top --once >"$work/said"
for name in orders prices reports; do
  grep -q "$name" "$work/said" || { cat "$work/said"; echo "FAILED: poolctl shows no pool $name"; exit 1; }
done
"$poolctl" pause "$pid/prices" && "$poolctl" resume "$pid/prices"
