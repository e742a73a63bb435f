#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tables of docs/guide.md say what the rows of src/ say, and this test would see if they did not.
# usage: rows.sh SOURCE_FOLDER ROWS
set -euo pipefail
source=$1 rows=$2
page=$source/docs/guide.md

fail() {
  echo "FAILED: $1"
  exit 1
}

"$source/tools/rows" --check

# Each row has its line.
names=$(sed -nE 's/^(KEPT|FOUND|TIME|EVENT)\(([A-Za-z_]+),.*/\2/p' "$source"/src/{decide/counts,run/events}.def)
for name in $names; do
  grep -q "^| \`$name\` | " "$page" || fail "docs/guide.md has no line about $name"
done

# A table in which somebody wrote something else becomes what the rows say.
other=$(sed 's/Checks made/Cheques made/' "$page")
[ "$other" != "$(<"$page")" ] || fail "the mistake was not made"
[ "$("$rows" <<<"$other")" = "$(<"$page")" ] || fail "a table with a mistake stays as it is"

# What cannot be filled in ends the build.
for text in '<!-- table: counts -->' '@count $zap'; do
  ! "$rows" <<<"$text" >/dev/null 2>&1 || fail "accepted: $text"
done

# Java takes no comma before a closing parenthesis, Go wants one before a brace.
said=$("$rows" <<<$'f(\n@span $camel,\n  )\n{\n@span $Camel,\n}')
[ "$said" = $'f(\noldestWaitNs,\noldestLeaseNs,\nwaitNs,\nwaitMaxNs\n  )\n{\nOldestWait,\nOldestLease,\nWaitSum,\nWaitMax,\n}' ] || fail "it says: $said"
