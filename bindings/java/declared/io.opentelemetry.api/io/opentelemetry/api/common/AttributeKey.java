// SPDX-License-Identifier: MIT
package io.opentelemetry.api.common;

public interface AttributeKey<T> {
  static AttributeKey<String> stringKey(String key) {
    throw new AssertionError();
  }
}
