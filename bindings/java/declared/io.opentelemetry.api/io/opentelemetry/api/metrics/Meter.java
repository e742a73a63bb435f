// SPDX-License-Identifier: MIT
package io.opentelemetry.api.metrics;

public interface Meter {
  LongCounterBuilder counterBuilder(String name);

  LongUpDownCounterBuilder upDownCounterBuilder(String name);

  DoubleHistogramBuilder histogramBuilder(String name);

  default BatchCallback batchCallback(Runnable callback, ObservableMeasurement first, ObservableMeasurement... more) {
    throw new AssertionError();
  }
}
