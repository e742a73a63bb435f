#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The module's tests of pools on a processor of 32 bits, with the library inside: i386, which this processor runs itself.
# The drivers need libraries for it, and are left to the others.
# usage: go_32bit.sh MODULE_FOLDER GO; GOCACHE is set
set -euo pipefail
module=$1 go=$2
root=/usr/i686-linux-gnu
command -v i686-linux-gnu-gcc >/dev/null || { echo "FAILED: i686-linux-gnu-gcc is missing; tools/test installs it"; exit 1; }
export GOARCH=386 CGO_ENABLED=1 CGO_CFLAGS=-O1 CC=i686-linux-gnu-gcc GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local
unset PKG_CONFIG_PATH
cd "$module"
tests=$(grep -LE '"(jsonrpc|os/exec)|jsonrpc://' pool/*_test.go | grep -v bench_test | xargs sed -n 's/^func \(Test[A-Za-z0-9_]*\)(.*/\1/p')
[ "$(wc -w <<<"$tests")" -gt 40 ] || { echo "FAILED: no tests of pools: $tests"; exit 1; }
exec "$go" test -vet=off -count=1 -exec "$root/lib/ld-linux.so.2 --library-path $root/lib" -run "^($(paste -sd'|' <<<"$tests"))\$" ./pool
