#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tests of this folder fail when they should: in scratch copies the mistakes are made that they are there for.
# usage: guards.sh SOURCE_FOLDER FOLDER VERSION, where build.sh has left its packages in FOLDER
set -euo pipefail
source=$1 built=$2 version=$3
scripts=$source/tests/packaging
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# caught MISTAKE WORDS COMMAND...: the command fails, and says these words.
caught() {
  local said
  if said=$("${@:3}" 2>&1); then
    echo "FAILED: not caught: $1"
    exit 1
  fi
  grep -qF -- "$2" <<<"$said" || { echo "$said"; echo "FAILED: $1: it fails, but does not say '$2'"; exit 1; }
  echo "caught: $1"
}

# Manual pages.
pages=$built/first-build/man/man3
cp -r "$pages" man3
rm man3/pool_get.3
caught "a function without a page" "pool_get has no manual page" "$scripts/man.sh" "$source" man3
cp "$pages/pool_get.3" man3
rm man3/pool_api.3
caught "a header without a page" "pool_api has no manual page" "$scripts/man.sh" "$source" man3
cp "$pages/pool_api.3" man3
sed -i '/^\.It Threads/d' man3/pool_get.3
caught "a function that does not speak of threads" "pool_get(3) does not speak of threads" \
  "$scripts/man.sh" "$source" man3
cp "$pages/pool_get.3" man3
echo '.Nonsense' >>man3/pool_put.3
caught "a page with a wrong macro" "mandoc finds fault" "$scripts/man.sh" "$source" man3
cp "$pages/pool_put.3" man3
rm man3/pool_config_t.3
caught "a reference to nowhere" "pool_config_t(3) is pointed to and missing" "$scripts/man.sh" "$source" man3
cp "$pages/pool_config_t.3" man3
"$scripts/man.sh" "$source" man3
mkdir headers
sed '/^ \* The table of functions\./,/\*\//d' "$source/abi/pool/api.h" |
  sed -z 's,/\*\*\n\(POOL_API\),\1,' >headers/api.h
printf '%s\n' "@INCLUDE = $built/first-build/man/Doxyfile" "INPUT = headers" "OUTPUT_DIRECTORY = ." | doxygen -
caught "a function without documentation" "pool_get_api in api.h has no documentation block" \
  ruby "$source/pkgconfig/man.rb" xml pages "$source/examples"

# Hardening.  One protection after the other is left out, and all but that one are there.
cat >victim.c <<'END'
#include <stdio.h>
int victim(char *name);
int victim(char *name)
{
  char line[64];
  snprintf(line, sizeof line, name);
  return puts(line);
}
END
marks=(-Wl,-z,ibt,-z,shstk,-init=none,-fini=none)
harden=(-O2 -fPIC -shared -fstack-protector-strong -fcf-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -Wl,-z,relro
  -Wl,-z,now -Wl,-z,noexecstack)
echo '.quad victim' >text.s # an address in the code, for which whoever loads it would have to write there
compile() {
  cc -w "${harden[@]}" "${marks[@]}" "$@" victim.c -o victim.so
}
compile
"$scripts/hardening.sh" "$work/victim.so"
for mistake in '-fno-stack-protector|the stack protector' '-U_FORTIFY_SOURCE|fortified functions' \
  '-Wl,-z,norelro|relro' '-Wl,-z,lazy|binding at start' '-Wl,-z,execstack|a stack that is not executable' \
  '-Wl,-rpath,/home|an rpath' '-fcf-protection=none|endbr64 where functions begin' \
  '-Wl,-init=_init|an _init without endbr64' '-Wl,-z,notext text.s|text relocations'; do
  # shellcheck disable=SC2086 # many words
  compile ${mistake%%|*}
  caught "${mistake%%|*}" "${mistake##*|}" "$scripts/hardening.sh" "$work/victim.so"
done
marks=(-fcf-protection=none)
compile
caught "a library without the mark" "the mark for control-flow protection" "$scripts/hardening.sh" "$work/victim.so"
echo 'int main(void) { return 0; }' >program.c
cc -O2 -fno-pie -no-pie -Wl,-z,relro,-z,now program.c -o program
caught "a program that is not PIE" "position independence" "$scripts/hardening.sh" "$work/program"

# Reproducible builds: the time of building in the library, and in a package.
cp -r "$built/first" "$built/second" .
cp -rL "$built"/first-build/{drivers,examples} .
for name in first second; do
  mkdir "$name-build"
  cp -r drivers examples "$name-build"
  cp "$built/$name-build"/libpool.{a,so} "$name-build"
done
"$scripts/reproducible.sh" "$work"
echo 'const char built[] = __DATE__ __TIME__;' >when.c
cc -Wno-date-time -fPIC -c when.c
ar q second-build/libpool.a when.o
caught "the time in the library" "libpool.a differ" "$scripts/reproducible.sh" "$work"
cp "first-build/libpool.a" second-build
cp first-build/libpool.so .
echo "$work/src/api/create.c" | tee -a first-build/libpool.so >>second-build/libpool.so
caught "the build folder in the library" "libpool.so has the name of the folder" "$scripts/reproducible.sh" "$work"
cp libpool.so first-build
cp libpool.so second-build
dpkg-deb -R second/libpool1_*.deb changed
touch changed/usr/share/doc/libpool1/copyright
SOURCE_DATE_EPOCH=$(date +%s) dpkg-deb --root-owner-group -b changed second/libpool1_*.deb >/dev/null
caught "the time in a package" "libpool1" "$scripts/reproducible.sh" "$work"

# Debian packages: one without a copyright, and one that needs what nobody has.
name=$(basename "$(echo "$built"/first/libpool1_*.deb)")
repack() { # FOLDER
  mkdir "$1"
  dpkg-deb --root-owner-group -b changed "$1/$name" >/dev/null
}
mv changed/usr/share/doc/libpool1/copyright .
repack careless
caught "a package without copyright" "no-copyright-file" "$scripts/lintian.sh" careless
mv copyright changed/usr/share/doc/libpool1
sed -i 's/^Depends: /Depends: libpool-of-nobody, /' changed/DEBIAN/control
repack lonely
cp "$built"/first/libpool-*.deb lonely
caught "a package that cannot be installed" "libpool-of-nobody" "$scripts/debian.sh" lonely "$source" "$version"
mkdir -p other/abi other/tests
cp -r "$scripts" other/tests
sed 1d "$source/abi/libpool.so.1.symbols" >other/abi/libpool.so.1.symbols
caught "a package with other symbols" "the symbols file is not abi/libpool.so.1.symbols" \
  "$scripts/debian.sh" "$built/first" "$work/other" "$version"

# Installing.  A folder that installs what is in the packages stands for a build folder.
mkdir tree build
for package in "$built"/first/*.deb; do
  dpkg-deb -x "$package" tree
done
rm -f tree/usr/bin/poolctl # that of the package finds its library in /usr
echo "file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}\" TYPE DIRECTORY FILES \"$work/tree/usr/\")" \
  >build/cmake_install.cmake
pc=$(find tree -name pool.pc) config=$(find tree -name pool-targets.cmake)
cp "$pc" pool.pc
sed -i 's,^prefix=.*,prefix=/usr/local/nowhere,' "$pc"
caught "a pool.pc that cannot be moved" "shared, ten.c does not build" \
  "$scripts/install.sh" "$source" "$work/build" "$version"
cp pool.pc "$pc"
sed -i '/^Cflags/d' "$pc"
caught "a pool.pc without Cflags" "shared, ten.c does not build" \
  "$scripts/install.sh" "$source" "$work/build" "$version"
cp pool.pc "$pc"
mv tree/usr/include/pool/api.h .
caught "a header that is not installed" "pool/api.h is not installed" \
  "$scripts/install.sh" "$source" "$work/build" "$version"
mv api.h tree/usr/include/pool
page=$(find tree -name 'pool_get.3*')
mv "$page" .
caught "a manual page that is not installed" "pool_get(3) is not installed" \
  "$scripts/install.sh" "$source" "$work/build" "$version"
mv "${page##*/}" "${page%/*}"
sed -i '/^Libs.private/d' "$pc"
caught "a pool.pc without what a static library needs" "pool.pc does not say what the static library needs" \
  "$scripts/install.sh" "$source" "$work/build" "$version"
cp pool.pc "$pc"
caught "a wrong version" "pool.pc has another version" "$scripts/install.sh" "$source" "$work/build" 9.9.9
sed -i 's,"${_IMPORT_PREFIX}/include","/usr/local/nowhere",' "$config"
caught "a CMake package that cannot be moved" "find_package does not build" \
  "$scripts/consumers.sh" "$source" "$work/build" "$version"
