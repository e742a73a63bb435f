#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes the Debian packages from a copy of the sources, the first or the second time.  The copies lie in folders of
# different names, and are built as different people would: with another time zone, another umask, at another time, and
# where something was built before.
# usage: build.sh SOURCE_FOLDER FOLDER first|second; the packages are in FOLDER/first or FOLDER/second
set -euo pipefail
source=$1 folder=$2 time=$3
export SOURCE_DATE_EPOCH=1700000000

build() { # NAME COPY [OPTION]: the copy has a build folder already, of another kind
  rm -rf "$folder/$1" "$folder/$1-build" "${folder:?}/${2%%/*}"
  mkdir -p "$folder/$2"
  tar -C "$source" --exclude-tag-all=CMakeCache.txt --exclude=./build --exclude=./.git -c . |
    tar -C "$folder/$2" --touch -x
  [ $# -lt 3 ] || (cd "$folder/$2" && cmake --preset package --no-warn-unused-cli "$3" >/dev/null)
  "$folder/$2/tools/package" "$folder/$1"
  cmake --build "$folder/$2/build/package" --target first >/dev/null # a program, to see how programs are made
  ln -s "$2/build/package" "$folder/$1-build"
}

case $time in
  first) umask 022 && TZ=Pacific/Kiritimati LC_ALL=C build first a ;;
  second) umask 077 && TZ=America/Adak LC_ALL=C.UTF-8 build second a-folder/with/a/long/name -DPOOL_HARDENING=OFF ;;
esac
