#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The public structs and the tables are as abi/layout.txt has them, member by member.
# usage: structs.sh SOURCE_FOLDER C_COMPILER
set -euo pipefail
source=$1 compiler=$2
if [ "$(getconf LONG_BIT)" != 64 ]; then
  echo "FAILED: abi/layout.txt is that of machines with 64 bits; this one needs a list of its own"
  exit 1
fi
if ! diff -u "$source/abi/layout.txt" <("$(dirname "${BASH_SOURCE[0]}")/layout.sh" "$source/abi" "$compiler"); then
  echo "FAILED: a public struct has changed: members are added at its end only; if that is so, run tools/refresh-abi"
  exit 1
fi
