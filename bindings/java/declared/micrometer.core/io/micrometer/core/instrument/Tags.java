// SPDX-License-Identifier: MIT
package io.micrometer.core.instrument;

public abstract class Tags implements Iterable<Tag> {
  private Tags() {}

  public static Tags of(String key, String value) {
    throw new AssertionError();
  }

  public static Tags concat(Iterable<? extends Tag> tags, String... more) {
    throw new AssertionError();
  }
}
