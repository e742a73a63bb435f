#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each program of examples/ says in its head how it is built and run alone, and that is right.  One that needs a server of
# others, or runs for a time, is only built: its command has an argument.
# usage: examples_alone.sh SOURCE_FOLDER BUILD_FOLDER
set -euo pipefail
source=$1 build=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PKG_CONFIG_PATH=$build/uninstalled${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH} POOL_DRIVER_PATH=$build/drivers
cp "$source"/examples/*.[ch] "$work"
cd "$work"

fail() {
  echo "FAILED: $1"
  exit 1
}

count=0
for program in $(grep -l '^int main(' -- *.c); do
  command=$(sed -n '/^#include/q; s/^ \*   \(cc .*\)/\1/p' "$program")
  [ -n "$command" ] || fail "the head of examples/$program does not say how it is built and run"
  [[ $command == *"$program"* ]] || fail "the head of examples/$program builds something else: $command"
  libraries=$(sed -n 's/.*--libs \(pool \)\?\([a-z0-9]*\)).*/\2/p' <<<"$command")
  if ! pkg-config --exists "${libraries:-pool}"; then
    echo "left out, for there is no $libraries: $program"
    continue
  fi
  [[ $command =~ \&\&\ ./[a-z_]+\  ]] && command=${command%% && *}
  bash -euo pipefail -c "$command" >said 2>&1 || { cat said; fail "the command of examples/$program fails: $command"; }
  ! grep 'warning:' said || fail "the compiler warns of examples/$program"
  count=$((count + 1))
done
[ "$count" -ge 12 ] || fail "only $count programs were built"
echo "$count programs"
