#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A shared library or program has the protections that pkgconfig/release.cmake asks for.
# usage: hardening.sh FILE...
set -euo pipefail
failed=0
protection() { # WHAT; the rest of the line says whether it is there
  if ! "${@:2}"; then
    echo "FAILED: $file: $1 is missing; see pkgconfig/release.cmake"
    failed=1
  fi
}
has() { grep -qE "$2" <<<"$1"; }
lacks() { ! has "$@"; }

# all_marked FILE: each exported function begins with the instruction that lets it be called by its address.
all_marked() {
  objdump --disassemble --no-show-raw-insn "$1" | awk '
    NR == FNR { exported[$1] = 1; next }
    unmarked { if ($0 !~ /endbr64/) { print "no endbr64 in " unmarked; failed = 1 } else count++; unmarked = "" }
    /^[0-9a-f]+ <.*>:$/ && $1 in exported { unmarked = $2 }
    END { exit failed || !count }' <(nm --dynamic --defined-only "$1" | grep ' T ') -
}

for file in "$@"; do
  all=$(readelf --wide --file-header --program-headers --dynamic --syms --notes "$file")
  protection "position independence (PIE)" has "$all" 'Type: +DYN'
  protection "relro" has "$all" '^ *GNU_RELRO'
  protection "binding at start (-z now)" has "$all" 'BIND_NOW|Flags:.* NOW'
  protection "a stack that is not executable" has "$all" '^ *GNU_STACK .* RW +0x'
  protection "the absence of text relocations" lacks "$all" 'TEXTREL'
  case $file in
    *.so*)
      protection "the absence of an rpath" lacks "$all" '\(R(UN)?PATH\).*\[/'
      protection "the stack protector" has "$all" '__stack_chk_fail'
      protection "fortified functions" has "$all" '__[a-z]+_chk(@| |$)'
      if [ "$(uname -m)" = x86_64 ]; then
        protection "the mark for control-flow protection" has "$all" 'x86 feature: .*IBT, SHSTK'
        protection "the absence of an _init without endbr64" lacks "$all" '\((INIT|FINI)\)'
        protection "endbr64 where functions begin" all_marked "$file"
      fi ;;
  esac
done
exit $failed
