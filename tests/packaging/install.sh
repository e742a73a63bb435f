#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs into temporary folders and builds a program of ten lines outside the tree, in every way of pkg-config.
# usage: install.sh SOURCE_FOLDER BUILD_FOLDER VERSION C_FLAGS
set -euo pipefail
source=$1 build=$2 version=$3
read -ra flags <<<"${4:-}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$source"/tests/packaging/ten.c "$work"
cp "$source"/tests/packaging/ten.c "$work/ten.cpp"
cd "$work"

fail() {
  echo "FAILED: $1"
  exit 1
}

# ask FOLDER OPTION...: what pkg-config says of the pool.pc in FOLDER, and of no other.
ask() {
  PKG_CONFIG_LIBDIR=$1 PKG_CONFIG_PATH='' pkg-config "${@:2}" pool
}

# check NAME FOLDER LIBRARY_FOLDER [OPTION...]: builds with what pkg-config says of FOLDER, and runs, in C and C++.
check() {
  local name=$1 folder=$2 library=$3 file compiler printed said
  said=$(ask "$folder" --cflags --libs "${@:4}")
  for file in ten.c ten.cpp; do
    compiler=cc
    [ $file = ten.c ] || compiler=c++
    # shellcheck disable=SC2086 # many words
    $compiler "${flags[@]}" $file $said -o program 2>log || { cat log; fail "$name, $file does not build"; }
    printed=$(env LD_LIBRARY_PATH="$library" ./program) || fail "$name, $file exited with $?"
    [ "$printed" = "42 $version" ] || fail "$name, $file printed '$printed'"
  done
  echo "$name: good"
}

cmake --install "$build" --prefix "$work/prefix" >/dev/null
library=$(dirname "$(find prefix -name libpool.so)")
[ -f "$library/pool/pool-jsonrpc.so" ] || fail "the driver is not installed"
[ "$(ask "$library/pkgconfig" --modversion)" = "$version" ] || fail "pool.pc has another version"

# Nothing is forgotten: each header, and a manual page for each function.
for header in "$source"/abi/pool/*.h; do
  cmp -s "$header" "prefix/include/pool/${header##*/}" || fail "pool/${header##*/} is not installed"
done
for function in libpool $(sed 's/@.*//' "$source/abi/libpool.so.1.symbols"); do
  [ -n "$(find prefix/share/man/man3 -name "$function.3*")" ] ||
    fail "$function(3) is not installed (without doxygen no manual pages are made)"
done

found=0
while IFS=: read -r page link; do
  [ -e "$(dirname "$page")/$link" ] || fail "$page has a link to $link, which is not installed"
  found=$((found + 1))
done < <(grep -roP --include='*.md' '\]\((?!https?:|#)\K[^)#, ]*[./][^)#, ]*' prefix/share/doc) # not Go's x[type](value)
[ $found -gt 10 ] || fail "found only a few links in what is installed; is this test broken?"

# pool.pc follows the folder that it lies in.
mv prefix moved
library=$work/${library/prefix/moved}
check "shared" "$library/pkgconfig" "$library"
if [ -e moved/bin/poolctl ]; then # it may be left out
  [ "$(moved/bin/poolctl --version)" = "poolctl $version" ] || fail "poolctl of a moved tree does not run"
  moved/bin/poolctl drivers | grep -q jsonrpc || fail "poolctl of a moved tree finds no drivers"
fi
rm "$library"/libpool.so*
# Newer systems have all of it in their C library and would not complain.
[ "$(ask "$library/pkgconfig" --libs --static | grep -oE -- '-pthread|-ldl' | xargs)" = "-pthread -ldl" ] ||
  fail "pool.pc does not say what the static library needs"
check "static" "$library/pkgconfig" '' --static
# shellcheck disable=SC2046 # many words
cc "${flags[@]}" -shared -fPIC ten.c $(ask "$library/pkgconfig" --cflags --libs --static) -o plugin.so
grep -q NODELETE <<<"$(readelf --dynamic plugin.so)" || fail "a plugin goes from under the threads of the library inside"
if [[ "${flags[*]}" != *sanitize* ]]; then # their libraries cannot be linked so
  flags+=(-static)
  check "a program without any shared library" "$library/pkgconfig" '' --static
  unset 'flags[-1]'
fi
! grep -q "$work/prefix" <<<"$(ask "$library/pkgconfig" --cflags --libs --static)" || fail "pool.pc remembers the prefix"

# The same through DESTDIR, which is not part of any name; there the library is moved once more.
DESTDIR=$work/staged cmake --install "$build" --prefix /opt/pool >/dev/null
mv staged/opt/pool elsewhere
rm -r staged
library=$(find "$work/elsewhere" -name libpool.so -printf %h)
[ -z "$(grep -rl "$work/staged" elsewhere || true)" ] || fail "something remembers DESTDIR"
check "DESTDIR" "$library/pkgconfig" "$library"
cat >driver.c <<'END'
#include <pool/driver.h>
int main(void)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  void *context;
  if (pool_driver_prepare("jsonrpc", "127.0.0.1:1", &vtable, &context, NULL))
    return 1;
  vtable.release(context);
  return 0;
}
END
# shellcheck disable=SC2046 # many words
cc "${flags[@]}" driver.c $(ask "$library/pkgconfig" --cflags --libs) -o driver
env -u POOL_DRIVER_PATH LD_LIBRARY_PATH="$library" ./driver || fail "the driver of a moved library is not found"

# Folders that are not below the prefix are taken as they are; a deeper one (as Debian's) is followed up.
configure() { # NAME CMAKE_ARGUMENT...
  cmake -G Ninja -S "$source" -B "$1" -DBUILD_TESTING=OFF -DPOOL_DRIVERS=OFF -DPOOL_MAN=OFF "${@:2}" >log 2>&1 ||
    { cat log; fail "cannot configure for $1"; }
}
configure absolute -DCMAKE_INSTALL_PREFIX=/nowhere -DCMAKE_INSTALL_LIBDIR=/away/lib \
  -DCMAKE_INSTALL_INCLUDEDIR=/far/include
[ "$(ask absolute --variable=libdir)" = /away/lib ] || fail "a libdir became $(ask absolute --variable=libdir)"
[ "$(ask absolute --cflags | xargs)" = -I/far/include ] || fail "an absolute includedir became $(ask absolute --cflags)"
! cpack --config absolute/CPackConfig.cmake -B packages >log 2>&1 || fail "Debian packages for another prefix than /usr"
grep -q tools/package log || fail "cpack does not say how to make Debian packages"
! cpack --config absolute/CPackConfig.cmake -G TGZ -B packages >log 2>&1 || fail "cpack makes half of another package"
grep -q 'cmake --install' log || fail "cpack does not say how to do without Debian packages"
configure multiarch -DCMAKE_INSTALL_PREFIX=/nowhere -DCMAKE_INSTALL_LIBDIR=lib/some-linux-gnu
mkdir -p tree/lib/some-linux-gnu/pkgconfig
cp multiarch/pool.pc tree/lib/some-linux-gnu/pkgconfig
[ "$(realpath -m "$(ask tree/lib/some-linux-gnu/pkgconfig --variable=includedir)")" = "$work/tree/include" ] ||
  fail "a libdir of two folders leads to $(ask tree/lib/some-linux-gnu/pkgconfig --variable=includedir)"

# The library that is not installed, by pkg-config's own convention.
PKG_CONFIG_PATH=$build/uninstalled pkg-config --uninstalled pool || fail "uninstalled/pool-uninstalled.pc is not used"
check "uninstalled" "$build/uninstalled" ''
configure "two words"
[[ $(ask "two words/uninstalled" --libs-only-L) = "-L$work/two\\ words"* ]] ||
  fail "a build folder of two words became $(ask "two words/uninstalled" --libs-only-L)"
