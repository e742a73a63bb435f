#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# docs/foreign.md has each word, type and part that a description can have, and its whole description works.
# usage: foreign_docs.sh SOURCE_FOLDER OPENER   (OPENER URL: makes a pool, gets and puts a connection, and says "good")
set -euo pipefail
source=$1 opener=$2
page=$source/docs/foreign.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
  echo "FAILED: $1"
  exit 1
}

words=$(sed -n '/^static const struct statement statements/,/^};/s/^ *{"\([a-z]*\)".*/\1/p' "$source/drivers/foreign/parser.c")
types=$(sed -n 's/^ *ROW("\([a-z0-9]*\)".*/\1/p; s/^ *{"\([a-z]*\)", &ffi.*/\1/p' "$source/drivers/foreign/type.c")
parts=$(grep -oE '"(url|deadline)\.[a-z]+"' "$source/drivers/foreign/description.c" | tr -d '"')
[ "$(wc -w <<<"$words $types $parts")" -gt 40 ] || fail "words, types and parts were not found in the sources"
for word in $words $types $parts; do
  grep -qF "\`$word\`" "$page" || fail "docs/foreign.md has no word of $word"
done
for file in "$source"/drivers/foreign/descriptions/*.pool; do
  grep -qF "\`${file##*/}\`" "$page" || fail "docs/foreign.md has no word of ${file##*/}"
done

# block NUMBER: the lines under a mark of this test.
block() {
  awk -v wanted="$1" '/^<!-- run: tests\/drivers\/foreign_docs.sh -->$/ { at = NR + 1; number++ }
    at && NR > at && number == wanted { if (/^```$/) exit; print }' "$page"
}
block 1 >"$work/whole.pool"
[ "$(wc -l <"$work/whole.pool")" -ge 8 ] || fail "docs/foreign.md shows no whole description"
said=$("$opener" "sqlite:$work/x.db?description=$work/whole.pool") || fail "the description of docs/foreign.md: $said"
[ "$said" = good ] || fail "the description of docs/foreign.md: $said"

# shown SED NUMBER: with this mistake in the whole description it is refused with that line of the page.
shown() {
  local expected said
  sed "$1" "$work/whole.pool" >"$work/my.pool"
  said=$("$opener" "sqlite:x?description=$work/my.pool" || true)
  expected=$(block 2 | sed -n "$2p")
  [[ -n $expected && $said == *"$expected" ]] || fail "said: $said; docs/foreign.md: $expected"
}
shown 's/text, out pointer, int, text/text, out pointer, int31, text/' 1
shown '/^open/s/ is 0$//' 2
shown 's/sqlite3_open_v2/sqlite3_opne_v2/' 3
echo "$(wc -w <<<"$words $types $parts") words, and a whole description"
