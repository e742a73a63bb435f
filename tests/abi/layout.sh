#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Prints where the members of the public structs are, how large they are, and what their POOL_*_INIT makes them where
# that is not 0; and how large the structs are, now or, where they do not begin with their size, for ever.
# usage: layout.sh FOLDER C_COMPILER
set -euo pipefail
folder=$1 compiler=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# "type member" of each public struct.
printf '#include <pool/api.h>\n' | "$compiler" -E -P -I"$folder" - | tr '\n' ' ' |
  grep -oE 'typedef struct( pool_[a-z_]+)? \{[^}]*\} pool_[a-z_]+_t;' |
  awk '{
    type = $NF; sub(/;/, "", type)
    sub(/^typedef struct[^{]*\{/, ""); sub(/\}[^}]*$/, "")
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
  cat <<'END'
#include <stdio.h>
#include <string.h>
#include <pool/api.h>

static void print_struct(const char *type, size_t size, const char *until)
{
  printf("%s: %u bytes %s\n", type, (unsigned)size, until);
}

static void print_member(const char *name, size_t at, size_t size, const void *value)
{
  int32_t narrow = 0;
  int64_t wide = 0;
  printf("%s: at %u, %u bytes", name, (unsigned)at, (unsigned)size);
  if (value && size == sizeof narrow)
    memcpy(&narrow, value, sizeof narrow);
  if (value && size == sizeof wide)
    memcpy(&wide, value, sizeof wide);
  if (narrow || wide)
    printf(", %lld at first", (long long)(narrow + wide));
  printf("\n");
}

int main(void)
{
END
  last=
  while read -r type member; do
    if [ "$type" != "$last" ]; then
      last=$type first=
      [ "$member" = size ] && until=now || until='for ever'
      printf '  print_struct("%s", sizeof(%s), "%s");\n' "$type" "$type" "$until"
      init=$(tr '[:lower:]' '[:upper:]' <<<"${type%_t}_INIT")
      if grep -q "^#define $init " "$folder"/pool/*.h; then
        printf '  static const %s first_%s = %s;\n' "$type" "$type" "$init"
        first="&first_$type"
      fi
    fi
    value=${first:+$first.$member}
    [ "$member" != size ] || value=
    printf '  print_member("%s.%s", offsetof(%s, %s), sizeof(((%s *)0)->%s), %s);\n' \
      "$type" "$member" "$type" "$member" "$type" "$member" "${value:-NULL}"
  done <"$work/members"
  printf '  return 0;\n}\n'
} >"$work/layout.c"
"$compiler" -std=c11 -I"$folder" "$work/layout.c" -o "$work/layout"
"$work/layout"
