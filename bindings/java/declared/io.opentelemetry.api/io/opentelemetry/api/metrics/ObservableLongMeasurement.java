// SPDX-License-Identifier: MIT
package io.opentelemetry.api.metrics;

import io.opentelemetry.api.common.Attributes;

public interface ObservableLongMeasurement extends ObservableMeasurement {
  void record(long value, Attributes attributes);
}
