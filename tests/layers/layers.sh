#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The layers of src/: a file calls only into its own layer or a lower one, no files call each other in a circle, a header
# includes none of a higher layer, the prefix of a name says which file it is in, and the word of a slot is touched in
# slot/ alone.  Invariants that comments cite are those of decide/pool.h.  Likewise for each driver: it calls support/ and
# no other driver, and of src/ it includes files of base/ alone.  An engine of budgets calls the driver below it too.
# usage: layers.sh SOURCE_FOLDER src|DRIVER|DRIVER/ENGINE OBJECT...   (objects of src/LAYER/FILE.c or drivers/LAYER/FILE.c)
set -euo pipefail
export LC_ALL=C
source=$1 tree=drivers public="${2#*/}/*"
IFS=/ read -ra layers <<<"support/$2"
[ "$2" != src ] || { tree=src layers=(base slot decide run api) public='api/*|base/error'; }
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=false
complain() {
  echo "FAILED: $1"
  failed=true
}

declare -A ranks
for i in "${!layers[@]}"; do ranks[${layers[i]}]=$i; done

is_upward() { # FROM TO: LAYER/FILE each
  [ "${ranks[${1%%/*}]}" -lt "${ranks[${2%%/*}]}" ]
}

# ---- calls: NAME FILE for what is defined, and for what is used ----

objects=()
for object in "$@"; do
  [[ $object =~ /$tree/([a-z-]+/[a-z0-9_]+)\.c\.o$ ]] || continue
  file=${BASH_REMATCH[1]}
  [ -n "${ranks[${file%%/*}]:-}" ] || { complain "$file is in no layer"; continue; }
  objects+=("$object")
done
[ ${#objects[@]} -gt 0 ] || { echo "FAILED: no objects of $tree/ were given"; exit 1; }
nm -A "${objects[@]}" | sed -E "s,^.*/$tree/([a-z-]+/[a-z0-9_]+)\.c\.o:,\1 ," >"$work/names"
awk 'NF == 4 && $3 ~ /[TDBRC]/ { print $4, $1 }' "$work/names" | sort -k1,1 >"$work/defined"
awk 'NF == 3 && $2 == "U" { print $3, $1 }' "$work/names" | sort -k1,1 >"$work/used"
join "$work/used" "$work/defined" | awk '$2 != $3 { print $2, $3, $1 }' | sort >"$work/calls"

while read -r from to name; do
  ! is_upward "$from" "$to" || complain "$from calls upward: $name is in $to"
done <"$work/calls"

if ! awk '{ print $1, $2 }' "$work/calls" | sort -u | tsort >/dev/null 2>"$work/circles"; then
  complain "files that call each other in a circle:"
  sed 's/^tsort: //' "$work/circles"
fi

# ---- includes ----

while IFS=: read -r path include; do
  from=${path#"$source/$tree/"}
  to=${include#*\"} to=${to%%\"*}
  [ "$tree" = src ] || [[ $to != base/* ]] || [ ! -f "$source/src/$to" ] || continue
  [ -f "$source/$tree/$to" ] || { complain "$from includes \"$to\", which is no file of $tree/"; continue; }
  [ -n "${ranks[${to%%/*}]:-}" ] || { complain "$from includes \"$to\", which is in no layer below"; continue; }
  ! is_upward "$from" "$to" || complain "$from includes upward: $to"
done < <(cd "$source/$tree" && grep -rE '^#include "' "${layers[@]}" --include='*.[ch]' | sed "s|^|$source/$tree/|")

# ---- the word of a slot ----

while read -r file; do
  [ "${file%%/*}" = slot ] || complain "$file touches the word of a slot"
done < <(cd "$source/$tree" && grep -rlE '(slot|slot_of\([^)]*\))->word' "${layers[@]}" --include='*.[ch]')

# ---- invariants: numbered in one place, and each of them cited ----

if [ "$tree" = src ]; then
  grep -oE '^ \* - I[0-9]+:' "$source/src/decide/pool.h" | tr -d ' *:-' | sort -u >"$work/numbered"
  grep -rhoE '\(I[0-9]+\)' "$source/src" --include='*.[ch]' | tr -d '()' | sort -u >"$work/cited"
  while read -r number; do complain "$number is cited, and is none of the invariants"; done < <(comm -13 "$work/numbered" "$work/cited")
  while read -r number; do complain "$number is cited nowhere"; done < <(comm -23 "$work/numbered" "$work/cited")
fi

# ---- names ----

# What a file calls its nouns, where that is not its own name.
declare -A nouns=(
  [slot/idle]='idle scan' [slot/slot]='slot' [slot/notes]='notes' [decide/waiter]='waiter told'
  [api/settings]='config vtable setting' [base/park_futex]=park [base/park_pthread]=park
)
while read -r name file; do
  [[ $name != pool_* ]] || { [[ $file == @($public) ]] || complain "$name is in $file"; continue; }
  for noun in ${nouns[$file]:-${file##*/}}; do
    [[ $name != "$noun" && $name != "${noun}"_* ]] || continue 2
  done
  [[ $name =~ ^(slots|all_notes|extras)$ ]] || complain "$name is in $file, and its prefix does not say so"
done <"$work/defined"

# ---- the map ----

if [ "$tree" = src ]; then
  map=$(<"$source/src/README.md")
  while read -r path; do
    name=${path##*/}
    [[ $name == *.def ]] || name=${name%.*}
    [[ $map == *"\`$name\`"* || $name == @(report_*|park_*) ]] ||
      complain "src/README.md has no word of ${path#"$source/src/"}"
  done < <(find "$source/src" -mindepth 2 -type f)
fi

$failed && exit 1
echo "$(wc -l <"$work/calls") calls between $(awk '{ print $2 }' "$work/defined" | sort -u | wc -l) files, none upward, no circle"
