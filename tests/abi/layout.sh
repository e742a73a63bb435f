#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Prints where the members of the public structs are, and how large they and the structs are.
# usage: layout.sh FOLDER C_COMPILER [OLD_FOLDER]
# With OLD_FOLDER: of today's headers in FOLDER, what those in OLD_FOLDER had; and not how large the structs are.
set -euo pipefail
folder=$1 compiler=$2 old=${3:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# "type member" of each public struct.
printf '#include <pool/api.h>\n' | "$compiler" -E -P -I"${old:-$folder}" - | tr '\n' ' ' |
  grep -oE 'typedef struct \{[^}]*\} pool_[a-z_]+_t;' |
  awk '{
    type = $NF; sub(/;/, "", type)
    sub(/^typedef struct \{/, ""); sub(/\}[^}]*$/, "")
    count = split($0, lines, ";")
    for (i = 1; i <= count; i++) {
      line = lines[i]
      if (match(line, /\(\*[a-z_0-9]+\)/)) { print type, substr(line, RSTART + 2, RLENGTH - 3); continue }
      names = split(line, parts, ",")
      for (j = 1; j <= names; j++) {
        sub(/\[.*/, "", parts[j]); sub(/ +$/, "", parts[j])
        if (match(parts[j], /[a-z_0-9]+$/)) print type, substr(parts[j], RSTART)
      }
    }
  }' >"$work/members"

{
  printf '#include <stdio.h>\n#include <pool/api.h>\nint main(void)\n{\n'
  last=
  while read -r type member; do
    if [ -z "$old" ] && [ "$type" != "$last" ]; then
      printf '  printf("%s: %%u bytes\\n", (unsigned)sizeof(%s));\n' "$type" "$type"
    fi
    last=$type
    printf '  printf("%s.%s: at %%u, %%u bytes\\n", (unsigned)offsetof(%s, %s), (unsigned)sizeof(((%s *)0)->%s));\n' \
      "$type" "$member" "$type" "$member" "$type" "$member"
  done <"$work/members"
  printf '  return 0;\n}\n'
} >"$work/layout.c"
"$compiler" -std=c11 -I"$folder" "$work/layout.c" -o "$work/layout"
"$work/layout"
