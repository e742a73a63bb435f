#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes each mistake of list.txt in a copy of its source file, links it with the tests that must see it, and demands that
# one of them fails.  A test that hangs has failed.
# usage: run.sh SOURCE_FOLDER BUILD_FOLDER C_COMPILER [--texts] [--list FILE] [PART_OF_A_NAME]; with --texts it makes none,
# and looks whether their texts are in the files.
# The build is Ninja's and has the tests in it.
set -euo pipefail
source=$1 build=$2 compiler=$3
shift 3
texts_only=false list=$source/tests/mutants/list.txt part=
while [ $# -gt 0 ]; do
  case $1 in
  --texts) texts_only=true; shift ;;
  --list) list=${2:?--list needs a file}; shift 2 ;;
  *) part=$1; shift ;;
  esac
done
limit=8 # seconds for tests that take less than one
jobs=$(nproc)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/said"

# ---- the list ----

names=() files=() olds=() news=() seers=()
bad() {
  echo "FAILED: $list, '${names[-1]:-}': $1"
  exit 1
}

append() { # ARRAY LINE: to the last element
  local -n array=$1
  array[-1]+=${array[-1]:+$'\n'}$2
}

while IFS= read -r line || [ -n "$line" ]; do
  case $line in
  '' | '#'*) ;;
  'mistake: '*) names+=("${line#mistake: }") files+=('') olds+=('') news+=('') seers+=('') ;;
  'file: '*) files[-1]=${line#file: } ;;
  '-'*) append olds "${line#-}" ;;
  '+'*) append news "${line#+}" ;;
  'sees: '*) append seers "${line#sees: }" ;;
  *) bad "a line that is none of the list's: $line" ;;
  esac
done <"$list"

is_chosen() { # INDEX
  [ -z "$part" ] || [[ ${names[$1]} == *"$part"* ]]
}

# The whole list, whatever is chosen.
declare -A texts
for i in "${!names[@]}"; do
  file=${files[i]}
  [ -n "$file" ] && [ -n "${olds[i]}" ] && [ -n "${seers[i]}" ] || bad "it lacks a file, a text or a test"
  [ -n "${texts[$file]:-}" ] || texts[$file]=$(<"$source/src/$file")
  rest=${texts[$file]/"${olds[i]}"/}
  [ "$rest" != "${texts[$file]}" ] || { names+=("${names[i]}"); bad "its text is not in $file (any more)"; }
  [ "${rest/"${olds[i]}"/}" = "$rest" ] || { names+=("${names[i]}"); bad "its text is in $file more than once"; }
done
! $texts_only || exit 0

# ---- one test ----

link_command() { # PROGRAM: as the build links it
  ninja -C "$build" -t commands -s "tests/$1" | sed -e 's/^: && //' -e 's/ && :$//'
}

run_tests() { # SECONDS EXECUTABLE PATTERN
  local seconds=$1 executable=$2 patterns=$3
  (cd "$build/tests" && POOL_TESTS=$patterns timeout -k 1 "$seconds" "$executable")
}

# Without a mistake the tests pass, and there are some.
declare -A tried commands limits
sound=true
for i in "${!names[@]}"; do
  is_chosen "$i" || continue
  while read -r program pattern; do
    [ -z "${tried[$program $pattern]:-}" ] || continue
    tried[$program $pattern]=1
    [ -n "${commands[$program]:-}" ] || commands[$program]=$(link_command "$program")
    began=$SECONDS
    run_tests 60 "$build/tests/$program" "$pattern" >"$work/plain" 2>&1 && grep -q '  PASSED  . [1-9]' "$work/plain" ||
      { cat "$work/plain"; echo "FAILED: $program $pattern, without any mistake"; sound=false; }
    limits["$program $pattern"]=$((limit + 6 * (SECONDS - began))) # a test that is slow today does not hang
  done <<<"${seers[i]}"
done
$sound

# ---- one mistake ----

which_test() { # FILE: the test that failed, or that was running
  local name
  name=$(sed -n 's/^.*  FAILED  . \(test_[a-z0-9_]*\).*/\1/p' "$1" | sort -u | head -3 | paste -sd ' ')
  [ -n "$name" ] || name=$(sed -n 's/^.* RUN  .* \(test_[a-z0-9_]*\)$/\1/p' "$1" | tail -1)
  echo "$name"
}

make_object() { # INDEX FOLDER
  local text=${texts[${files[$1]}]}
  printf '%s\n' "${text/"${olds[$1]}"/"${news[$1]}"}" >"$2/mutant.c"
  "$compiler" -std=gnu11 -c -fPIC -w -pthread -fno-strict-aliasing -D_GNU_SOURCE -I"$source/abi" -I"$source/src" \
    "$2/mutant.c" -o "$2/mutant.o"
}

is_seen() { # INDEX FOLDER: says by which test
  local program pattern command
  while read -r program pattern; do
    command=${commands[$program]/ -o "tests/$program" / -o "$2/$program" "$2/mutant.o" }
    (cd "$build" && eval "$command") || { echo "FAILED: $program cannot be linked"; return 1; }
    if ! run_tests "${limits["$program $pattern"]}" "$2/$program" "$pattern" </dev/null >"$2/said" 2>&1; then
      echo "seen by $(which_test "$2/said"): ${names[$1]}"
      return 0
    fi
  done <<<"${seers[$1]}"
  echo "NOT SEEN: ${names[$1]} (${files[$1]})"
  return 1
}

try_mistake() { # INDEX
  local folder=$work/$1
  mkdir "$folder"
  make_object "$1" "$folder" || { echo "FAILED: '${names[$1]}' does not compile"; return 1; }
  is_seen "$1" "$folder"
  local code=$?
  rm -rf "$folder"
  return $code
}

made=0 running=0
for i in "${!names[@]}"; do
  is_chosen "$i" || continue
  made=$((made + 1))
  (try_mistake "$i" >"$work/said/$i" 2>&1 || touch "$work/said/$i.bad"; cat "$work/said/$i") &
  running=$((running + 1))
  if [ "$running" -ge "$jobs" ]; then
    wait -n || true
    running=$((running - 1))
  fi
done
wait
survivors=$(find "$work/said" -name '*.bad' | wc -l)
echo "$made mistakes made, $survivors not seen"
[ "$made" -gt 0 ] && [ "$survivors" = 0 ]
