#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes each mistake of go.txt in Go's way to lend and put back, and demands that one of Go's tests fails.
# usage: go.sh SOURCE_FOLDER BUILD_FOLDER GO; the build has the Go module in it, and the environment is that of its tests.
set -euo pipefail
list=$1/tests/mutants/go.txt text=$(<"$1/bindings/go/pool/view.go") go=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$2/go" "$work/go"
cd "$work/go"

fails() { # PACKAGE TESTS
  ! "$go" test -vet=off -count=1 -timeout=60s -run "$2" "./$1" >"$work/said" 2>&1
}

! fails pool NothingIsCalledSo || { cat "$work/said"; echo "FAILED: the module does not build"; exit 1; }
count=0 unseen=0 name='' old='' new=''
while IFS= read -r line || [ -n "$line" ]; do
  case $line in
  'mistake: '*) name=${line#mistake: } ;;
  '-'*) old=${line#-} ;;
  '+'*) new=${line#+} ;;
  'sees: '*)
    rest=${text/"$old"/}
    [ "$rest" != "$text" ] && [ "${rest/"$old"/}" = "$rest" ] || { echo "FAILED: '$name': its text is not in view.go once"; exit 1; }
    printf '%s\n' "${text/"$old"/"$new"}" >pool/view.go
    count=$((count + 1))
    "$go" build ./pool >"$work/said" 2>&1 || { cat "$work/said"; echo "FAILED: '$name' does not compile"; exit 1; }
    read -r package tests <<<"${line#sees: }"
    if fails "$package" "$tests"; then
      echo "seen: $name"
    else
      echo "NOT SEEN: $name"
      unseen=$((unseen + 1))
    fi
    ;;
  esac
done <"$list"
echo "$count mistakes made, $unseen not seen"
[ "$count" -gt 0 ] && [ "$unseen" = 0 ]
