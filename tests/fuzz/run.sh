#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs a fuzzer for some seconds: from the seeds in the source folder, and what earlier runs in this build folder found.
# What crashes it stays in the build folder, and is shown.
# usage: run.sh FUZZER SECONDS FOUND_FOLDER SEED_FOLDER...
set -euo pipefail
fuzzer=$1 seconds=$2 found=$3
shift 3
mkdir -p "$found"
log=$found.log
options=(-max_total_time="$seconds" -timeout=10 -max_len=4096 -rss_limit_mb=1024 -artifact_prefix="$found-")
[ ! -f "${fuzzer%_fuzz}.dict" ] || options+=(-dict="${fuzzer%_fuzz}.dict")
if ! "$fuzzer" "${options[@]}" "$found" "$@" >"$log" 2>&1; then
  tail -n 60 "$log"
  echo "FAILED: the input is kept in $found-*"
  exit 1
fi
grep -E '^Done|INITED' "$log"
