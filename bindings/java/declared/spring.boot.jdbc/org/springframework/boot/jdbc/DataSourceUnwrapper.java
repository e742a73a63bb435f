// SPDX-License-Identifier: MIT
package org.springframework.boot.jdbc;

import javax.sql.DataSource;

public final class DataSourceUnwrapper {
  public static <T> T unwrap(DataSource dataSource, Class<T> target) {
    throw new AssertionError();
  }
}
