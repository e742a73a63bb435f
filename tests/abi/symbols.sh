#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The headers, the version script, the golden list and the library name the same functions, and any program can load it.
# usage: symbols.sh SOURCE_FOLDER LIBRARY
set -euo pipefail
for tool in nm readelf; do
  command -v $tool >/dev/null || { echo "FAILED: $tool is missing (Debian: apt-get install binutils)"; exit 1; }
done
source=$1 library=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What follows POOL_API up to the parameter list.
cat "$source"/abi/pool/*.h | tr '\n' ' ' | grep -oE 'POOL_API [^(;]*\(' | grep -oE 'pool_[a-z_0-9]+\($' | tr -d '(' |
  sort -u >"$work/headers"
awk '/global:/ { on = 1; next } /local:/ { on = 0 } on { gsub(/[ ;]/, ""); print }' "$source/abi/libpool.map" |
  sort -u >"$work/map"
nm --dynamic --defined-only --with-symbol-versions "$library" | awk '$2 == "T" { print $3 }' | sort >"$work/binary"
nm --dynamic --defined-only "$library" | awk '$2 !~ /^[TA]$/ { print }' >"$work/data"
sed 's/@.*//' "$work/binary" >"$work/binary_names"

failed=0
same() { # LEFT RIGHT ADVICE
  if ! diff -u "$work/$1" "$work/$2"; then
    echo "FAILED: $3"
    failed=1
  fi
}
sort "$source/abi/libpool.so.1.symbols" >"$work/golden"
same headers map "what the headers declare and abi/libpool.map lists differ: add the function to both, in a node of its release"
same map binary_names "what abi/libpool.map lists and the library exports differ: define the function, or take it off the map"
same golden binary "the exports are not those of abi/libpool.so.1.symbols: a released function must stay; for a new one, add its line"
if [ -s "$work/data" ]; then
  cat "$work/data"
  echo "FAILED: the library exports data; export functions only"
  failed=1
fi
soname=$(readelf --dynamic "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
if [ "$soname" != libpool.so.1 ]; then
  echo "FAILED: SONAME is '$soname'; it must be libpool.so.1 as long as no function is taken away"
  failed=1
fi
readelf --dynamic --wide "$library" >"$work/dynamic"
grep -q NODELETE "$work/dynamic" || { echo "FAILED: not linked with -z nodelete"; failed=1; }
if grep NEEDED "$work/dynamic" | grep -vE '\[(lib(c|pthread|dl|[a-z]+san)|ld-[a-z0-9-]+)\.so'; then
  echo "FAILED: needs a library that programs may not have; the C library must do"
  failed=1
fi
if grep STATIC_TLS "$work/dynamic"; then
  echo "FAILED: has static thread-local data, for which a running program may have no room: take the TLS model back"
  failed=1
fi
readelf --relocs --wide "$library" >"$work/relocations"
if grep -E 'R_(X86_64|386|ARM)_TLS_?DESC' "$work/relocations"; then
  echo "FAILED: finds thread-local data by descriptors, whose function destroys vector registers in C libraries before" \
    "2.40: compile without -mtls-dialect=gnu2 and the like"
  failed=1
fi
[ "$(wc -l <"$work/binary")" -gt 20 ] || { echo "FAILED: found only a few functions; is this test broken?"; failed=1; }
exit $failed
