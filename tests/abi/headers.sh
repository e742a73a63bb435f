#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each public header compiles alone, in every C and in C++, without a warning, and so does what begins its structs.
# usage: headers.sh SOURCE_FOLDER C_COMPILER ...
set -euo pipefail
source=$1
shift
work=$(mktemp -d)
failed=0
trap 'rm -rf "$work"' EXIT
# Elsewhere, where nothing lies beside them, as when they are installed.
cp -r "$source/abi/pool" "$work"
# Those of drivers too, but for those that need the headers of another library.
shopt -s nullglob
for header in "$source"/drivers/*/include/pool/*.h; do
  grep -qE '^#include <[^/]*>' "$header" || cp "$header" "$work/pool"
done
compile() { # COMPILER LANGUAGE STANDARD
  for header in "$work"/pool/*.h; do
    header=pool/${header##*/}
    {
      printf '#include <%s>\n#include <%s>\n' "$header" "$header"
      for init in $(grep -oE '\bPOOL_[A-Z_]+_INIT\b' "$work/$header" | sort -u); do
        name=${init%_INIT}
        printf '%s_t one_%s = %s;\n' "${name,,}" "${name,,}" "$init"
      done
      printf 'int main(void) { return 0; }\n'
    } >"$work/alone.$2"
    "$1" -x "$2" -std="$3" -pedantic -Wall -Wextra -Werror -Wno-long-long -I"$work" -fsyntax-only "$work/alone.$2" ||
      { echo "FAILED: $header as $3"; failed=1; }
  done
  [ $failed -eq 0 ] || exit 1
}
for compiler in "$@"; do
  command -v "$compiler" >/dev/null ||
    { echo "FAILED: $compiler is missing (Debian: apt-get install gcc clang)"; exit 1; }
  for standard in c90 c11 c17; do compile "$compiler" c $standard; done
  for standard in c++11 c++17; do compile "$compiler" c++ $standard; done
done
