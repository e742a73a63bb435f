// SPDX-License-Identifier: MIT
package org.springframework.beans.factory;

import java.util.stream.Stream;

public interface ObjectProvider<T> {
  default Stream<T> orderedStream() {
    throw new AssertionError();
  }
}
