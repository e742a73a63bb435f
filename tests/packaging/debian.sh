#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The packages are installed, used and removed in a scratch folder, with a copy of this system's list of packages, so
# that what they depend on is looked for; the system itself is not touched.
# usage: debian.sh PACKAGE_FOLDER SOURCE_FOLDER VERSION
set -euo pipefail
packages=$(realpath "$1") source=$2 version=$3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

fail() {
  echo "FAILED: $1"
  exit 1
}

cd "$packages"
mkdir -p "$root"/var/lib/dpkg/{info,updates,triggers}
cp /var/lib/dpkg/status "$root/var/lib/dpkg"
cp /var/lib/dpkg/arch "$root/var/lib/dpkg" 2>/dev/null || true
# Nobody there is interested in the trigger that runs ldconfig, so nothing is run.  Small systems, as in containers,
# leave out manual pages unless they are asked for.
on_scratch() {
  fakeroot dpkg --root="$root" --force-not-root --force-script-chrootless --log=/dev/null --path-include='*' "$@"
}
files() {
  (cd "$root" && find . -path ./var/lib/dpkg -prune -o -print | sort)
}
before=$(files)
on_scratch --install ./*.deb >"$root/var/lib/dpkg/log" 2>&1 ||
  { cat "$root/var/lib/dpkg/log"; fail "they do not install"; }
all=$(for file in ./*.deb; do dpkg-deb --field "$file" Package; done)
for package in libpool1 libpool-drivers poolctl libpool-dev libpool-doc $all; do
  [ "$(dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${db:Status-Status}' $package)" = installed ] ||
    fail "$package is not installed"
done

pc=$(find "$root/usr/lib" -name pool.pc)
library=$(dirname "$(dirname "$pc")")
[ "$library" = "$root/usr/lib/$(dpkg-architecture -q DEB_HOST_MULTIARCH)" ] || fail "the library is in $library"
# shellcheck disable=SC2046 # many words
cc "$source/tests/packaging/ten.c" $(PKG_CONFIG_LIBDIR=$(dirname "$pc") pkg-config --cflags --libs pool) -o "$root/ten"
[ "$(LD_LIBRARY_PATH=$library "$root/ten")" = "42 $version" ] || fail "a program compiled with them does not run"
# shellcheck disable=SC2046 # many words
cc -static "$source/tests/packaging/ten.c" \
  $(PKG_CONFIG_LIBDIR=$(dirname "$pc") pkg-config --cflags --libs --static pool) -o "$root/ten"
[ "$("$root/ten")" = "42 $version" ] || fail "a program compiled with their static library does not run"
rm "$root/ten"
for page in libpool pool_get pool_get_api pool_config_t; do
  MANPATH=$root/usr/share/man man --where "$page" >/dev/null || fail "man does not find $page(3)"
done

triggers=$(dpkg-deb --info ./libpool1_*.deb triggers)
[ "$triggers" = "activate-noawait ldconfig" ] || fail "libpool1 does not have ldconfig run"
symbols=$(dpkg-deb --info ./libpool1_*.deb symbols | sed -n 's/^ \(pool_[a-z_]*@[^ ]*\) .*/\1/p')
golden=$(sed 's/@@/@/' "$source/abi/libpool.so.1.symbols")
[ "$(sort <<<"$symbols")" = "$(sort <<<"$golden")" ] || fail "the symbols file is not abi/libpool.so.1.symbols"

! on_scratch --remove libpool1 >/dev/null 2>&1 || fail "libpool1 can be removed from below the others"
# shellcheck disable=SC2086 # a list
on_scratch --remove $all >"$root/var/lib/dpkg/log" 2>&1 ||
  { cat "$root/var/lib/dpkg/log"; fail "they do not remove"; }
[ "$(files)" = "$before" ] || fail "something is left behind: $(diff <(echo "$before") <(files))"
