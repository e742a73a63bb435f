#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a jar has for other systems: the libraries are for the processor and the C library that their folder names, need
# nothing that a system may not have, and a small C program loads them as the JVM does.
# usage: java_natives.sh SOURCE_FOLDER SCRATCH_FOLDER NATIVE_FOLDER SYSTEM... (MUSL_ARM: where the musl of aarch64 is)
set -euo pipefail
source=$1 scratch=$2 natives=$3
shift 3
mkdir -p "$scratch"

fail() {
  echo "FAILED: $1"
  exit 1
}

look() { # FILE MACHINE MUSL
  local machine needed
  machine=$(readelf -hW "$1" | sed -n 's/ *Machine: *//p')
  [ "$machine" = "$2" ] || fail "$1 is for $machine"
  needed=$(readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vxE 'libpool\.so\.1|ld-linux-.*')
  if [ "$3" = yes ]; then
    [ "$needed" = libc.so ] || fail "$1 needs $needed"
    ! readelf -W --dyn-syms "$1" | grep -q GLIBC || fail "$1 has symbols of glibc"
  else
    [ "$needed" = libc.so.6 ] || fail "$1 needs $needed"
  fi
  ! readelf -SW "$1" | grep -qE '\.(debug_info|symtab)' || fail "$1 is not stripped"
}

load() { # SYSTEM COMPILER RUN...
  local system=$1 program=$scratch/load-$1 said
  "$2" -std=gnu11 -O1 -Wall -Wextra -Werror "-I$source/abi" -o "$program" "$source/tests/packaging/load.c"
  shift 2
  said=$(timeout 60 "$@" "$program" "$natives/$system") || fail "$system: cannot be loaded"
  [ "$said" = "loaded, and a connection was lent" ] || fail "$system: $said"
}

for system in "$@"; do
  machine=AArch64 musl=no
  [[ $system != *x86_64* ]] || machine='Advanced Micro Devices X86-64'
  [[ $system != *-musl ]] || musl=yes
  for file in libpool.so.1 libpooljni.so; do
    look "$natives/$system/$file" "$machine" $musl
  done
  case $system in
  linux-x86_64) load $system gcc env ;;
  linux-x86_64-musl) load $system musl-gcc env ;;
  linux-aarch64) load $system aarch64-linux-gnu-gcc qemu-aarch64 -L /usr/aarch64-linux-gnu ;;
  linux-aarch64-musl) load $system "${MUSL_COMPILER:?}" qemu-aarch64 -L "${MUSL_ARM:?}" ;;
  *) fail "nobody knows how to load $system" ;;
  esac
  echo "$system: fine"
done
