#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The library, each header and each exported function has a manual page with the sections that a page needs, a linter
# finds no fault in any page, and every page that another one points to is there.
# usage: man.sh SOURCE_FOLDER FOLDER_OF_PAGES
set -euo pipefail
source=$1 pages=$2
failed=0
fail() {
  echo "FAILED: $1"
  failed=1
}

command -v mandoc >/dev/null || { echo "FAILED: mandoc is missing (Debian: apt-get install mandoc)"; exit 1; }
mandoc -T lint -W warning "$pages"/*.3 || fail "mandoc finds fault; see pkgconfig/man.rb"
functions=$(sed 's/@.*//' "$source/abi/libpool.so.1.symbols")
[ "$(wc -l <<<"$functions")" -gt 20 ] || fail "found only a few functions; is this test broken?"
headers=$(basename -s .h "$source"/abi/pool/*.h | sed 's/^/pool_/; s/^pool_pool$/libpool/')
# pool_stats(3) is the function.
headers=$(while read -r name; do ! grep -qx "$name" <<<"$functions" || name+=_h; echo "$name"; done <<<"$headers")
for name in $headers $functions; do
  page=$pages/$name.3
  [ -f "$page" ] || { fail "$name has no manual page: give it a documentation block in its header"; continue; }
  for section in NAME SYNOPSIS DESCRIPTION 'SEE ALSO'; do
    grep -qx "\.Sh $section" "$page" || fail "$name(3) has no section $section"
  done
  grep -qE '^\.In pool/[a-z]+\.h$' "$page" || fail "$name(3) does not say what to include"
done
for name in $functions; do
  page=$pages/$name.3
  [ -f "$page" ] || continue
  grep -qx "\.Fo $name" "$page" || fail "$name(3) has no prototype"
  grep -qx '\.It Threads' "$page" || fail "$name(3) does not speak of threads"
  grep -qx '\.Sh HISTORY' "$page" || fail "$name(3) does not say since when"
  if ! grep -qx '\.Ft "void"' "$page"; then
    # Some say it with their first words: the connection of a lease, how many are idle, what a code means.
    grep -qx '\.Sh RETURN VALUES' "$page" || grep -qE '^\.Nd (the|how|what|why) ' "$page" ||
      fail "$name(3) does not say what it returns"
  fi
done
# Nearly each function has a use of it: a program of examples/ calls it.  Those with which a language's package lends by
# itself have none.
without=()
for name in $functions; do
  grep -qx '\.Sh EXAMPLES' "$pages/$name.3" || without+=("$name(3)")
done
echo "without an example: ${without[*]}"
[ ${#without[@]} -le 12 ] || fail "too many have no example: call them in a program of examples/"
for name in $(sed -n 's/^\.\(It \)\{0,1\}Xr \([a-z_]*\) 3.*/\2/p' "$pages"/*.3 | sort -u); do
  [ -f "$pages/$name.3" ] || fail "$name(3) is pointed to and missing"
done
exit $failed
