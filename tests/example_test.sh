#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An example ends well and prints one line.
# usage: example_test.sh PROGRAM LINE
set -euo pipefail
program=$1 line=$2
printed=$("$program") || { echo "FAILED: $program exited with $?"; exit 1; }
[ "$printed" = "$line" ] || { echo "FAILED: $program printed '$printed', not '$line'"; exit 1; }
