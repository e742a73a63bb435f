#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tests of puddle and of pgxpool, as their authors publish them, run on libpool in place of puddle.
# run.sh puddle|pgxpool SOURCE BUILD GO POSTGRES_RUN
# Go's module proxy has both; go.sum says which bytes they are.  What was fetched once needs no network any more.
set -euo pipefail
what=$1 source=$2 build=$3 go=$4 postgres_run=$5
pgx=github.com/jackc/pgx/v5@v5.13.0

# These look inside puddle: they call functions that it exports for its tests alone.  So do its other test files, which
# are of package puddle itself: export_test.go, resource_list_test.go, internal/genstack.
inside=(TestAcquireAllSem BenchmarkAcquire_MultipleCancelled BenchmarkAcquire_MultipleCancelledWithCPULoad)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp "$source"/tests/puddle/go.* "$scratch"
cd "$scratch"
"$go" mod edit -replace "libpool.example/go=$build/go" -replace "libpool.example/go/puddle=$build/go/puddle"

# Where a module was fetched to.
fetch() {
  "$go" mod download "$1" || { echo "cannot fetch $1; GOPROXY is $("$go" env GOPROXY)" >&2 && return 1; }
  echo "$("$go" env GOMODCACHE)/$1"
}

# Other people's tests sleep where ours wait for events, and fail on a busy machine now and then.  So what fails is run
# again, alone, twice at most.
run() {
  local failed log=$scratch/log
  "$@" -test.v >"$log" 2>&1 && grep -c '^--- PASS' "$log" && return 0
  for again in 1 2; do
    failed=$(sed -n 's/^--- FAIL: \([^ ]*\) .*/\1/p' "$log" | paste -sd '|')
    grep -v '^=== \|^ *--- PASS' "$log" | tail -100 >&2
    echo "run again ($again): ${failed:-all}" >&2
    "$@" -test.v -test.run "^(${failed:-.*})\$" >"$log" 2>&1 && return 0
  done
  tail -100 "$log" >&2
  return 1
}

puddle() {
  local tests
  tests=$(fetch github.com/jackc/puddle/v2@v2.2.3)
  sed 's|"github.com/jackc/puddle/v2"|"libpool.example/go/puddle"|; /sync\/semaphore"/d' "$tests/pool_test.go" |
    awk -v inside="${inside[*]}" 'BEGIN { split(inside, names); for (i in names) left_out["func " names[i]] = 1 }
      { name = $0; sub(/\(.*/, "", name) } name in left_out { skip = 1 } !skip { print } /^}/ { skip = 0 }' >pool_test.go
  "$go" test -race -c -o puddle.test .
  run ./puddle.test -test.timeout 120s
}

pgxpool() {
  local needed
  cp -r "$(fetch "$pgx")" pgx
  chmod -R u+w pgx
  cd pgx
  needed=$(sed -n 's/^go //p' go.mod)
  if [ "$(printf 'go%s\n' "$needed" "$("$go" env GOVERSION | sed 's/^go//')" | sort -V | head -1)" != "go$needed" ]; then
    echo "left out: $pgx needs Go $needed, and this is $("$go" env GOVERSION)"
    return
  fi
  "$go" mod edit -replace "libpool.example/go=$build/go" -replace "github.com/jackc/puddle/v2=$build/go/puddle"
  "$go" test -mod=mod -vet=off -c -o pgxpool.test ./pgxpool
  cd pgxpool
  PGX_TEST_DATABASE=database=postgres run "$postgres_run" ../pgxpool.test -test.timeout 120s
}

"$what"
