// SPDX-License-Identifier: MIT
package io.micrometer.core.instrument;

import java.util.function.ToDoubleFunction;

public interface FunctionCounter extends Meter {
  static <T> Builder<T> builder(String name, T object, ToDoubleFunction<T> value) {
    throw new AssertionError();
  }

  class Builder<T> {
    private Builder() {}

    public Builder<T> tags(Iterable<Tag> tags) {
      throw new AssertionError();
    }

    public Builder<T> description(String description) {
      throw new AssertionError();
    }

    public FunctionCounter register(MeterRegistry registry) {
      throw new AssertionError();
    }
  }
}
