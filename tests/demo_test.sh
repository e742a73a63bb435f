#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the examples as a user would: the demo with its own server and with another one, without any server, and with
# arguments that make no sense; and the first program of docs/drivers.md.
#
# usage: demo_test.sh DEMO ARITH_SERVER FIRST, with POOL_DRIVER_PATH set
set -uo pipefail

demo=$1
arith_server=$2
first=$3
folder=$(mktemp -d)
server=
program=

clean_up() {
  local pid
  for pid in $server $program; do
    kill "$pid" 2>/dev/null
  done
  rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

fail() {
  echo "FAILED: $*" >&2
  cat "$folder/out" "$folder/err" >&2
  exit 1
}

# run STATUS COMMAND...: what it prints goes to the files out and err.  In the background, for a trap does not interrupt
# what runs in the foreground.
run() {
  local expected=$1 status=0
  shift
  timeout 60 "$@" >"$folder/out" 2>"$folder/err" </dev/null &
  program=$!
  wait "$program" || status=$?
  program=
  [ $status -eq "$expected" ] || fail "exit status $status instead of $expected: $*"
}

out_has() {
  grep -Eq -- "$1" "$folder/out" || fail "no line like '$1' on standard output"
}

err_has() {
  grep -Eq -- "$1" "$folder/err" || fail "no line like '$1' on standard error"
}

last_line_is() {
  tail -n 1 "$folder/out" | grep -Eqx -- "$1" || fail "the last line is not like '$1'"
}

# The server ends when its standard input does, which is a pipe from this script.
start_server() {
  mkfifo "$folder/open" "$folder/address"
  "$arith_server" <"$folder/open" >"$folder/address" &
  server=$!
  exec 3>"$folder/open"
  read -r -t 20 address <"$folder/address" || fail "the server gives no address"
}

stop_server() {
  local status=0
  exec 3>&-
  wait "$server" || status=$?
  server=
  [ $status -eq 0 ] || fail "the server ended with status $status"
}

# The numbers that the demo promises, with its own server.
run 0 "$demo"
last_line_is 'demo: 20000 calls, 0 errors, [0-9]+ connections opened'
[ "$(grep -Ec '^[0-9]+ % done$' "$folder/out")" -eq 10 ] || fail "no ten lines of progress"
[ "$(head -n 1 "$folder/out")" = "10 % done" ] || fail "progress does not begin with 10 %"
grep -q $'\r' "$folder/out" && fail "a progress bar, but there is no terminal"
out_has '^calls +20000$'
out_has '^errors +0$'
out_has '^connections opened +[0-9]+$'
out_has '^longest wait +[0-9.]+ ms( \(no get had to wait\))?$'
out_has '^p50 latency +[0-9.]+ ms$'
out_has '^p99 latency +[0-9.]+ ms$'
[ -s "$folder/err" ] && fail "something on standard error"

# More threads than connections at first, more threads than calls, and one of each.
run 0 "$demo" --calls 3000 --threads 40
last_line_is 'demo: 3000 calls, 0 errors, [0-9]+ connections opened'
run 0 "$demo" --calls 7 --threads=50
last_line_is 'demo: 7 calls, 0 errors, [0-9]+ connections opened'
run 0 "$demo" --calls 1 --threads 1
last_line_is 'demo: 1 calls, 0 errors, 5 connections opened'

# A server that runs elsewhere, twice.
start_server
run 0 "$demo" --server "$address" --calls 1000
last_line_is 'demo: 1000 calls, 0 errors, [0-9]+ connections opened'
run 0 "$demo" --server "$address" --calls 1000 --threads 2
last_line_is 'demo: 1000 calls, 0 errors, [0-9]+ connections opened'
run 0 "$first" "$address"
last_line_is '7 \* 8 = 56'
stop_server

# The same address when nobody listens there any more.
run 1 "$demo" --server "$address"
err_has "^demo: cannot reach the server at $address: .+"
run 1 "$first" "$address"
err_has '^no product: .+'

run 0 "$demo" --help
out_has '^usage: demo '
for arguments in '--calls 0' '--calls -5' '--calls many' '--calls 7x' '--calls 99999999999999999999' '--threads 0' \
  '--threads 100000' '--calls=' '--server' '--colour' 'surplus'; do
  # shellcheck disable=SC2086 # these are several words
  run 2 "$demo" $arguments
  [ -s "$folder/err" ] || fail "no message for: $arguments"
  [ -s "$folder/out" ] && fail "output for: $arguments"
done
run 2 "$demo" --server nonsense
err_has 'nonsense'
for port in 0 65536 nonsense 80x; do
  run 2 "$arith_server" "$port"
  err_has '^usage: arith_server '
done
echo "the examples do what they say"
