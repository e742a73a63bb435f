#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every message has a row in src/base/messages.def, a driver's in drivers/messages.def, and docs/messages.md is what the rows
# say; a text without a row, a row without a text, and a number that is given twice or taken away are seen and told.
# usage: messages.sh SOURCE_FOLDER
set -euo pipefail
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$source/tools/messages" --check
mkdir -p "$work/tree/bindings"
cp "$source/bindings/messages.def" "$work/tree/bindings"

# refused WHAT IT_SAYS FILE SED_SCRIPT: with this mistake the check fails, and says so.
refused() {
  cp -r "$source/src" "$source/drivers" "$source/docs" "$source/tools" "$work/tree"
  sed -i "$4" "$work/tree/$3"
  if said=$("$work/tree/tools/messages" --check 2>&1); then
    echo "FAILED: nobody sees $1"
    exit 1
  fi
  grep -qF -- "$2" <<<"$said" || { echo "FAILED: of $1 it is said: $said"; exit 1; }
}
rows=src/base/messages.def
refused 'a text without a row' 'src/api/get.c: no row says "no pool is here"' src/api/get.c 's/"pool is NULL"/"no pool is here"/'
refused 'a line of the log without a row' 'no row says "the server has come back"' src/run/events.def \
  's/"the server is back"/"the server has come back"/'
refused 'a row without a text' 'message 104 is said nowhere' src/run/worker.c '/open returned no connection/d'
refused 'a number that is given twice' 'message 103 does not follow' $rows 's/^MESSAGE(104,/MESSAGE(103,/'
refused 'a number in the wrong section' 'message 304 is in another section' $rows 's/^MESSAGE(210,/MESSAGE(304,/'
last=$(sed -n 's/^MESSAGE(\(1[0-9][0-9]\),.*/\1/p' "$source/$rows" | tail -n 1) # only the last of a section may be another
refused 'a number that is taken away' "message $last was on the page" $rows "s/^MESSAGE($last,/MESSAGE(199,/"
refused 'a page that was not written' 'run tools/messages' $rows 's/Give it one\./Give it two./'
refused 'a literal that is no message and no part of one' 'drivers/jsonrpc/reply.c: "it has no result and no error" is no message and no PIECE' \
  drivers/jsonrpc/reply.c 's/it has neither result nor error/it has no result and no error/'
refused 'a part that is said nowhere' 'the PIECE "no call had this id" is said nowhere' drivers/jsonrpc/reply.c 's/no call had this id/unknown/'
refused 'a message about a description without a row' 'no row says "nobody opens: write open"' drivers/foreign/call.c \
  's/"a call of a function stands here"/"nobody opens: write open"/'
refused "a driver's text without a row" 'no row says "the server went away"' drivers/jsonrpc/jsonrpc.c \
  's/"the server closed the connection"/"the server went away"/'
