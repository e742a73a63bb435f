// SPDX-License-Identifier: MIT
package io.micrometer.core.instrument.binder;

import io.micrometer.core.instrument.MeterRegistry;

public interface MeterBinder {
  void bindTo(MeterRegistry registry);
}
