#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a release promised stays: its frozen copies are as they were; its structs, types, numbers, functions and table
# are found in today's headers where and as they were.
# usage: frozen.sh SOURCE_FOLDER C_COMPILER
set -euo pipefail
source=$1 compiler=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
layout=$(dirname "${BASH_SOURCE[0]}")/layout.sh
failed=0

fail() {
  echo "FAILED: $1"
  failed=1
}

# none ADVICE: fails if there is anything to read.
none() {
  if grep .; then fail "$1"; fi
}

# includes FOLDER: what includes all its headers.
includes() {
  (cd "$1" && printf '#include <%s>\n' pool/*.h)
}

# for_ever LAYOUT: where members are and as what they begin, and how large the structs are that cannot grow.
for_ever() {
  grep -v ' now$' "$1" | sort
}

# declarations FOLDER LAYOUT: whatever C says twice it must say alike, so the text of old headers after today's is a
# comparison.  Its structs get other names, for they may have grown, and are compared member by member.  That a type is
# still there is asked first, or the old text would bring it back.
declarations() {
  includes "$1"
  includes "$1" | "$compiler" -E -P -I"$1" - >"$work/text"
  grep -oE '\bpool_[a-z_]+_(t|fn)\b' "$work/text" | sort -u | sed 's/.*/extern & *has_&;/'
  sed -E 's/\} ([a-z_]+);/} old_\1;/' "$work/text"
  echo '#define TYPE(type, member) __typeof__(((type *)0)->member)'
  sed -E '
    s/^([a-z_]+)\.([a-z_0-9]+):.*/__builtin_types_compatible_p(TYPE(old_\1, \2), TYPE(\1, \2)), "\1.\2"/
    s/^([a-z_]+): .*/_Alignof(old_\1) == _Alignof(\1), "\1"/
    s/.*/_Static_assert(&);/' "$2"
}

# numbers FOLDER: every number that has a name; the version is what changes.
numbers() {
  includes "$1" | "$compiler" -E -dM -I"$1" - | grep '^#define POOL_' |
    grep -vE '^#define POOL_(VERSION_[A-Z]+|API|[A-Z_]+_H|[A-Z_]+_INIT)( |$)' | sort
}

(cd "$source" && sha256sum --check --strict --quiet abi/frozen.sha256) ||
  fail "a frozen copy was changed or is gone; bring it back, a release is what it was (git checkout tests/compat)"
(cd "$source" && find tests/compat -type f | sort) >"$work/present"
sed 's/^[0-9a-f]*  //' "$source/abi/frozen.sha256" | sort >"$work/listed"
diff -u "$work/listed" "$work/present" ||
  fail "tests/compat and abi/frozen.sha256 differ: tools/freeze adds a release to both"

none "two names of one kind have one number: take the next that was never used" \
  < <(numbers "$source/abi" | awk '{ match($2, /^POOL_[A-Z]+/) } seen[substr($2, 1, RLENGTH), $3]++')

"$layout" "$source/abi" "$compiler" >"$work/layout" || fail "abi/pool cannot be compiled"
for_ever "$work/layout" >"$work/places"
releases=0
for release in "$source"/tests/compat/*; do
  name=${release##*/}
  releases=$((releases + 1))

  "$layout" "$release" "$compiler" >"$work/layout"
  for_ever "$work/layout" >"$work/then"
  [ "$(wc -l <"$work/then")" -gt 150 ] ||
    fail "found only a few members in the structs of $name; is this test broken?"
  none "a struct is not what it was in $name: add members at its end only, and let the others begin as they did" \
    < <(comm -23 "$work/then" "$work/places")
  none "what is new must be 0 in POOL_*_INIT, or a library of $name refuses it; a new struct begins with its size" \
    < <(comm -13 "$work/then" "$work/places" | grep -E ' (at first|for ever)$')
  declarations "$release" "$work/layout" >"$work/types.c"
  "$compiler" -std=gnu11 -Wall -Werror -I"$source/abi" -fsyntax-only "$work/types.c" ||
    fail "a type is not what it was in $name: what has another type gets another name"

  numbers "$release" >"$work/then"
  numbers "$source/abi" >"$work/now"
  none "a number of $name has changed or is gone: numbers are never changed and never used again" \
    < <(comm -23 "$work/then" "$work/now")

  sort "$release/libpool.so.1.symbols" >"$work/then"
  sort "$source/abi/libpool.so.1.symbols" >"$work/now"
  none "a function of $name is gone or moved to another node: programs that need it would not start" \
    < <(comm -23 "$work/then" "$work/now")
  none "a function was added to a node of $name: put it into that of its own release, which tells who needs it" \
    < <(comm -13 "$work/then" "$work/now" | awk -F@ 'NR == FNR { old[$NF]; next } $NF in old' "$work/then" -)

  grep -v '^#' "$release/signatures.txt" >"$work/then"
  grep -v '^#' "$source/abi/signatures.txt" | head -n "$(wc -l <"$work/then")" >"$work/now"
  diff -u "$work/then" "$work/now" ||
    fail "abi/signatures.txt does not begin with that of $name: signatures and their order are for ever; add at the end"
done
[ $releases -gt 0 ] || fail "there is no frozen release in tests/compat"
exit $failed
