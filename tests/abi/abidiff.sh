#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What abidiff finds between the baseline in abi/ and the library.  What programs cannot bear fails; any other change
# needs a line in abi/notes.txt that says why nobody is harmed.
# usage: abidiff.sh SOURCE_FOLDER LIBRARY
#        abidiff.sh --write BASELINE LIBRARY
set -euo pipefail
for tool in abidw abidiff; do
  command -v $tool >/dev/null || { echo "FAILED: $tool is missing (Debian: apt-get install abigail-tools)"; exit 1; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

write() { # BASELINE LIBRARY
  if ! grep -q '\.debug_info' <<<"$(readelf --section-headers --wide "$2")"; then
    echo "FAILED: $2 was built without -g, so its types cannot be compared"
    exit 1
  fi
  # By the folder of their headers, for src/decide/pool.h and src/run/event.h are none of abi/pool/, whose files
  # of these names --headers-dir would take them for.
  printf '[suppress_type]\n  source_location_not_regexp = /pool/[a-z]+\\.h$\n  drop = yes\n' >"$work/private"
  abidw --no-corpus-path --no-show-locs --no-comp-dir-path --exported-interfaces-only --suppressions "$work/private" \
    --out-file "$1" "$2"
  # Where it was built is nobody's affair.
  sed -i -E "s#path='[^']*/#path='#" "$1"
}

if [ "$1" = --write ]; then
  write "$2" "$3"
  exit 0
fi

source=$1 library=$2
baseline=$source/abi/$(uname -m)-linux.abi
if [ ! -f "$baseline" ]; then
  echo "FAILED: there is no baseline for this kind of machine: tools/refresh-abi makes abi/${baseline##*/}"
  exit 1
fi
write "$work/now.abi" "$library"
status=0
abidiff --no-show-locs "$baseline" "$work/now.abi" >"$work/report" 2>&1 || status=$?
[ $status -ne 0 ] || exit 0
cat "$work/report"
if ((status & 3)); then
  echo "FAILED: abidiff itself failed with status $status"
elif ((status & 8)); then
  echo "FAILED: programs that were compiled before would not work any more: take the change back"
else
  name=$(sha256sum <"$work/report" | cut -c 1-16)
  ! grep -q "^$name ." "$source/abi/notes.txt" || exit 0
  echo "FAILED: the ABI has changed: if every program compiled before still works, add to abi/notes.txt '$name' and why"
fi
exit 1
