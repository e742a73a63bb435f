// SPDX-License-Identifier: MIT
package io.opentelemetry.api.metrics;

public interface BatchCallback extends AutoCloseable {
  @Override
  default void close() {
    throw new AssertionError();
  }
}
