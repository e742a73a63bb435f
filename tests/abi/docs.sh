#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each exported function, of the drivers too, has a documentation block that says what it does, whether it blocks,
# which threads may call it, whether a callback may, how it fails, to whom results belong and since when it is there;
# and times are named with their unit.
# usage: docs.sh SOURCE_FOLDER
set -euo pipefail
source=$1
status=0
shopt -s nullglob
headers=("$source"/abi/pool/*.h "$source"/drivers/*/include/pool/*.h)
cat "${headers[@]}" | awk '
  function fail(text) { print "FAILED: " name ": " text; failed = 1 }
  function needs(pattern, what) { if (block !~ pattern) fail("the documentation does not say " what) }
  function check() {
    match(declaration, /pool_[a-z_0-9]+\(/)
    name = substr(declaration, RSTART, RLENGTH - 1)
    count++
    if (block == "") { fail("there is no documentation block before it"); return }
    gsub(/[ \n]+\*?[ \n]+/, " ", block)
    needs("^ ?[A-Za-z][^.:]*[.:]", "what the function does (a first sentence)")
    needs("Blocks?(:| )", "whether it waits (\"Blocks: ...\")")
    needs("Threads:", "which threads may call it (\"Threads: ...\")")
    needs("From a callback", "whether a callback may call it (\"From a callback: ...\")")
    needs("Since [0-9]+\\.[0-9]+", "since which release it is there (\"Since 1.1.\")")
    if (declaration !~ /^POOL_API (void |const char|size_t)/)
      needs("Errors|POOL_E_|NULL", "how it fails (\"Errors: POOL_E_...\")")
    if (declaration ~ /(pool_t|void) \*\*|pool_bytes_t \*(reply|text|bytes)/ || declaration ~ /pool_bytes_t [a-z]/)
      needs("Ownership:|[Ff]rees|[Ff]reed|owns", "to whom the results belong (\"Ownership: ...\")")
    if (match(declaration, /int(32|64)_t (timeout|deadline|drain|delay|wait|age)[,)]/))
      fail("the name of a time must end in its unit (_ms, _us, _ns)")
  }
  /^\/\*\*/ { block = ""; inside = 1 }
  inside {
    line = $0
    sub(/^ ?\/?\*+\/? ?/, "", line)
    block = block " " line
    if ($0 ~ /\*\//) inside = 0
    next
  }
  /^POOL_API / { declaring = 1; declaration = "" }
  declaring {
    declaration = declaration " " $0
    if ($0 ~ /;/) { declaring = 0; sub(/^ /, "", declaration); check(); block = "" }
    next
  }
  /[^ ]/ { block = "" }
  END {
    if (count < 40) { print "FAILED: found only " count " functions; is this test broken?"; failed = 1 }
    exit failed
  }' || status=1

# Members of structs that are times.
if grep -nE 'int(32|64)_t [a-z_]*(timeout|lifetime|deadline|duration|keepalive|fairness|held)[a-z_]*;' \
  "${headers[@]}" | grep -vE '_(ms|us|ns);| closed_lifetime;'; then
  echo "FAILED: the name of a time must end in its unit (_ms, _us, _ns)"
  status=1
fi
exit $status
