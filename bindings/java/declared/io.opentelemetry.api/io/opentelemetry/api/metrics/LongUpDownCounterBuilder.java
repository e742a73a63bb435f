// SPDX-License-Identifier: MIT
package io.opentelemetry.api.metrics;

public interface LongUpDownCounterBuilder {
  LongUpDownCounterBuilder setDescription(String description);

  LongUpDownCounterBuilder setUnit(String unit);

  default ObservableLongMeasurement buildObserver() {
    throw new AssertionError();
  }
}
