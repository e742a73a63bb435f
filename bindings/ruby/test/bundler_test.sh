#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bundler_test.sh: the gem in a checkout of the repository, as a Gemfile finds it by path: and by git:, and `gem build`
# in the checkout.  In the Gemfile the drop-in comes first, and the real gem connection_pool after it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export HOME=$scratch MAKEFLAGS='-j2 -- optflags=-O0 debugflags=' # no settings of the user's, and quickly
unset RUBYLIB RUBYOPT
GEM_PATH=$scratch/gems:$(gem environment gempath)
export GEM_PATH GEM_HOME=$scratch/gems BUNDLE_SILENCE_ROOT_WARNING=1
cd "$scratch"

mkdir checkout
(cd "$root" && cp -R --parents abi src bindings/{pool.i,bell.*,inbox.*,ruby} docs/ruby.md LICENSE CHANGELOG.md \
  "$scratch/checkout")
(cd checkout/bindings/ruby && rm -rf lib/libpool/native.so ext/libpool/staged)

# Nothing is compiled yet, and who uses it is told.
! ruby -I checkout/bindings/ruby/lib -e 'require "libpool"' 2>said
grep -q "libpool's extension is not compiled: .* bindings/ruby/compile" said

# try SOURCE: bundles, and uses the gem with Bundler.require.
try() {
  mkdir "$1" && cd "$1"
  cat >Gemfile <<GEMFILE
gem 'libpool', $2, require: 'libpool/connection_pool'
gem 'connection_pool'
GEMFILE
  bundle install --local
  bundle exec ruby -w -e "Bundler.require
    puts [ConnectionPool.new(size: 1) { 41 }.with { |one| one + 1 }, Gem.loaded_specs['connection_pool'].name,
          ConnectionPool.instance_method(:with).source_location[0]].join(' ')" 2>/dev/null | tee said
  grep -q "^42 connection_pool .*/lib/libpool/connection_pool.rb$" said
  cd ..
}

try path "path: '$scratch/checkout/bindings/ruby'"
rm checkout/bindings/ruby/lib/libpool/native.so

(cd checkout && git init -q && git add . &&
  git -c user.name=nobody -c user.email=nobody@libpool.example commit -qm 'The checkout')
try git "git: '$scratch/checkout', glob: 'bindings/ruby/*.gemspec'"

(cd checkout/bindings/ruby && gem build libpool.gemspec --output "$scratch/libpool.gem")
[ -z "$(git -C checkout status --short --ignored)" ] # it leaves nothing behind
tar xOf libpool.gem data.tar.gz | tar tz | sort >files
for file in ext/libpool/{pool_wrap,bell,core/api_get}.c ext/libpool/core/pool/pool.h lib/libpool.rb README.md; do
  grep -qx "$file" files
done
