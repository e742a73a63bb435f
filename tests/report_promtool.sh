#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Prometheus's own tool has nothing to say against a report, but for one name that is not ours.
# usage: report_promtool.sh REPORT_METRICS PROMTOOL
set -euo pipefail
metrics=$1 promtool=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$metrics" >"$work/metrics"
for line in 'libpool_leases_total{pool="orders"} 1' 'libpool_leases_total{pool="pool",number="2"} 1'; do
  grep -qxF "$line" "$work/metrics" || { echo "FAILED: the report has no line $line"; exit 1; }
done
"$promtool" check metrics <"$work/metrics" >"$work/complaints" 2>&1 || true
# OpenTelemetry's name of the connections by state ends as only a histogram's should.
sed -i '/^db_client_connection_count non-histogram and non-summary metrics should not have "_count" suffix$/d' \
  "$work/complaints"
if [ -s "$work/complaints" ]; then
  cat "$work/complaints"
  echo "FAILED: promtool has objections"
  exit 1
fi
# It would have said so.
if sed 's/_total/_sum_up/' "$work/metrics" | "$promtool" check metrics >"$work/complaints" 2>&1; then
  echo "FAILED: promtool has nothing to say against counters without _total"
  exit 1
fi
