#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Two builds are the same, byte by byte.
# usage: reproducible.sh FOLDER, as build.sh has left it
set -euo pipefail
folder=$1
failed=0

same() { # FILE, in the folders first* and second*
  if [ ! -s "$folder/first$1" ] || ! cmp "$folder/first$1" "$folder/second$1"; then
    echo "FAILED: first$1 and second$1 differ (diffoscope shows where): keep times, users and folders out of it"
    failed=1
  fi
}

for file in libpool.so libpool.a drivers/pool-jsonrpc.so examples/first; do
  same "-build/$file"
  if strings -a "$folder/first-build/$file" | grep -F "$folder"; then
    echo "FAILED: $file has the name of the folder it was built in"
    failed=1
  fi
done
packages=$(cd "$folder/first" && ls ./*.deb)
[ "$(wc -l <<<"$packages")" -ge 4 ] || { echo "FAILED: fewer than four packages: $packages"; exit 1; }
for package in $packages; do
  same "/${package#./}"
done
exit $failed
