// SPDX-License-Identifier: MIT
package org.springframework.boot.context.properties.bind;

public final class Bindable<T> {
  public static <T> Bindable<T> ofInstance(T instance) {
    throw new AssertionError();
  }
}
