#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Has spin search every state of ledger.pml: nothing is wrong with it, and each mistake that it can make on purpose is
# found.
# usage: model.sh MODEL C_COMPILER [long]
# long: once more with three members.
set -euo pipefail
model=$(realpath "$1") compiler=$2 long=${3:-} depth=1000000
[ -z "$long" ] || depth=8000000
mistakes=('none' 'a term counts from the answer' 'a grant ignores what is open' 'a new ledger learns nothing'
  'a member does not know that its term is over' 'an ask that was overtaken counts'
  'an answer to an earlier ask counts' 'a member opens more than it said' 'the limit is never reached')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

build() { # SIZE...
  spin -a "$@" "$model" >said || { cat said; exit 1; }
  "$compiler" -O1 -w -DSAFETY -DNOFAIR -DMEMLIM=3000 -o pan pan.c
}

search() { # MISTAKE ERRORS: how many there must be
  MISTAKE=$1 ./pan -m"$depth" -w20 >said 2>&1 || true
  grep -q "errors: $2" said && ! grep -q 'out of memory\|max search depth' said && return
  cat said
  echo "FAILED: ${mistakes[$1]}: there must be $2 errors"
  exit 1
}

search_all() { # SIZE...
  build "$@"
  search 0 0
  echo "$*: $(sed -n 's/ *\([0-9.e+]*\) states, stored.*/\1/p' said) states, nothing is wrong"
}

search_mistakes() { # MISTAKE...
  local mistake
  for mistake in "$@"; do
    search "$mistake" 1
    echo "found: ${mistakes[mistake]}"
  done
}

[ -z "$long" ] || search_all -DMEMBERS=3 -DLIMIT=2 -DTERM=2 -DASKS=1
search_all -DMEMBERS=2 -DLIMIT=2 -DTERM=3 -DASKS=1
search_all -DMEMBERS=2 -DLIMIT=1 -DTERM=2 -DASKS=2
search_mistakes 5 # it takes two asks of a member
search_all -DMEMBERS=2 -DLIMIT=2 -DTERM=2 -DASKS=1
search_mistakes 1 2 3 4 6 7 8
