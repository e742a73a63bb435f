#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes each mistake of java.txt in Java's way to lend and put back, and demands that the tests that it names fail.
# usage: java.sh SOURCE_FOLDER BUILD_FOLDER JAVA_HOME; the build has the jar and its tests.
set -euo pipefail
list=$1/tests/mutants/java.txt text=$(<"$1/bindings/java/libpool/View.java") home=$3
jar=$(compgen -G "$2/libpool-[0-9]*[0-9].jar")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shopt -s nullglob
tests=$2/tests/java:/usr/share/java/junit-platform-console.jar:/usr/share/java/junit-jupiter-engine.jar

builds() {
  rm -rf "$work/classes" && mkdir -p "$work/classes" "$work/libpool" &&
    printf '%s\n' "$1" >"$work/libpool/View.java" &&
    "$home/bin/javac" --release 17 -encoding UTF-8 -d "$work/classes" -cp "$jar" "$work/libpool/View.java" >"$work/said" 2>&1
}

# A mistake may leave a thread that waits for ever.
fails() { # TEST
  ! timeout 120 "$home/bin/java" -ea -Xmx256m -cp "$work/classes:$jar:$tests" org.junit.platform.console.ConsoleLauncher \
    --disable-banner --fail-if-no-tests --select-method "libpool.ViewTest#$1" >"$work/said" 2>&1
}

builds "$text" && ! fails aGetAndItsPutNeedNoCall || { cat "$work/said"; echo "FAILED: without a mistake"; exit 1; }
count=0 unseen=0 name='' old='' new='' part=''
while IFS= read -r line || [ -n "$line" ]; do
  case $line in
  '#'*) ;;
  'mistake: '*) name=${line#mistake: } old='' new='' ;;
  '-'*) old=${line#-} part=old ;;
  '+'*) new=${line#+} part=new ;;
  'sees: '*)
    rest=${text/"$old"/}
    [ "$rest" != "$text" ] && [ "${rest/"$old"/}" = "$rest" ] || { echo "FAILED: '$name': its text is not in View.java once"; exit 1; }
    count=$((count + 1))
    builds "${text/"$old"/"$new"}" || { cat "$work/said"; echo "FAILED: '$name' does not compile"; exit 1; }
    if fails "${line#sees: }"; then
      echo "seen: $name"
    else
      echo "NOT SEEN: $name"
      unseen=$((unseen + 1))
    fi
    ;;
  ?*) [ "$part" = old ] && old+=$'\n'$line || new+=$'\n'$line ;; # a text of more than one line
  esac
done <"$list"
echo "$count mistakes made, $unseen not seen"
[ "$count" -gt 0 ] && [ "$unseen" = 0 ]
