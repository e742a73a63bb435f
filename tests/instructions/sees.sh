#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The guard sees what has grown: with a record that is 4 % lower it fails and says what to do; a record of another
# compiler is no reason to fail, and that is said.
# usage: sees.sh RECORD TOOLCHAIN COMMAND...
set -euo pipefail
record=$1 toolchain=$2
shift 2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk '$1 == "c" { $2 /= 1.04 } { print }' "$record" >"$work/record"
status=0
said=$("$here/guard.sh" "$work/record" c "$toolchain" 10000 "$@") || status=$?
if [ "$status" -ne 77 ]; then
  [ "$status" -eq 1 ] && grep -q 'FAILED: a get and a put have grown' <<<"$said" || { echo "FAILED: $said"; exit 1; }
fi
status=0
said=$("$here/guard.sh" "$record" c none-1 10000 "$@") || status=$?
[ "$status" -eq 77 ] && grep -q 'nothing to compare with' <<<"$said" || { echo "FAILED: $said"; exit 1; }
