// SPDX-License-Identifier: MIT
module io.opentelemetry.api {
  exports io.opentelemetry.api;
  exports io.opentelemetry.api.common;
  exports io.opentelemetry.api.metrics;
}
