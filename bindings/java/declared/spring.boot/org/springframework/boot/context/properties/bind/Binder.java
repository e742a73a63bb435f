// SPDX-License-Identifier: MIT
package org.springframework.boot.context.properties.bind;

import org.springframework.core.env.Environment;

public class Binder {
  public static Binder get(Environment environment) {
    throw new AssertionError();
  }

  public <T> BindResult<T> bind(String name, Bindable<T> target, BindHandler handler) {
    throw new AssertionError();
  }
}
