// SPDX-License-Identifier: MIT
package io.opentelemetry.api.metrics;

import java.util.List;

public interface DoubleHistogramBuilder {
  DoubleHistogramBuilder setDescription(String description);

  DoubleHistogramBuilder setUnit(String unit);

  default DoubleHistogramBuilder setExplicitBucketBoundariesAdvice(List<Double> boundaries) {
    throw new AssertionError();
  }

  DoubleHistogram build();
}
