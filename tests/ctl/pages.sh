#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The manual page and the completions of poolctl know each command and each option that it has, and its linter finds no
# fault in the page.
# usage: pages.sh SOURCE_FOLDER POOLCTL
set -euo pipefail
source=$1/poolctl poolctl=$2
failed=0
fail() {
  echo "FAILED: $1"
  failed=1
}

mandoc -T lint -W warning "$source/poolctl.1" || fail "mandoc finds fault with poolctl.1"
page=$(mandoc -T ascii "$source/poolctl.1" | col -b)
commands=$("$poolctl" --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
[ "$(wc -w <<<"$commands")" -gt 8 ] || fail "found only a few commands; is this test broken?"
# Outside of poolctl's own folder there may be another poolctl.
complete() { # WORD...: what bash would offer
  PATH=$(dirname "$poolctl"):$PATH bash -c 'compopt() { :; }
    source "$0"
    COMP_WORDS=(poolctl "$@")
    COMP_CWORD=$#
    _poolctl
    echo "${COMPREPLY[*]}"' "$source/complete.bash" "$@"
}

for command in $commands; do
  grep -q "^ *poolctl $command\|^ *poolctl .*| $command\|^ *poolctl.*$command |" <<<"$page" || fail "poolctl(1) has no $command"
  [[ " $(complete '') " == *" $command "* ]] || fail "complete.bash has no $command"
  grep -q "'$command:" "$source/complete.zsh" || fail "complete.zsh has no $command"
  for option in $("$poolctl" "$command" --help | grep -oE '^ +-., --[a-z-]+' | grep -oE '\-\-[a-z-]+' | grep -vE 'usage|help'); do
    grep -q -- "$option" <<<"$page" || fail "poolctl(1) has no $option"
    [[ " $(complete "$command" --) " == *" $option "* ]] || fail "complete.bash has no $command $option"
    grep -q -- "$option" "$source/complete.zsh" || fail "complete.zsh has no $option"
  done
done
[ "$(complete settings max_w)" = max_waiters ] || fail "complete.bash offers '$(complete settings max_w)' for settings max_w"
[ "$(complete top --sort wa)" = waiting ] || fail "complete.bash offers '$(complete top --sort wa)' for top --sort wa"
zsh -n "$source/complete.zsh" || fail "complete.zsh is no zsh"
exit $failed
