// SPDX-License-Identifier: MIT
package io.micrometer.core.instrument;

import java.util.concurrent.TimeUnit;

public interface Timer extends Meter {
  static Builder builder(String name) {
    throw new AssertionError();
  }

  void record(long amount, TimeUnit unit);

  class Builder {
    private Builder() {}

    public Builder tags(Iterable<Tag> tags) {
      throw new AssertionError();
    }

    public Builder description(String description) {
      throw new AssertionError();
    }

    public Timer register(MeterRegistry registry) {
      throw new AssertionError();
    }
  }
}
