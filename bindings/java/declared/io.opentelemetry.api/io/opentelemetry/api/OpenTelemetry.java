// SPDX-License-Identifier: MIT
package io.opentelemetry.api;

import io.opentelemetry.api.metrics.Meter;

public interface OpenTelemetry {
  default Meter getMeter(String scope) {
    throw new AssertionError();
  }
}
