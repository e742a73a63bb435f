#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# abi/signatures.txt, the headers and the table of pool/api.h name the same functions, with the same types, in one
# order; and C++ calls them by the same names.
# usage: signatures.sh SOURCE_FOLDER C_COMPILER
set -euo pipefail
source=$1 compiler=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

grep -v '^#' "$source/abi/signatures.txt" >"$work/signatures"
grep -oE '\bpool_[a-z_0-9]+\(' "$work/signatures" | tr -d '(' >"$work/names"
sed 's/@.*//' "$source/abi/libpool.so.1.symbols" | sort >"$work/exported"
if ! diff -u "$work/exported" <(sort "$work/names"); then
  echo "FAILED: abi/libpool.so.1.symbols and abi/signatures.txt differ: add what is new at the end of abi/signatures.txt"
  failed=1
fi
if [ "$(head -1 "$work/names")" != pool_get_api ]; then
  echo "FAILED: the first line of abi/signatures.txt must be that of pool_get_api, which gives the table"
  failed=1
fi
tail -n +2 "$work/names" >"$work/table"

# compiles FILE STANDARD ADVICE: whatever C says twice it must say alike, so declaring a thing again is a comparison.
compiles() {
  if ! "$compiler" -std="$2" -Wall -Werror -I"$source/abi" -fsyntax-only "$work/$1"; then
    echo "FAILED: $3"
    failed=1
  fi
}

{
  echo '#include <pool/api.h>'
  sed 's/$/;/' "$work/signatures"
} >"$work/types.c"
compiles types.c gnu11 "abi/signatures.txt and the headers differ: a function that was released keeps its types"
{
  echo '#include <pool/api.h>'
  sed 's/.*/extern "C" &;/' "$work/signatures"
} >"$work/types.cpp"
compiles types.cpp gnu++17 "a function has another name in C++: declare it between extern \"C\" { and }"

{
  echo '#include <pool/api.h>'
  position=0
  while read -r name; do
    member=${name#pool_}
    echo "extern __typeof__(*((pool_api_t *)0)->$member) $name;"
    offset="sizeof(size_t) + $position * sizeof(void (*)(void))"
    echo "_Static_assert(offsetof(pool_api_t, $member) == $offset, \"$member\");"
    position=$((position + 1))
  done <"$work/table"
  echo "_Static_assert(sizeof(pool_api_t) == sizeof(size_t) + $position * sizeof(void (*)(void)), \"the whole\");"
} >"$work/table.c"
compiles table.c gnu11 "pool_api_t is not abi/signatures.txt: same functions, same types, same order; new ones go to the end of both"
exit $failed
