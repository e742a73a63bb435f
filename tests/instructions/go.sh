#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the program in Go, in a folder of its own, against the module of this build; then guard.sh counts.
# usage: go.sh RECORD TOOLCHAIN TIMES MODULE GO
set -euo pipefail
record=$1 toolchain=$2 times=$3 module=$4 go=$5
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/cycle.go" "$work"
printf 'module cycle\n\ngo 1.19\n\nrequire libpool.example/go v0.0.0\n\nreplace libpool.example/go => %s\n' "$module" \
  >"$work/go.mod"
(cd "$work" && "$go" build -o cycle .)
LD_PRELOAD=$POOL_RELEASED "$here/guard.sh" "$record" go "$toolchain" "$times" "$work/cycle"
