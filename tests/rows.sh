#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tables of docs/guide.md say what the rows of src/ say; with --write they are brought up to date.
# usage: rows.sh SOURCE_FOLDER ROWS [--write]
set -euo pipefail
source=$1 rows=$2
page=$source/docs/guide.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "FAILED: $1"
  exit 1
}

"$rows" <"$page" >"$work/page"
if [ "${3:-}" = --write ]; then
  cp "$work/page" "$page"
  exit
fi
diff -u "$page" "$work/page" || fail "docs/guide.md is out of date: run tests/rows.sh . $rows --write"

# The test itself: each row is found, and another sentence in the page is not taken for it.
for name in $(sed -nE 's/^(KEPT|FOUND|TIME|EVENT)\(([A-Za-z_]+),.*/\2/p' "$source"/src/{api/counts,run/events}.def); do
  grep -q "^| \`$name\` | " "$page" || fail "docs/guide.md has no line about $name"
done
sed 's/Checks made/Cheques made/' "$page" >"$work/other"
! cmp -s "$page" "$work/other" || fail "the mistake was not made"
"$rows" <"$work/other" | cmp -s - "$page" || fail "a table with a mistake stays as it is"

# What cannot be filled in ends the build.
for text in '<!-- rows: counts -->' '@count $zap'; do
  ! echo "$text" | "$rows" >"$work/said" 2>&1 || fail "accepted: $text"
done
