#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each guard of the ABI catches the mistake that it is there for: made here, in a copy.
# usage: guards.sh SOURCE_FOLDER C_COMPILER LIBRARY ARCHIVE
set -euo pipefail
source=$1 compiler=$2 library=$3 archive=$4
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
headers=("$guards/headers.sh" "$copy" gcc clang)
structs=("$guards/structs.sh" "$copy" "$compiler")
docs=("$guards/docs.sh" "$copy")
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

caught "a header that only gcc takes" abi/pool/api.h \
  '$a #ifdef __clang__\ntypedef int pool_t;\n#endif' "pool/api.h as c90" "${headers[@]}"
caught "a header that no C++ takes" abi/pool/step.h \
  's/^#define POOL_WORK_NONE 0/&\nstatic const int *pool_new(int *class) { return class; }/' \
  "pool/step.h as" "${headers[@]}"
caught "a header that needs a file that is not installed" abi/pool/step.h \
  's|^#include <pool/pool.h>|#include "../../tests/compat/1.0/pool/pool.h"|' "pool/step.h as c90" "${headers[@]}"
caught "a header with an initialiser that C90 does not know" abi/pool/step.h \
  's/(POOL_STEP_INIT \{) sizeof.*/\1 .work = 0 }/' "pool/step.h as c90" "${headers[@]}"
caught "an initialiser that forgets members" abi/pool/vtable.h 's/(POOL_VTABLE_INIT .*), 0, 0 \}/\1 }/' \
  "pool/driver.h as c90" "${headers[@]}"
caught "a new header that does not compile" abi/pool/step.h "s/^typedef struct \\{/&/w $copy/abi/pool/zap.h
  \$a /* */" "pool/zap.h as c90" "${headers[@]}"

caught "a struct with two fields that changed places" abi/pool/step.h \
  's/^  int64_t (ticket|wake); /  int64_t NEW\1; /; s/NEWticket/wake/; s/NEWwake/ticket/' \
  "a public struct has changed" "${structs[@]}"
caught "a struct that grew" abi/pool/vtable.h 's/^  uint32_t reserved; .*/&\n  int64_t zap;/' \
  "a public struct has changed" "${structs[@]}"

caught "a function without documentation" abi/pool/pool.h 's/^POOL_API int pool_put/int zap_zap;\n&/' \
  "pool_put: there is no documentation block before it" "${docs[@]}"
caught "a function that does not say whether it waits" abi/pool/step.h 's/Blocks: no\.//' \
  "pool_step_create: the documentation does not say whether it waits" "${docs[@]}"
caught "a function that does not say which threads may call it" abi/pool/driver.h 's/Threads: any\.//' \
  "pool_driver_prepare: the documentation does not say which threads" "${docs[@]}"
caught "a function that does not say whether a callback may call it" abi/pool/pool.h 's/From a callback: yes\.//' \
  "pool_len: the documentation does not say whether a callback may call it" "${docs[@]}"
caught "a function that does not say how it fails" abi/pool/pool.h 's/POOL_E_|Errors/FAILURE/g' \
  "pool_pause: the documentation does not say how it fails" "${docs[@]}"
caught "a function that does not say since when it is there" abi/pool/api.h 's/Since 0.1\.//' \
  "pool_get_api: the documentation does not say since which release" "${docs[@]}"
caught "a function that does not say to whom its result belongs" abi/pool/stats.h 's/Ownership|[Ff]rees|[Ff]reed//g' \
  "pool_report: the documentation does not say to whom" "${docs[@]}"
caught "a time without its unit" abi/pool/pool.h 's/timeout_ms\);/timeout);/' \
  "pool_get_for: the name of a time must end in its unit" "${docs[@]}"
caught "a setting without its unit" abi/pool/config.h 's/int64_t idle_timeout_ms;/int64_t idle_timeout;/' \
  "the name of a time must end in its unit" "${docs[@]}"

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
caught "a parameter that became const" abi/pool/stats.h \
  's/pool_stats\(pool_t \*pool, /pool_stats(const pool_t *pool, /' \
  "abi/signatures.txt and the headers differ" "${signatures[@]}"
caught "functions that have other names in C++" abi/pool/driver.h 's/^#ifdef __cplusplus/#ifdef POOL_ZAP/' \
  "a function has another name in C++" "${signatures[@]}"
caught "a list that does not begin with what gives the table" abi/signatures.txt '/pool_get_api/{h;d}; ${p;x}' \
  "the first line of abi/signatures.txt must be that of pool_get_api" "${signatures[@]}"

caught "two fields that changed places" abi/pool/config.h \
  's/^  int32_t (initial|min_idle);/  int32_t NEW\1;/; s/NEWinitial/min_idle/; s/NEWmin_idle/initial/' \
  "a struct is not what it was in 1.0" "${frozen[@]}"
caught "a new field in the middle" abi/pool/config.h 's/^  int32_t max_open;/  int32_t zap;\n&/' \
  "a struct is not what it was in 1.0" "${frozen[@]}"
caught "a field of another size" abi/pool/step.h 's/^  int32_t reason; /  int64_t reason; /' \
  "a struct is not what it was in 1.0" "${frozen[@]}"
caught "a field that is gone" abi/pool/driver.h '/^  const char \*name;/d' \
  "a struct is not what it was in 1.0" "${frozen[@]}"
caught "callbacks that changed places" abi/pool/vtable.h \
  's/^  int \(\*(check|reset)\)/  int (*NEW\1)/; s/NEWcheck/reset/; s/NEWreset/check/' \
  "a struct is not what it was in 1.0" "${frozen[@]}"
caught "a struct without a size that grew" abi/pool/stats.h 's/^  int64_t max_ns; .*/&\n  int64_t zap;/' \
  "a struct is not what it was in 1.0" "${frozen[@]}"
caught "a setting that begins as something else" abi/pool/config.h 's/30000, -1/20000, -1/' \
  "a struct is not what it was in 1.0" "${frozen[@]}"
caught "a new member that does not begin as 0" abi/pool/config.h \
  's/^\} pool_config_t;/  int64_t zap;\n&/; s/^( {10,}.*[A-Z0-9]) \}$/\1, -1 }/' \
  "what is new must be 0 in POOL_*_INIT" "${frozen[@]}"
caught "a new struct without a size" abi/pool/step.h \
  's/^#define POOL_WORK_NONE .*/&\ntypedef struct pool_zap {\n  int32_t zap;\n} pool_zap_t;/' \
  "what is new must be 0 in POOL_*_INIT" "${frozen[@]}"
caught "a member that lost its sign" abi/pool/config.h 's/^  int32_t max_waiters;/  uint32_t max_waiters;/' \
  "a type is not what it was in 1.0" "${frozen[@]}"
caught "a text that programs may write to" abi/pool/event.h 's/^  const char \*tag; /  char *tag; /' \
  "a type is not what it was in 1.0" "${frozen[@]}"
caught "a callback of a vtable with a parameter more" abi/pool/vtable.h \
  's/\(\*close\)\(void \*context, void \*conn,/(*close)(void *context, void *conn, int64_t deadline_ns,/' \
  "a type is not what it was in 1.0" "${frozen[@]}"
caught "a callback with another parameter" abi/pool/event.h \
  's/pool_log_fn\(void \*user, int32_t/pool_log_fn(void *user, int64_t/' \
  "a type is not what it was in 1.0" "${frozen[@]}"
caught "a struct that must lie elsewhere" abi/pool/config.h \
  's/^\} pool_config_t;/} __attribute__((aligned(16))) pool_config_t;/' \
  "a type is not what it was in 1.0" "${frozen[@]}"
caught "a type that is gone" abi/pool/driver.h 's/ pool_driver_fn\(/ pool_driver_entry(/' \
  "a type is not what it was in 1.0" "${frozen[@]}"
caught "two functions that changed places in the table and in the list" abi/signatures.txt \
  '/pool_flush/{h;d}; /pool_pause/{G}' \
  "abi/signatures.txt does not begin with that of 1.0" "${frozen[@]}"
caught "an error code that was used again" abi/pool/types.h 's/(#define POOL_E_OLDER +)\(-17\)/\1(-16)/' \
  "a number of 1.0 has changed or is gone" "${frozen[@]}"
caught "a number on a line of its own" abi/pool/step.h 's|^  2 /\*\*<|  5 /**<|' \
  "a number of 1.0 has changed or is gone" "${frozen[@]}"
caught "a number that was a name" abi/pool/types.h 's/(POOL_NO_DEADLINE) INT64_MAX/\1 (INT64_MAX - 1)/' \
  "a number of 1.0 has changed or is gone" "${frozen[@]}"
caught "a new error with the number of another" abi/pool/types.h \
  's/^#define POOL_E_OLDER .*/&\n#define POOL_E_ZAP (-17)/' \
  "two names of one kind have one number" "${frozen[@]}"
caught "an event that is gone" abi/pool/event.h '/#define POOL_EVENT_STARVED/d' \
  "a number of 1.0 has changed or is gone" "${frozen[@]}"
caught "a function that is gone" abi/libpool.so.1.symbols '/^pool_put@/d' \
  "a function of 1.0 is gone or moved" "${frozen[@]}"
caught "a function in another node than before" abi/libpool.so.1.symbols 's/^(pool_put@@POOL_).*/\11.1/' \
  "a function of 1.0 is gone or moved" "${frozen[@]}"
caught "a new function in a node of a release" abi/libpool.so.1.symbols '$a pool_zap@@POOL_1.0' \
  "a function was added to a node of 1.0" "${frozen[@]}"
caught "a frozen header that was changed" tests/compat/1.0/pool/config.h 's/30000, -1/20000, -1/' \
  "a frozen copy was changed or is gone" "${frozen[@]}"
caught "a frozen caller that was made easier" tests/compat/1.0/caller.c '/EXPECT\(pool_put/d' \
  "a frozen copy was changed or is gone" "${frozen[@]}"
caught "a frozen release whose checksums were taken away" abi/frozen.sha256 '/driver.c/d' \
  "tests/compat and abi/frozen.sha256 differ" "${frozen[@]}"

# Changes that only show in the library: the files of what it exports are compiled in a copy, in which something private has
# changed as well, which is nobody's affair.  What these files need of others is not there, for nobody runs them.
different() { # ABIDIFF_MESSAGE FILE SED_SCRIPT
  rm -rf "$work/copy"
  mkdir "$work/copy"
  cp -r "$source/abi" "$source/src" "$work/copy"
  sed -i -E "$3" "$copy/$2"
  sed -i -E 's/^  int32_t open;/  int64_t zap;\n&/' "$copy/src/decide/pool.h"
  ! cmp -s "$copy/$2" "$source/$2" || { echo "FAILED: the mistake was not made in $2: $3"; exit 1; }
  (cd "$copy" && "$compiler" -std=gnu11 -g -O0 -w -fPIC -shared -pthread -D_GNU_SOURCE -Iabi -Isrc \
    src/api/*.c src/base/error.c -Wl,-soname,libpool.so.1 -Wl,--version-script=abi/libpool.map \
    -o libpool.so)
  local status=0
  "$guards/abidiff.sh" "$copy" "$copy/libpool.so" >"$work/said" 2>&1 || status=$?
  if [ $status -eq 0 ] || ! grep -qF "FAILED: $1" "$work/said"; then
    cat "$work/said"
    echo "FAILED: abidiff does not say '$1' about: $3"
    exit 1
  fi
  made=$((made + 1))
}
different "programs that were compiled before would not work any more" abi/libpool.map '/pool_put;/d'
grep -q '1 Removed, 0 Changed' "$work/said" || { cat "$work/said"; echo "FAILED: what is private counts"; exit 1; }
different "the ABI has changed" abi/pool/event.h 's/^  int32_t reserved; /  int64_t reserved; /'
note=$(sed -n "s/.*add to abi.notes.txt '\([0-9a-f]*\)'.*/\1/p" "$work/said")
echo "$note a reason" >>"$copy/abi/notes.txt"
"$guards/abidiff.sh" "$copy" "$copy/libpool.so" >"$work/said" || { echo "FAILED: a note is not accepted"; exit 1; }
strip --strip-debug "$copy/libpool.so"
! "$guards/abidiff.sh" "$copy" "$copy/libpool.so" >"$work/said" ||
  { echo "FAILED: a library without types passes"; exit 1; }
grep -q "FAILED: .* was built without -g" "$work/said"
without() { # TOOL GUARD
  ! PATH=/nowhere /bin/bash "$guards/$2.sh" "$source" "$library" >"$work/said" 2>&1 ||
    { echo "FAILED: without its tool, $2 passes"; exit 1; }
  grep -q "FAILED: $1 is missing" "$work/said" || { cat "$work/said"; echo "FAILED: $2 needs $1"; exit 1; }
  made=$((made + 1))
}
without abidw abidiff
without nm symbols

cp "$archive" "$work/libpool.a"
echo 'int slots;' | "$compiler" -x c -c - -o "$work/slots.o"
ar q "$work/libpool.a" "$work/slots.o"
! "$guards/archive.sh" "$source" "$work/libpool.a" >"$work/said" ||
  { echo "FAILED: an archive with a name that others may use passes"; exit 1; }
grep -q "FAILED: the archive has other names" "$work/said"
made=$((made + 1))

echo "$made mistakes caught"
