#compdef poolctl
# SPDX-License-Identifier: MIT
# zsh completion for poolctl

_poolctl_pools() {
  local -a pools
  pools=(${(f)"$(poolctl top --once --rows 0 2>/dev/null | awk 'NR > 1 { print $1; print $1 "/" $3 }')"})
  compadd -a pools
}

_poolctl_settings() {
  local -a settings
  settings=(${(f)"$(poolctl settings 2>/dev/null | sed -n 's/^\([a-z_]*\).*/\1/p')"})
  compadd -a settings
}

_poolctl_urls() {
  local -a urls
  urls=(${(f)"$(poolctl drivers 2>/dev/null | awk 'NR > 1 && !/^ / { print $2 "://" }')"})
  compadd -S '' -a urls
}

_poolctl() {
  local -a commands json url
  commands=(
    'call:call a method of a server'
    'bench:measure a pool, and the same without one'
    'check:try a server step by step'
    'drivers:list the drivers that are found'
    'settings:list the settings of a pool'
    'top:watch the pools of running processes'
    'budget:watch the members of a budget'
    'pause:lend no more connections'
    'resume:lend again'
    'flush:close all connections'
    'evict:end all waits'
    'health:say whether a pool is healthy, busy, stuck or down'
    'resize:allow another number of connections'
  )
  json=('(-j --json)'{-j,--json}'[one JSON document]')
  url=('(-u --url-file)'{-u,--url-file}'[read the URL from a file]:file:_files'
    '(-t --timeout)'{-t,--timeout}'[limit of each step]:milliseconds:')
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
    call) _arguments $json $url '1:URL:_poolctl_urls' '2:method:' '3:arguments:' ;;
    check) _arguments $json $url '1:URL:_poolctl_urls' ;;
    bench)
      _arguments $json $url '1:URL:_poolctl_urls' \
        '(-T --threads)'{-T,--threads}'[threads that borrow]:number:' \
        '(-d --duration)'{-d,--duration}'[length of each run]:milliseconds:' \
        '(-H --hold)'{-H,--hold}'[how long a connection is kept]:microseconds:' \
        '(-m --method)'{-m,--method}'[call a method in each use]:method:' \
        '(-w --with)'{-w,--with}'[arguments of the method]:arguments:' \
        '(-o --pool-only)'{-o,--pool-only}'[leave out the run without a pool]' ;;
    top)
      _arguments $json '(-1 --once)'{-1,--once}'[once]' '(-p --plain)'{-p,--plain}'[lines of text]' \
        '(-i --interval)'{-i,--interval}'[time between two looks]:milliseconds:' \
        '(-n --rows)'{-n,--rows}'[leases under plain lines]:number:' \
        '(-s --sort)'{-s,--sort}'[column]:column:(pid program pool lent idle open waiting p99 rate held)' ;;
    budget)
      _arguments $json $url '(-1 --once)'{-1,--once}'[once]' '(-p --plain)'{-p,--plain}'[lines of text]' \
        '(-i --interval)'{-i,--interval}'[time between two looks]:milliseconds:' '1:URL:' ;;
    settings) _arguments $json '1:setting:_poolctl_settings' ;;
    health) _arguments $json '(-a --stuck-after)'{-a,--stuck-after}'[milliseconds without a connection that came back]:ms:' '1:pool:_poolctl_pools' ;;
    pause|resume|flush|evict) _arguments $json '1:pool:_poolctl_pools' ;;
    resize) _arguments $json '1:pool:_poolctl_pools' '2:number:' ;;
    *) _arguments $json ;;
  esac
}

_poolctl "$@"
