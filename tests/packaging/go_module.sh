#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Go programs get the module from a proxy that is a folder, and need nothing but Go and a C compiler.
# usage: go_module.sh SOURCE_FOLDER BUILD_FOLDER VERSION GO; GOCACHE is set, and GOEXPERIMENT for the race detector
set -euo pipefail
source=$1 build=$2 version=v$3 go=$4
with_race=${GOEXPERIMENT:-} # as in the tests with the race detector, for which Go's own packages were compiled
unset GOFLAGS GOPROXY GOEXPERIMENT PKG_CONFIG_PATH LD_LIBRARY_PATH
scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT

fail() {
  echo "FAILED: $1"
  exit 1
}

says() { # TEXT COMMAND...
  local said
  said=$(timeout 60 "${@:2}" 2>&1) || fail "${*:2} fails: $said"
  [ "$said" = "$1" ] || fail "${*:2} says: $said"
}

refuses() { # TEXT COMMAND...
  local said
  ! said=$("${@:2}" 2>&1) || fail "${*:2} passes"
  [[ $said == *"$1"* ]] || fail "${*:2} does not say '$1', but: $said"
}

echo "== the same bytes from two builds, by different people"
export SOURCE_DATE_EPOCH=1700000000
mkdir "$scratch/copy"
tar -C "$source" --exclude=./build --exclude='./build-*' --exclude=./.git -c . | tar -C "$scratch/copy" -x
(umask 077 && PATH=$(dirname "$go"):$PATH TZ=America/Adak "$scratch/copy/tools/package" go "$scratch/proxy" >/dev/null)
folder=$scratch/proxy/libpool.example/go/@v
cp "$folder/$version.zip" "$scratch/first.zip"
cp -r "$build/go" "$scratch/modules"
cp -r "$source/tests/packaging/go_module/between" "$scratch/modules"
"$go" run "$source/tools/module.go" "$scratch/modules" "$version" "$scratch/proxy"
cmp "$folder/$version.zip" "$scratch/first.zip" || fail "they differ"

# Nothing but a compiler is on the path, and nobody has set anything.
mkdir "$scratch/compiler"
ln -s "$(command -v gcc)" "$(command -v as)" "$(command -v ld)" "$scratch/compiler"
bare=(env -i "PATH=$scratch/compiler" "HOME=$scratch" "GOCACHE=$GOCACHE" "GOPROXY=file://$scratch/proxy"
  "GONOSUMDB=libpool.example/*" GOTOOLCHAIN=local)
cp -r "$source/tests/packaging/go_module/app" "$source/tests/packaging/go_module/through" "$scratch"
cp -r "$source/examples/go" "$scratch/arith"

echo "== go get, go build"
get() { # PACKAGE: go tells each module that it loads
  "${bare[@]}" "$go" get "$1" 2>"$scratch/log" || fail "go get $1: $(cat "$scratch/log")"
}

cd "$scratch/app"
get "libpool.example/go/pool@$version"
"${bare[@]}" "$go" build -o app .
says "the same connection: true 7" ./app
! readelf -d app | grep -q libpool || fail "it needs libpool.so"
"${bare[@]}" "$go" vet . libpool.example/go/...

echo "== through another module, with copies of both, and with the race detector"
cd "$scratch/through"
get "libpool.example/go/between@$version"
grep -q "libpool.example/go $version" go.mod || fail "go.mod of the other module does not name the version"
"${bare[@]}" "$go" mod vendor
mv "$scratch/go/pkg" "$scratch/hidden" # so the copies are all there is
"${bare[@]}" GOPROXY=off "GOEXPERIMENT=$with_race" "$go" build -race -o through .
mv "$scratch/hidden" "$scratch/go/pkg"
says "12 * 12 = 144" ./through

echo "== drivers"
cd "$scratch/arith"
bare+=(GOFLAGS=-mod=mod) # it is the first that imports each package of the module
"${bare[@]}" "$go" mod edit -dropreplace=libpool.example/go "-require=libpool.example/go@$version"
"${bare[@]}" "$go" build -o arith .
export POOL_DRIVER_PATH=$build/drivers
says "clients: 7 * 8 = 56
driver: 7 * 8 = 56
rpcpool: 7 * 8 = 56" ./arith
"${bare[@]}" "$go" build -ldflags=-extldflags=-Wl,--no-export-dynamic -o arith .
refuses "hides its functions from drivers; link it with -rdynamic, or" ./arith

echo "== the installed library instead"
cd "$scratch/app"
"${bare[@]}" "PATH=$PATH" "PKG_CONFIG_PATH=$build/uninstalled" \
  "$go" build -tags pool_system -o app .
readelf -d app | grep -q 'NEEDED.*libpool\.so\.1' || fail "it does not need libpool.so.1"
LD_LIBRARY_PATH=$build says "the same connection: true 7" ./app

echo "== where it cannot be"
cd "$scratch/arith" # has no C of its own
# The package that refuses is built alone, for beside it Go would compile its own packages for each system.
headers=libpool.example/go/internal/include/pool
cannot_be() { # TEXT VARIABLE...
  "${bare[@]}" "${@:2}" "$go" list -deps . | grep -x "$headers" >/dev/null ||
    fail "with ${*:2} a program does without $headers"
  refuses "$1" "${bare[@]}" "${@:2}" "$go" build "$headers"
}
cannot_be libpool_is_written_in_C__set_CGO_ENABLED_to_1_and_install_a_C_compiler CGO_ENABLED=0
for system in windows/amd64 darwin/arm64 js/wasm android/arm64; do
  cannot_be libpool_runs_on_Linux_only__build_with_GOOS_linux "GOOS=${system%/*}" "GOARCH=${system#*/}"
done

echo "== the next version"
"$go" run "$source/tools/module.go" "$scratch/modules" v0.9.0 "$scratch/proxy"
says "libpool.example/go $version v0.9.0" "${bare[@]}" "$go" list -m -versions libpool.example/go
get libpool.example/go@latest
grep -q 'libpool.example/go v0.9.0' go.mod || fail "the newest version is not the last one that was made"
refuses "is not a version like v0.1.0" "$go" run "$source/tools/module.go" "$scratch/modules" 1.0 "$scratch/proxy"
