#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs into a temporary prefix and builds a program of ten lines outside the tree, in every way that the README names.
# usage: install.sh SOURCE_FOLDER BUILD_FOLDER VERSION C_FLAGS
set -euo pipefail
source=$1 build=$2 version=$3 flags=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
expected="42 $version"

check() { # NAME COMMAND...
  local name=$1 printed
  shift
  printed=$("$@") || { echo "FAILED: $name exited with $?"; exit 1; }
  [ "$printed" = "$expected" ] || { echo "FAILED: $name printed '$printed', not '$expected'"; exit 1; }
  echo "$name: $printed"
}

cmake --install "$build" --prefix "$work/prefix" >/dev/null
library=$(dirname "$(find "$work/prefix" -name libpool.so)")
[ -f "$library/pool/pool-jsonrpc.so" ] || { echo "FAILED: the driver is not installed"; exit 1; }
cp "$source"/tests/packaging/ten.c "$work"
cd "$work"

# The prefix that pool.pc was made for is another: it must follow the folder that it lies in.
export PKG_CONFIG_PATH=$library/pkgconfig
pc=(pkg-config --define-prefix)
# shellcheck disable=SC2046,SC2086
cc $flags ten.c $("${pc[@]}" --cflags --libs pool) -o by_pkg_config
check "pkg-config" env LD_LIBRARY_PATH="$library" ./by_pkg_config
# shellcheck disable=SC2046,SC2086
cc $flags ten.c $("${pc[@]}" --cflags pool) "$library/libpool.a" $("${pc[@]}" --static --libs-only-other pool) -ldl \
  -o by_archive
check "static archive" ./by_archive
[ "$("${pc[@]}" --modversion pool)" = "$version" ]

sed "s|^prefix=.*|prefix=$work/prefix|" "$library/pkgconfig/pool.pc" >fixed.pc
mkdir fixed && mv fixed.pc fixed/pool.pc
# shellcheck disable=SC2046,SC2086
PKG_CONFIG_PATH=$work/fixed cc $flags ten.c $(PKG_CONFIG_PATH=$work/fixed pkg-config --cflags --libs pool) -o by_prefix
check "pkg-config with its prefix" env LD_LIBRARY_PATH="$library" ./by_prefix

mkdir consumer
cp "$source"/tests/packaging/CMakeLists.txt ten.c consumer
cmake -S consumer -B consumer/build -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_C_FLAGS="$flags" >/dev/null
cmake --build consumer/build >/dev/null
check "find_package, shared" consumer/build/shared
check "find_package, static" consumer/build/static

DESTDIR=$work/staged cmake --install "$build" --prefix /usr >/dev/null
[ -n "$(find "$work/staged/usr" -name pool.h)" ] || { echo "FAILED: DESTDIR was ignored"; exit 1; }
