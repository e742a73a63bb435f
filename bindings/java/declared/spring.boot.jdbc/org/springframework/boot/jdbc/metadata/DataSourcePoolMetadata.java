// SPDX-License-Identifier: MIT
package org.springframework.boot.jdbc.metadata;

public interface DataSourcePoolMetadata {
  Float getUsage();

  Integer getActive();

  default Integer getIdle() {
    throw new AssertionError();
  }

  Integer getMax();

  Integer getMin();

  String getValidationQuery();

  Boolean getDefaultAutoCommit();
}
