#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The example is built in a folder of its own with what was installed, and the page about Go shows what is in it.
# go.sh SOURCE BUILD GO
set -euo pipefail
source=$1 build=$2 go=$3

fail() {
  echo "$1" >&2
  exit 1
}

# The words of the library are in its own memory, of which Go knows nothing; and so are texts for C, and lists from there.
if grep -l '"unsafe"' -r "$source/bindings/go" | grep -vxE "$source/bindings/go/pool/(view|budget).go"; then
  fail "imports unsafe"
fi

# Each line of Go on the page, but for its place on the line, is one of the example's.
shown=$(sed -n '/^```go$/,/^```$/p' "$source/docs/go.md" | grep -v '^```' | sed 's/^[[:space:]]*//' | grep -vx '')
[ "$(wc -l <<<"$shown")" -gt 10 ] || fail "docs/go.md shows next to nothing"
while IFS= read -r line; do
  grep -rqE "^[[:space:]]*$(sed 's/[][\.*^$()+?{|]/\\&/g' <<<"$line")$" "$source/examples/go" ||
    fail "docs/go.md shows what is not in examples/go: $line"
done <<<"$shown"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cmake --install "$build" --prefix "$scratch/usr" >/dev/null
pc=$(find "$scratch/usr" -name pool.pc)
cp -r "$source/examples/go" "$scratch/arith"
cd "$scratch/arith"
"$go" mod edit -replace "libpool.example/go=$scratch/usr/share/pool/go"
PKG_CONFIG_PATH=$(dirname "$pc") "$go" build -o arith .
said=$(LD_LIBRARY_PATH=$(dirname "$(dirname "$pc")") timeout 60 ./arith)
[ "$said" = "clients: 7 * 8 = 56
driver: 7 * 8 = 56
rpcpool: 7 * 8 = 56" ] || fail "it says: $said"
PKG_CONFIG_PATH=$(dirname "$pc") "$go" build -o shop ./tenants
said=$(LD_LIBRARY_PATH=$(dirname "$(dirname "$pc")") timeout 60 ./shop)
[ "$said" = "tenants: 50 keys, at most 4 connections" ] || fail "the tenants say: $said"
