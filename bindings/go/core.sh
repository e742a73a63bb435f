#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Puts the C library's sources into the Go package internal/core, and its public headers into internal/include/pool.
#
# cgo compiles the C files of the package's own folder, and `go mod vendor` keeps no folder without a Go file.  So all
# sources lie side by side: decide/step.c becomes decide_step.c, and the includes say so.  A .def file becomes a header,
# for Go looks at headers to see whether something has changed.
# usage: core.sh SOURCE_FOLDER MODULE_FOLDER NM ARCHIVE; the archive has the same sources, to list the names in them
set -euo pipefail
shopt -s nullglob
source=$1 module=$2 nm=$3 archive=$4
export LC_ALL=C
core=$module/internal/core headers=$module/internal/include/pool
layers='base|slot|decide|run|api'

flat() { # FILE, below src/: its name in the package
  local name=${1//\//_}
  echo "${name/%.def/_def.h}"
}

find "$core" "$headers" -type f ! -name '*.go' ! -name embedded.h -delete
cd "$source/src"
for file in {base,slot,decide,run,api}/*.{c,h,def}; do
  [ "$file" != base/park_pthread.c ] || continue # the module is for Linux, where threads sleep by futex
  {
    [ "$file" = "${file%.c}" ] || printf '//go:build cgo\n\n#include "embedded.h"\n'
    sed -E -e "s,^(# *include \")($layers)/([a-z_]+)\.def\",\1\2_\3_def.h\"," \
      -e "s,^(# *include \")($layers)/,\1\2_," "$file"
  } >"$core/$(flat "$file")"
done
cp "$source"/abi/pool/*.h "$headers"
cp "$source/LICENSE" "$module"

# Whoever includes the headers is compiled again when they have changed: Go sees a change of this constant only.
digest=$(cat "$headers"/*.h | sha256sum)
cat >"$headers/digest.go" <<END
// SPDX-License-Identifier: MIT

package headers

// Digest is that of the headers.
const Digest = "${digest%% *}"
END

# The names that files share, without those of the manual.  The last file that is written: it is newer than the sources.
{
  echo '/* The functions and variables that the files of the library share, by the names that the linker knows. */'
  "$nm" --defined-only -g "$archive" 2>/dev/null |
    awk 'NF == 3 && $3 ~ /^[a-z_]+$/ && $3 !~ /^pool_/ {print "#pragma redefine_extname " $3 " libpool_" $3}' | sort -u
} >"$core/names.h"
grep -q '^#pragma redefine_extname error_set ' "$core/names.h" || { echo "no names in $archive" >&2; exit 1; }
