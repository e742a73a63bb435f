#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# lintian has nothing to say about the packages, not even for information; nothing is overridden.
# usage: lintian.sh PACKAGE_FOLDER
set -euo pipefail
said=$(lintian --allow-root --display-info --fail-on none "$1"/*.deb) ||
  { echo "FAILED: lintian does not run"; exit 1; }
[ -z "$said" ] || { printf 'FAILED: lintian says\n%s\n' "$said"; exit 1; }
