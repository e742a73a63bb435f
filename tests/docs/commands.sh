#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The commands of the README and of the quick guide do what they say: a copy of the sources is built and its first program
# runs; and that program is built against an installed library.  Those of the languages run in the build that is there.
# usage: commands.sh SOURCE_FOLDER BUILD_FOLDER
set -euo pipefail
source=$1 build=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
expected='tcp: 200 answers, at most 3 connections open'

fail() {
  echo "FAILED: $1"
  exit 1
}

# block PAGE [NUMBER]: the commands under the mark of this test, the first or another one.
block() {
  awk -v wanted="${2:-1}" '/^<!-- run: commands.sh -->$/ { at = NR + 1; number++ }
    at && NR > at && number == wanted { if (/^```$/) exit; print }' "$source/$1"
}

mkdir "$work/clone"
for entry in "$source"/*; do
  [ "$(basename "$entry")" = build ] || ln -s "$entry" "$work/clone"
done
commands=$(block README.md)
[ "$(wc -l <<<"$commands")" = 3 ] || fail "the README has other commands than this test knows: $commands"
export CMAKE_BUILD_PARALLEL_LEVEL=2 # which is quicker
(cd "$work/clone" && bash -euo pipefail -c "$commands") >"$work/said" 2>&1 || { cat "$work/said"; fail "the README's commands fail"; }
[ "$(tail -n 1 "$work/said")" = "$expected" ] || { cat "$work/said"; fail "the README's program prints something else"; }
! grep -B 1 -A 4 'warning:' "$work/said" || fail "the build that the README shows warns of something"

# language BINDING NUMBER LINE: what the commands of a language print, where the build has that language.  It is configured
# already, so of the first command only the names of the options are looked at.
language() {
  local commands
  grep -q "^POOL_$1_BINDING:BOOL=ON" "$build/CMakeCache.txt" || return 0
  commands=$(block README.md "$2")
  for option in $(grep -o 'D[A-Z_]*=' <<<"$commands"); do
    grep -q "^${option:1:-1}:" "$build/CMakeCache.txt" || fail "the README has an option ${option:1:-1}, and the build has none"
  done
  (cd "$work/clone" && bash -euo pipefail -c "$(grep -v '^cmake -B' <<<"$commands")") >"$work/said" 2>&1 ||
    { cat "$work/said"; fail "the README's commands for $1 fail"; }
  [ "$(tail -n 1 "$work/said")" = "$3" ] || { cat "$work/said"; fail "the README's program for $1 prints something else"; }
}
rm -r "$work/clone/build/quick"
ln -s "$build" "$work/clone/build/quick"
export GOFLAGS='-mod=mod -tags=pool_system' GOPROXY=off GOTOOLCHAIN=local CGO_ENABLED=1 PKG_CONFIG_PATH=$build/uninstalled
GOCACHE=$(sed -n 's/^POOL_GO_CACHE:[A-Z]*=//p' "$build/CMakeCache.txt")
[ -n "$GOCACHE" ] && export GOCACHE || unset GOCACHE
language GO 2 'go: 20 clients served by at most 3 connections'
language JAVA 3 'java: 20 clients served by 3 connections'
commands=$(block README.md 4)
[ "$commands" = $'bindings/ruby/compile\nruby -I bindings/ruby/lib examples/ruby.rb' ] || # each has a test of its own
  fail "the README has other commands for Ruby than this test knows: $commands"

# The quick guide's program is built in the build folder of the README, and with an installed library.
commands=$(block docs/quick-guide.md)
[ "$(wc -l <<<"$commands")" = 2 ] || fail "the quick guide has other commands than this test knows: $commands"
guide() {
  (cd "$work/clone/examples" && bash -euo pipefail -c "$1" && ./tcp) >"$work/said" 2>&1 || { cat "$work/said"; fail "the quick guide's commands fail"; }
  [ "$(tail -n 1 "$work/said")" = "$expected" ] || { cat "$work/said"; fail "the quick guide's program prints something else"; }
}
rm "$work/clone/examples"
mkdir "$work/clone/examples"
cp "$source"/examples/{tcp.c,echo.c,echo.h} "$work/clone/examples"
unset PKG_CONFIG_PATH
guide "$commands"
cmake --install "$build" --prefix "$work/usr" >/dev/null
export PKG_CONFIG_PATH LD_LIBRARY_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$work/usr" -name pool.pc)")
LD_LIBRARY_PATH=$(dirname "$(find "$work/usr" -name libpool.so)")
guide "$(tail -n 1 <<<"$commands")"
