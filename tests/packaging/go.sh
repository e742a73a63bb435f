#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A Go program in a folder of its own uses an installed libpool.  go.sh SOURCE BUILD GO
set -euo pipefail
source=$1 build=$2 go=$3

if grep -l '"unsafe"' -r "$source/bindings/go"; then
  echo "imports unsafe"
  exit 1
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cmake --install "$build" --prefix "$scratch/usr" >/dev/null
pc=$(find "$scratch/usr" -name pool.pc)
mkdir "$scratch/ten"
cp "$source/tests/packaging/ten.go" "$scratch/ten/main.go"
cd "$scratch/ten"
cat >go.mod <<MODULE
module ten

go 1.19

require libpool.example/go v0.0.0

replace libpool.example/go => $scratch/usr/share/pool/go
MODULE
PKG_CONFIG_PATH=$(dirname "$pc") "$go" build -o ten .
said=$(LD_LIBRARY_PATH=$(dirname "$(dirname "$pc")") ./ten)
[ "$said" = "7 * 8 = 56" ] || {
  echo "it says: $said"
  exit 1
}
