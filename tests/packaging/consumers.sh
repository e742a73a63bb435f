#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A CMake project of somebody else uses the library in the ways of CMake: as an installed package, as one that is in the
# build folder still, as a subdirectory, and by FetchContent from a folder.
# usage: consumers.sh SOURCE_FOLDER BUILD_FOLDER VERSION C_FLAGS
set -euo pipefail
source=$1 build=$2 version=$3 flags=${4:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$source"/tests/packaging/{CMakeLists.txt,ten.c} "$work"
cp "$source"/tests/packaging/ten.c "$work/ten.cpp"
cd "$work"

fail() {
  echo "FAILED: $1"
  exit 1
}

consume() { # NAME CMAKE_ARGUMENT...; $folder is where, which may have been built in before
  local name=$1 folder=${folder:-$1} program printed
  shift
  { cmake -G Ninja -S . -B "$folder" -DCMAKE_C_FLAGS="$flags -g0" -DCMAKE_CXX_FLAGS="$flags -g0" "$@" &&
    cmake --build "$folder" && cmake --install "$folder" --prefix "$name-installed"; } >log 2>&1 ||
    { cat log; echo "FAILED: $name does not build"; exit 1; }
  for program in c_pool c_pool_static cpp_pool cpp_pool_static; do
    printed=$("$folder/$program") || fail "$name, $program exited with $?"
    [ "$printed" = "42 $version" ] || fail "$name, $program printed '$printed'"
    if grep -q 'NEEDED.*libpool' <<<"$(readelf --dynamic "$folder/$program")"; then
      [ "${program%_static}" = "$program" ] || fail "$name, $program needs libpool.so"
    else
      [ "${program%_static}" != "$program" ] || fail "$name, $program does not need libpool.so"
    fi
  done
  grep -q NODELETE <<<"$(readelf --dynamic "$folder/libplugin.so")" || fail "$name, a plugin goes from under its threads"
  # What a project has inside is not its own to install.
  case $name in
    add_subdirectory | FetchContent)
      [ -z "$(find "$name-installed" -name '*pool.*')" ] || fail "$name installs the library" ;;
  esac
  echo "$name: good"
}

cmake --install "$build" --prefix "$work/prefix" >/dev/null
mv prefix moved
consume find_package -DWAY=find_package -DCMAKE_PREFIX_PATH="$work/moved"
grep -q "$work/moved" find_package/CMakeCache.txt || fail "another installed libpool was found"
consume build_folder -DWAY=find_package -Dpool_DIR="$build"
consume add_subdirectory -DWAY=add_subdirectory -DPOOL_SOURCE="$source"
# At the same time with somebody else's warnings, and another compiler.
strict='-Wall -Wextra -Wpedantic -Werror'
consume FetchContent -DWAY=FetchContent -DPOOL_SOURCE="$source" -DFETCHCONTENT_FULLY_DISCONNECTED=ON \
  -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_C_FLAGS="$strict" -DCMAKE_CXX_FLAGS="$strict"
folder=add_subdirectory consume shipped -DPOOL_INSTALL=ON -DPOOL_MAN=OFF
[ -f shipped-installed/share/doc/pool/LICENSE ] || fail "shipped, the documents are in the folder of the consumer's"
[ ! -e add_subdirectory/CPackConfig.cmake ] || fail "shipped, cpack makes packages of libpool instead of the consumer"
