#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tests of the pages see what they are for: mistakes are made in a copy, one by one.
# usage: guards.sh SOURCE_FOLDER FOLDER_OF_PROGRAMS C_COMPILER
set -euo pipefail
source=$1 programs=$2 compiler=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$source"/{*.md,CMakeLists.txt,CMakePresets.json,docs,src,abi,drivers,examples,bindings,poolctl,tools} "$work"
mkdir "$work/tests"
cp -r "$source"/tests/{docs,java,*.cmake,CMakeLists.txt} "$work/tests"

# sees TEST FILE FROM TO SAID: with FROM in place of TO in FILE the test fails, and says so.
sees() {
  local test=$1 file=$work/$2 arguments=()
  [ "$test" != blocks ] || arguments=("$programs" "$compiler" "$2")
  [ "$test" != plain ] || arguments=("$2")
  cp "$file" "$work/good"
  sed -i "s|$3|$4|" "$file"
  ! cmp -s "$file" "$work/good" || { echo "FAILED: the mistake was not made: $3"; exit 1; }
  if said=$(ruby "$source/tests/docs/$test.rb" "$work" "${arguments[@]}"); then
    echo "FAILED: docs.$test does not see: $4"
    exit 1
  fi
  grep -qF -- "$5" <<<"$said" || { echo "FAILED: docs.$test says something else: $said"; exit 1; }
  cp "$work/good" "$file"
}

sees links docs/overload.md '(sizing.md)' '(sizes.md)' 'links to sizes.md, which is not there'
sees links docs/concepts.md 'languages.md)' 'languages.md#zap)' 'has no such heading'
sees links docs/sizing.md 'All pages\](README.md)' 'All pages](faq.md)' 'does not lead back to the map'
sees blocks docs/quick-guide.md 'config.max_open = 3;  ' 'config.max_open = 4;  ' 'the file has no such lines'
sees blocks docs/migrate/hikaricp.md '^+import libpool.Pooled' '+import libpool.Pouled' 'the file has no such line there'
sees blocks docs/fork.md '^child: has a' 'child: has another' 'it prints'
sees blocks docs/tcp.md 'pool_tcp_write(tcp' 'pool_tcp_write(zap' 'it does not compile'
sees blocks docs/overload.md '^```settings' '```c' 'nothing keeps it true'
sees blocks docs/install.md '^You need a C compiler' '    You need a C compiler' 'an indented block is read by nobody'
sees blocks docs/install.md '--preset release' '--preset relase' 'there is no preset relase'
sees blocks docs/poolctl.md 'bench --threads' 'bench --treads' 'poolctl bench has no --treads'
sees blocks docs/fleet.md 'permits granted, 391' 'permits allowed, 391' 'no program prints allowed'
sees blocks src/README.md '^pool_get  ' 'pool_got  ' 'has no pool_got'
sees messages docs/runbook.md 'was its put forgotten' 'was its put neglected' 'no text has'
sees messages src/run/events.def 'the server is back' 'the server has returned' 'no text has "the server is back"'
sees figures README.md 'puddle [0-9]* ns' 'puddle 3491 ns' 'README.md says 3491'
sees plain docs/faq.md 'Two processes that' 'Whoever writes: two processes that' 'name the actor'
sees plain abi/pool/pool.h 'a lease that was put back' 'so many a lease' 'name the number'
sees plain src/decide/counts.def 'Checks made' 'Checks that somebody made, whom nobody knows' 'name the actor'
sees figures docs/sizing.md '^. 64 . [0-9]*' '! 64 ! 12345' 'docs/sizing.md has other figures than the run'
sees figures docs/benchmarks.md '^# Benchmarks' '# Figures' 'docs/benchmarks.md is not made of its run'
sees plain bindings/go/pool/lease.go '^// Release puts' '// Whoever has it: Release puts' 'name the actor'
sees plain bindings/java/libpool/Lease.java 'Gives the connection back' 'Whoever has it gives the connection back' 'name the actor'
sees texts bindings/go/pool/pool.go '"open is nil"' '"there is no open"' 'no row of bindings/messages.def says "there is no open"'
sees texts bindings/ruby/lib/libpool/pool.rb 'a pool needs a block' 'a pool wants a block' 'says "a pool wants a block'
sees comments bindings/go/expvar/expvar.go 'poolexpvar.Publish(clients)()' 'poolexpvar.Publsh(clients)()' 'Publsh(clients)'
sees comments bindings/java/libpool/Pool.java 'getOutputStream().write(42)' 'getOutputStrem().write(42)' 'getOutputStrem'
sees comments examples/CMakeLists.txt 'add_executable(first ' 'add_executable(last ' 'no test runs examples/last'
sees facts docs/overload.md '1 ms unless you set it' '2 ms unless you set it' 'docs/overload.md says 2'
sees facts src/slot/slot.h 'SAMPLE_MASK (1023' 'SAMPLE_MASK (63' 'the code has 64'
sees facts bindings/go/pool/config.go 'RetryMax  *time.Duration // default 5 s' 'RetryMax time.Duration // default 6 s' 'config.go says 6 s for RetryMax'
sees facts docs/java.md '600,000; 1,800,000' '600,000; 1,900,000' 'docs/java.md says 1900000 for maxLifetime'
sees facts bindings/java/libpool/micrometer/PoolMeters.java 'Gets that waited and got a lease' 'Waits that ended with a lease' 'counts.def "Gets that waited'
sees facts bindings/go/prometheus/standard.go 'Gets that ended at their deadline' 'Gets that were late' 'standard.go says "Gets that were late"'
sees facts docs/errors.md '^. `POOL_E_EVICTED`' '! `POOL_E_EVICTED`' 'no line for POOL_E_EVICTED'
sees facts README.md 'Go 1.19 or newer' 'Go 1.20 or newer' 'README.md says Go 1.20'
sees facts docs/go.md '(overload.md#the-order-of-those-that-wait)' '(overload.md)' 'does not name the bound'
sees facts docs/migrate/hikaricp.md '`threadFactory`' '`evictConnection`' 'that there is no evictConnection'
sees facts docs/languages.md '`discardBroken`' '`discardBrocken`' 'names discardBrocken'
sees messages docs/runbook.md '; the budget allows' '; the limit allows' 'does not say what'
