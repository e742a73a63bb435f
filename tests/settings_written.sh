#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The members of pool_config_t and docs/settings.md are what the rows of settings.def say; and where a row was
# changed and tools/settings forgotten, that is seen, told, and mended by it.
# usage: settings_written.sh SOURCE_FOLDER
set -euo pipefail
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$source/tools/settings" --check

cp -r "$source/abi" "$source/src" "$source/docs" "$source/tools" "$work"
sed -i -E 's/^(SETTING\(retire_percent, COUNT, "percent", )10/\111/; s/how long a check takes at most/zap/' \
  "$work/src/api/settings.def"
if said=$("$work/tools/settings" --check); then
  echo "FAILED: a row was changed and nobody sees it"
  exit 1
fi
for file in abi/pool/config.h docs/settings.md; do
  grep -q "FAILED: $file is not what src/api/settings.def says" <<<"$said" || { echo "$said"; exit 1; }
done
cmp -s "$source/docs/settings.md" "$work/docs/settings.md" || { echo "FAILED: --check has written"; exit 1; }
"$work/tools/settings"
"$work/tools/settings" --check
