#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the library for another platform, and runs a short program with it: with the shared library, and with the
# archive and what pool.pc says it needs.
# usage: run.sh SOURCE_FOLDER BUILD_FOLDER PLATFORM
set -euo pipefail
source=$1 build=$2 platform=$3

flags='' park=futex bits=64 time=64 qemu=''
case $platform in
aarch64) target=aarch64-linux-gnu qemu=qemu-aarch64 ;;
armhf) target=arm-linux-gnueabihf qemu=qemu-arm bits=32 time=32 ;;
armhf.time64) target=arm-linux-gnueabihf qemu=qemu-arm bits=32 flags='-D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64' ;;
riscv64) target=riscv64-linux-gnu qemu=qemu-riscv64 ;;
s390x) target=s390x-linux-gnu qemu=qemu-s390x ;;
ppc64le) target=powerpc64le-linux-gnu qemu=qemu-ppc64le ;;
powerpc) target=powerpc-linux-gnu qemu=qemu-ppc bits=32 time=32 ;;
mips) target=mips-linux-gnu qemu=qemu-mips bits=32 time=32 ;;
i686) target=i686-linux-gnu qemu=qemu-i386 bits=32 time=32 ;;
i686.time64) target=i686-linux-gnu qemu=qemu-i386 bits=32 flags='-D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64' ;;
i686.portable) target=i686-linux-gnu qemu=qemu-i386 bits=32 time=32 park=pthread ;;
musl) target=musl ;;
*)
  echo "usage: $0 SOURCE_FOLDER BUILD_FOLDER aarch64|armhf|armhf.time64|riscv64|s390x|ppc64le|powerpc|mips|i686|..." >&2
  exit 2
  ;;
esac
compiler=$target-gcc
for tool in "$compiler" $qemu; do
  command -v "$tool" >/dev/null || { echo "FAILED: $tool is missing; tools/test and tools/nightly install it"; exit 1; }
done

# This processor runs both kinds of programs of its family itself; their loader is beside their C library.
root=/usr/$target
case $target-$(uname -m) in
musl-*) run=(env) ;;
i686-*-x86_64) run=("$root/lib/ld-linux.so.2" --library-path "$root/lib:$build") ;;
*) run=("$qemu" -L "$root" -E "LD_LIBRARY_PATH=$build") ;;
esac

mkdir -p "$build"
log=$build/log
if ! { cmake -S "$source" -B "$build" -G Ninja -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="${target%%-*}" \
  -DCMAKE_C_COMPILER="$compiler" -DCMAKE_C_FLAGS="-O2 -Wno-psabi $flags" -DCMAKE_BUILD_TYPE=None -DPOOL_DEVELOPER=ON \
  -DPOOL_PARK=$park -DPOOL_DRIVERS=OFF -DPOOL_MAN=OFF -DBUILD_TESTING=OFF &&
  cmake --build "$build"; } >"$log" 2>&1; then
  cat "$log"
  echo "FAILED: does not build for $platform"
  exit 1
fi

private=$(sed -n 's/^Libs.private: //p' "$build/pool.pc")
common=(-std=gnu11 -O2 -Wall -Wextra -Werror -Wno-psabi $flags "-I$source/abi" "$source/tests/platforms/program.c" -pthread)
"$compiler" "${common[@]}" -o "$build/shared" "-L$build" -lpool "-Wl,-rpath,$build" "-Wl,-rpath-link,$root/lib"
"$compiler" "${common[@]}" -o "$build/static" "$build/libpool.a" $private
for program in shared static; do
  timeout 60 "${run[@]}" "$build/$program" $bits $time || { echo "FAILED: $program program on $platform"; exit 1; }
done
