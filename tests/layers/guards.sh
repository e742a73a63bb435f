#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The test of the layers sees what it is for: mistakes are made in copies of objects and sources, one by one.
# usage: guards.sh SOURCE_FOLDER C_COMPILER OBJECT...
set -euo pipefail
source=$1 compiler=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# caught MESSAGE FILE TEXT_TO_APPEND: a copy of the sources in which FILE has more text
caught() {
  rm -rf "$work/copy"
  mkdir -p "$work/copy/abi"
  cp -r "$source/src" "$work/copy"
  printf '%b\n' "$3" >>"$work/copy/src/$2"
  local objects=()
  for object in "${originals[@]}"; do
    [[ $object == */src/"$2".o ]] || objects+=("$object")
  done
  if [[ $2 == *.c ]]; then
    mkdir -p "$work/copy/o/src/${2%/*}"
    "$compiler" -std=gnu11 -w -c -D_GNU_SOURCE -DPOOL_DRIVER_FOLDER='""' -I"$work/copy/src" -I"$source/abi" \
      "$work/copy/src/$2" -o "$work/copy/o/src/$2.o"
    objects+=("$work/copy/o/src/$2.o")
  fi
  if "$source/tests/layers/layers.sh" "$work/copy" src "${objects[@]}" >"$work/said" 2>&1 ||
    ! grep -qF "FAILED: $1" "$work/said"; then
    cat "$work/said"
    echo "FAILED: the test of the layers does not say '$1'"
    exit 1
  fi
}

originals=("$@")
caught "base/text calls upward: pool_len is in api/get" base/text.c \
  '#include <pool/pool.h>\nsize_t text_zap(void);\nsize_t text_zap(void) { return pool_len(0); }'
caught "decide/room calls upward: crew_stop is in run/crew" decide/room.c \
  'void crew_stop(struct pool *);\nvoid room_zap(void);\nvoid room_zap(void) { crew_stop(0); }'
caught "files that call each other in a circle:" decide/breaker.c \
  'struct pool;\nbool room_hopes(struct pool *);\nbool breaker_zap(void);\nbool breaker_zap(void) { return room_hopes(0); }'
caught "slot/slot.h includes upward: decide/pool.h" slot/slot.h '#include "decide/pool.h"'
caught "base/clock.c includes \"clock.h\", which is no file of src/" base/clock.c '#if 0\n#include "clock.h"\n#endif'
caught "decide/step.h touches the word of a slot" decide/step.h '#define STEP_ZAP(slot) atomic_fetch_or(&slot->word, 8)'
caught "I99 is cited, and is none of the invariants" decide/step.h '/* (I99) */'
caught "I98 is cited nowhere" decide/pool.h '/*\n * - I98: Nobody relies on this.\n */'
caught "zap is in base/text, and its prefix does not say so" base/text.c 'int zap(void);\nint zap(void) { return 0; }'
echo "9 mistakes caught"
