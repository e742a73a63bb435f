#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each public header compiles alone, in every C and in C++, without a warning.
# usage: headers.sh SOURCE_FOLDER C_COMPILER ...
set -euo pipefail
source=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
compile() { # COMPILER LANGUAGE STANDARD
  local compiler=$1
  shift
  for header in pool/pool.h pool/step.h pool/driver.h pool/api.h; do
    printf '#include <%s>\n#include <%s>\nint main(void) { pool_config_t c = POOL_CONFIG_INIT; return c.initial; }\n' \
      "$header" "$header" >"$work/alone.$1"
    "$compiler" -x "$1" -std="$2" -pedantic -Wall -Wextra -Werror -Wno-long-long -I"$source/abi" -fsyntax-only \
      "$work/alone.$1" || { echo "FAILED: $header as $2"; exit 1; }
  done
}
for compiler in "$@"; do
  command -v "$compiler" >/dev/null ||
    { echo "FAILED: $compiler is missing (Debian: apt-get install gcc clang)"; exit 1; }
  for standard in c90 c11 c17; do compile "$compiler" c $standard; done
  for standard in c++11 c++17; do compile "$compiler" c++ $standard; done
done
