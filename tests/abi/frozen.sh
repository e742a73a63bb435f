#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a release promised stays: its frozen copies are as they were, its structs, numbers, functions and table are found
# in today's headers where they were.
# usage: frozen.sh SOURCE_FOLDER C_COMPILER
set -euo pipefail
source=$1 compiler=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
layout=$(dirname "${BASH_SOURCE[0]}")/layout.sh
failed=0

fail() {
  echo "FAILED: $1"
  failed=1
}

# numbers FOLDER: every number that has a name; the version is what changes.
numbers() {
  cat "$1"/pool/*.h | grep -oE '^#define POOL_[A-Z_0-9]+ +[-(0-9][-0-9xu()]*' | grep -v '^#define POOL_VERSION_' |
    sed -E 's/ +/ /g' | sort
}

(cd "$source" && sha256sum --check --strict --quiet abi/frozen.sha256) ||
  fail "a frozen copy was changed or is gone; bring it back, a release is what it was (git checkout tests/compat)"
(cd "$source" && find tests/compat -type f | sort) >"$work/present"
sed 's/^[0-9a-f]*  //' "$source/abi/frozen.sha256" | sort >"$work/listed"
diff -u "$work/listed" "$work/present" ||
  fail "tests/compat and abi/frozen.sha256 differ: tools/freeze adds a release to both"

releases=0
for release in "$source"/tests/compat/*; do
  name=${release##*/}
  releases=$((releases + 1))
  "$layout" "$release" "$compiler" "$release" >"$work/then"
  [ "$(wc -l <"$work/then")" -gt 150 ] ||
    fail "found only a few members in the structs of $name; is this test broken?"
  if ! "$layout" "$source/abi" "$compiler" "$release" >"$work/now" || ! diff -u "$work/then" "$work/now"; then
    fail "a struct is not what it was in $name: add members at its end only"
  fi
  numbers "$release" >"$work/then"
  numbers "$source/abi" >"$work/now"
  comm -23 "$work/then" "$work/now" >"$work/lost"
  if [ -s "$work/lost" ]; then
    cat "$work/lost"
    fail "a number of $name has changed or is gone: numbers are never changed and never used again"
  fi
  sort "$release/libpool.so.1.symbols" >"$work/then"
  sort "$source/abi/libpool.so.1.symbols" >"$work/now"
  comm -23 "$work/then" "$work/now" >"$work/lost"
  if [ -s "$work/lost" ]; then
    cat "$work/lost"
    fail "a function of $name is gone or moved to another node: programs that need it would not start"
  fi
  grep -v '^#' "$release/signatures.txt" >"$work/then"
  grep -v '^#' "$source/abi/signatures.txt" | head -n "$(wc -l <"$work/then")" >"$work/now"
  diff -u "$work/then" "$work/now" ||
    fail "abi/signatures.txt does not begin with that of $name: signatures and their order are for ever; add at the end"
done
[ $releases -gt 0 ] || fail "there is no frozen release in tests/compat"
exit $failed
