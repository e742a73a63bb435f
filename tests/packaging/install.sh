#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs into a temporary prefix and builds a program of ten lines outside the tree, in every way that the README names.
# usage: install.sh SOURCE_FOLDER BUILD_FOLDER VERSION C_FLAGS
set -euo pipefail
source=$1 build=$2 version=$3 flags=${4:-}
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

# pool.pc follows the folder that it lies in.
export PKG_CONFIG_PATH=$library/pkgconfig
# shellcheck disable=SC2046,SC2086
cc $flags ten.c $(pkg-config --cflags --libs pool) -o by_pkg_config
check "pkg-config" env LD_LIBRARY_PATH="$library" ./by_pkg_config
# shellcheck disable=SC2046,SC2086
cc $flags ten.c $(pkg-config --cflags pool) "$library/libpool.a" $(pkg-config --static --libs-only-other pool) -ldl \
  -o by_archive
check "static archive" ./by_archive
[ "$(pkg-config --modversion pool)" = "$version" ] || { echo "FAILED: pool.pc has another version"; exit 1; }

cp -r "$work/prefix" "$work/moved"
export PKG_CONFIG_PATH=${library/prefix/moved}/pkgconfig
# shellcheck disable=SC2046,SC2086
cc $flags ten.c $(pkg-config --cflags --libs pool) -o moved_away
rm -r "$work/moved/include" # what was compiled above came from there, and now it is gone
# shellcheck disable=SC2046,SC2086
! cc $flags ten.c $(pkg-config --cflags --libs pool) -o moved_away 2>/dev/null || { echo "FAILED: not from the moved tree"; exit 1; }
check "a moved prefix" env LD_LIBRARY_PATH="${library/prefix/moved}" ./moved_away

mkdir consumer
cp "$source"/tests/packaging/CMakeLists.txt ten.c consumer
cmake -S consumer -B consumer/build -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_C_FLAGS="$flags" >/dev/null
cmake --build consumer/build >/dev/null
check "find_package, shared" consumer/build/shared
check "find_package, static" consumer/build/static

DESTDIR=$work/staged cmake --install "$build" --prefix /usr >/dev/null
[ -n "$(find "$work/staged/usr" -name pool.h)" ] || { echo "FAILED: DESTDIR was ignored"; exit 1; }
