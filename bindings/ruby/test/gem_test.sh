#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# gem_test.sh BUILD [ARITH_SERVER]: builds the gem, installs it into a folder outside the tree, once with the C library
# inside, once compiled already and once on an installed library, and uses it there: by the example, and where there is
# a server, the last with a driver.
set -euo pipefail
build=$(cd "${1:?gem_test.sh needs the build folder}" && pwd)
ruby=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
server=${2:-}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export HOME=$scratch # no settings of the user's
export MAKEFLAGS='-j2 -- optflags=-O0 debugflags=' # quickly
cd "$scratch"

# From here on nothing of the tree is looked at but this and what runs as the server.
cp "$ruby/../../examples/ruby.rb" "$ruby/test/gem_use.rb" .
"$ruby/stage" staged
(cd staged && gem build libpool.gemspec --output "$scratch/libpool.gem")

try() {
  local folder=$1
  GEM_HOME=$folder GEM_PATH=$folder:$(gem environment gempath) ruby -w ruby.rb | tee "$folder.out"
  grep -qx '200 visits over at most 3 connections' "$folder.out"
}

# A driver brings libpool.so along, so it goes with the gem that uses that.
try_driver() {
  local folder=$1
  GEM_HOME=$folder GEM_PATH=$folder:$(gem environment gempath) ruby -w gem_use.rb "$server" | tee "$folder.out"
  grep -qx 'the product is 56' "$folder.out"
}

gem install --local --no-document --install-dir "$scratch/inside" libpool.gem
try "$scratch/inside"
native=$(find "$scratch/inside" -path '*/lib/libpool/native.so' | head -1)
if grep -q ' pool_' <<<"$(nm -D --defined-only "$native")"; then
  echo "the extension exports the C library that is inside" >&2
  exit 1
fi

# Compiled already, for those who have no compiler.
cp -R staged compiled
cp "$native" compiled/lib/libpool
platform=$(ruby -e 'puts Gem::Platform.local')
(cd compiled && LIBPOOL_GEM_PLATFORM=$platform gem build libpool.gemspec --output "$scratch/compiled.gem")
MAKE=false gem install --local --no-document --install-dir "$scratch/plain" compiled.gem
try "$scratch/plain"
[ -z "$(find "$scratch/plain" -name '*.c')" ]

cmake --install "$build" --prefix "$scratch/prefix" >/dev/null
PKG_CONFIG_PATH=$(dirname "$(find "$scratch/prefix" -name pool.pc)")
LD_LIBRARY_PATH=$(dirname "$(find "$scratch/prefix" -name libpool.so)")
export PKG_CONFIG_PATH LD_LIBRARY_PATH
gem install --local --no-document --install-dir "$scratch/system" libpool.gem -- --with-system-libpool
try "$scratch/system"
[ -z "$server" ] || try_driver "$scratch/system"
native=$(find "$scratch/system" -path '*/lib/libpool/native.so' | head -1)
grep -q "$scratch/prefix" <<<"$(ldd "$native")" # not in a pipe: ldd would fail if grep has seen enough
