#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each guard of the ABI catches the mistake that it is there for: made here, in a copy.
# usage: guards.sh SOURCE_FOLDER C_COMPILER LIBRARY
set -euo pipefail
source=$1 compiler=$2 library=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
made=0

# caught MISTAKE FILE SED_SCRIPT MESSAGE GUARD ARGUMENT...: once the mistake is made in a copy of the contract, the
# guard fails with that message.
caught() {
  local mistake=$1 file=$work/copy/$2 script=$3 message=$4
  shift 4
  rm -rf "$work/copy"
  mkdir -p "$work/copy/tests"
  cp -r "$source/abi" "$work/copy/abi"
  cp -r "$source/tests/compat" "$work/copy/tests/compat"
  sed -i -E "$script" "$file"
  ! cmp -s "$file" "$source/${file#"$work/copy/"}" || { echo "FAILED: the mistake was not made: $mistake"; exit 1; }
  if "$@" >"$work/said" 2>&1; then
    echo "FAILED: not caught: $mistake"
    exit 1
  fi
  if ! grep -qF "FAILED: $message" "$work/said"; then
    cat "$work/said"
    echo "FAILED: caught with other words than '$message': $mistake"
    exit 1
  fi
  made=$((made + 1))
}

copy=$work/copy
guards=$source/tests/abi
symbols=("$guards/symbols.sh" "$copy" "$library")
signatures=("$guards/signatures.sh" "$copy" "$compiler")
headers=("$guards/headers.sh" "$copy" "$compiler")
frozen=("$guards/frozen.sh" "$copy" "$compiler")

caught "a function in no node of the version script" abi/libpool.map '/pool_put;/d' \
  "what the headers declare and abi/libpool.map lists differ" "${symbols[@]}"
caught "a function that the library does not have" abi/libpool.map 's/( +)pool_put;/&\n\1pool_putt;/' \
  "what abi/libpool.map lists and the library exports differ" "${symbols[@]}"
caught "a function added without a line in the golden list" abi/libpool.so.1.symbols '/^pool_put@/d' \
  "the exports are not those of abi/libpool.so.1.symbols" "${symbols[@]}"
caught "a released function taken away, or moved to another node" abi/libpool.so.1.symbols 's/^pool_put@.*/&0/' \
  "the exports are not those of abi/libpool.so.1.symbols" "${symbols[@]}"

caught "a header that needs more than C90" abi/pool/api.h \
  's|^typedef struct \{|inline int pool_one(void) { return 1; }\n&|' \
  "pool/api.h as c90" "${headers[@]}"

caught "an exported function without a place in the table" abi/libpool.so.1.symbols '$a pool_zap@@POOL_1.0' \
  "abi/libpool.so.1.symbols and abi/signatures.txt differ" "${signatures[@]}"
caught "a function in the list, but not in the table" abi/pool/api.h '/\(\*step_next\)/d' \
  "pool_api_t is not abi/signatures.txt" "${signatures[@]}"
caught "a function in the table, but not in the list" abi/pool/api.h 's/^\} pool_api_t;/  int (*zap)(void);\n&/' \
  "pool_api_t is not abi/signatures.txt" "${signatures[@]}"
caught "two functions of the table that changed places" abi/pool/api.h \
  's/int \(\*(flush|pause)\)/int (*NEW\1)/; s/NEWflush/pause/; s/NEWpause/flush/' \
  "pool_api_t is not abi/signatures.txt" "${signatures[@]}"
caught "a new function in the middle of the table" abi/pool/api.h 's/^  int \(\*flush\)/  int (*zap)(void);\n&/' \
  "pool_api_t is not abi/signatures.txt" "${signatures[@]}"
caught "another type in the table than in the header" abi/pool/api.h \
  's/\(\*resize\)\(pool_t \*pool, int32_t/(*resize)(pool_t *pool, int64_t/' \
  "pool_api_t is not abi/signatures.txt" "${signatures[@]}"
caught "a function whose parameter became wider" abi/pool/pool.h \
  's/pool_resize\(pool_t \*pool, int32_t/pool_resize(pool_t *pool, int64_t/' \
  "abi/signatures.txt and the headers differ" "${signatures[@]}"
caught "a function whose result became narrower" abi/pool/pool.h \
  's/^POOL_API int64_t pool_maintain/POOL_API int32_t pool_maintain/' \
  "abi/signatures.txt and the headers differ" "${signatures[@]}"
caught "a parameter that became const" abi/pool/pool.h \
  's/pool_stats\(pool_t \*pool, /pool_stats(const pool_t *pool, /' \
  "abi/signatures.txt and the headers differ" "${signatures[@]}"
caught "a list that does not begin with what gives the table" abi/signatures.txt '/pool_get_api/{h;d}; ${p;x}' \
  "the first line of abi/signatures.txt must be that of pool_get_api" "${signatures[@]}"

caught "two fields that changed places" abi/pool/pool.h \
  's/^  int32_t (initial|min_idle); /  int32_t NEW\1; /; s/NEWinitial/min_idle/; s/NEWmin_idle/initial/' \
  "a struct is not what it was in 1.0" "${frozen[@]}"
caught "a new field in the middle" abi/pool/pool.h 's/^  int32_t max_open; /  int32_t zap; \/**\/\n&/' \
  "a struct is not what it was in 1.0" "${frozen[@]}"
caught "a field of another size" abi/pool/step.h 's/^  int32_t reason; /  int64_t reason; /' \
  "a struct is not what it was in 1.0" "${frozen[@]}"
caught "a field that is gone" abi/pool/driver.h '/^  const char \*name;/d' \
  "a struct is not what it was in 1.0" "${frozen[@]}"
caught "callbacks that changed places" abi/pool/pool.h \
  's/^  int \(\*(check|reset)\)/  int (*NEW\1)/; s/NEWcheck/reset/; s/NEWreset/check/' \
  "a struct is not what it was in 1.0" "${frozen[@]}"
caught "two functions that changed places in the table and in the list" abi/signatures.txt \
  '/pool_flush/{h;d}; /pool_pause/{G}' \
  "abi/signatures.txt does not begin with that of 1.0" "${frozen[@]}"
caught "an error code that was used again" abi/pool/pool.h 's/(#define POOL_E_OLDER +)\(-17\)/\1(-16)/' \
  "a number of 1.0 has changed or is gone" "${frozen[@]}"
caught "an event that is gone" abi/pool/pool.h '/#define POOL_EVENT_STARVED/d' \
  "a number of 1.0 has changed or is gone" "${frozen[@]}"
caught "a function that is gone" abi/libpool.so.1.symbols '/^pool_put@/d' \
  "a function of 1.0 is gone or moved" "${frozen[@]}"
caught "a function in another node than before" abi/libpool.so.1.symbols 's/^(pool_put@@POOL_).*/\11.1/' \
  "a function of 1.0 is gone or moved" "${frozen[@]}"
caught "a frozen header that was changed" tests/compat/1.0/pool/pool.h 's/30000, -1/20000, -1/' \
  "a frozen copy was changed or is gone" "${frozen[@]}"
caught "a frozen caller that was made easier" tests/compat/1.0/caller.c '/EXPECT\(pool_put/d' \
  "a frozen copy was changed or is gone" "${frozen[@]}"
caught "a frozen release whose checksums were taken away" abi/frozen.sha256 '/driver.c/d' \
  "tests/compat and abi/frozen.sha256 differ" "${frozen[@]}"

echo "$made mistakes caught"
