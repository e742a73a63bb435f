#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the archive defines for a program that is linked with it are the functions of the contract and nothing else.
# usage: archive.sh SOURCE_FOLDER ARCHIVE
set -euo pipefail
source=$1 archive=$2
command -v nm >/dev/null || { echo "FAILED: nm is missing (Debian: apt-get install binutils)"; exit 1; }
diff -u <(sed 's/@.*//' "$source/abi/libpool.so.1.symbols" | sort) \
  <(nm --defined-only --extern-only --format=posix "$archive" | awk 'NF > 1 { print $1 }' | sort) || {
  echo "FAILED: the archive has other names than abi/libpool.so.1.symbols; a program may use the same for its own"
  exit 1
}
