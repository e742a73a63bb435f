#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The alerts fire where they have to and nowhere else; and what the alerts, the board and docs/metrics.md name, a report
# has.  Each alert is tested and has a line on the page, as has each metric with OpenTelemetry's name.
# usage: monitoring.sh SOURCE_FOLDER REPORT_METRICS DASHBOARD PROMTOOL
set -euo pipefail
source=$1 metrics=$2 dashboard=$3 promtool=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rules=$source/docs/monitoring/libpool.rules.yml page=$source/docs/metrics.md
fail() {
  echo "FAILED: $1"
  exit 1
}

cp "$rules" "$source/tests/monitoring.test.yml" "$work"
for what in check\ rules\ libpool.rules.yml test\ rules\ monitoring.test.yml; do
  # shellcheck disable=SC2086 # words
  (cd "$work" && "$promtool" $what) >"$work/said" 2>&1 || { cat "$work/said"; fail "promtool $what"; }
done
sed -i 's/> 0.8/> 0.999/' "$work/libpool.rules.yml" # eight of eight are more than that
sed -i 's/ == 0$/ == 1/' "$work/libpool.rules.yml"
! (cd "$work" && "$promtool" test rules monitoring.test.yml) >/dev/null 2>&1 || fail "promtool sees no mistake"

"$metrics" | sed -nE 's/^([a-z_]+)\{.*/\1/p' | sort -u >"$work/known"
"$dashboard" "$source/docs/monitoring/dashboard.json" >"$work/queries"
names() { grep -ohE '\b(libpool|db_client_connection)_[a-z_]+' "$@" | grep -vE '^db_client_connection_(pool_name|state)$' | sort -u; }
for file in "$rules" "$work/queries"; do
  unknown=$(names "$file" | comm -23 - "$work/known")
  [ -z "$unknown" ] || fail "$file has metrics that no report has: $unknown"
done
[ "$(names "$work/queries" | wc -l)" -gt 15 ] || fail "the board has only a few metrics; is this test broken?"

for alert in $(sed -n 's/.*- alert: //p' "$rules"); do
  [ "$(grep -c "alertname: $alert" "$source/tests/monitoring.test.yml")" -eq 2 ] || fail "$alert is not tested both ways"
  grep -q "^| \`$alert\` |" "$page" || fail "docs/metrics.md has no line about $alert"
done
for metric in $("$metrics" | sed -n 's/^# TYPE \(db_client_[a-z_]*\) .*/\1/p'); do
  grep -q "^| \`$metric\` |" "$page" || fail "docs/metrics.md has no line about $metric"
done
