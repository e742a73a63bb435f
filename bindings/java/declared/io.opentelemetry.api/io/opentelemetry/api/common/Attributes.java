// SPDX-License-Identifier: MIT
package io.opentelemetry.api.common;

public interface Attributes {
  static <T> Attributes of(AttributeKey<T> key, T value) {
    throw new AssertionError();
  }

  static <T, U> Attributes of(AttributeKey<T> key1, T value1, AttributeKey<U> key2, U value2) {
    throw new AssertionError();
  }
}
