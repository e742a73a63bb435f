# SPDX-License-Identifier: MIT
# bash completion for poolctl
_poolctl()
{
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]:-} words=
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='call bench check drivers settings top budget pause resume flush evict resize health --help --version'
  elif [ "$before" = --sort ] || [ "$before" = -s ]; then
    words='pid program pool lent idle open waiting p99 rate held'
  elif [ "$before" = --url-file ] || [ "$before" = -u ]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
    return
  elif [[ $word == -* ]]; then
    case $command in
    call | check) words='--json --url-file --timeout --help' ;;
    bench) words='--json --url-file --timeout --threads --duration --hold --method --with --pool-only --help' ;;
    budget) words='--json --url-file --once --plain --interval --help' ;;
    top) words='--json --once --plain --interval --sort --rows --help' ;;
    health) words='--json --stuck-after --help' ;;
    *) words='--json --help' ;;
    esac
  elif [ "$command" = settings ]; then
    words=$(poolctl settings 2>/dev/null | sed -n 's/^\([a-z_]*\).*/\1/p')
  elif [[ $command =~ ^(pause|resume|flush|evict|resize|health)$ && $COMP_CWORD -eq 2 ]]; then
    words=$(poolctl top --once --rows 0 2>/dev/null | awk 'NR > 1 { print $1; print $1 "/" $3 }')
  elif [[ $command =~ ^(call|bench|check)$ && $COMP_CWORD -eq 2 ]]; then
    words=$(poolctl drivers 2>/dev/null | awk 'NR > 1 && !/^ / { print $2 "://" }')
    compopt -o nospace
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _poolctl poolctl
