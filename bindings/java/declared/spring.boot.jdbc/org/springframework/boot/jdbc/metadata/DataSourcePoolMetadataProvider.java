// SPDX-License-Identifier: MIT
package org.springframework.boot.jdbc.metadata;

import javax.sql.DataSource;

public interface DataSourcePoolMetadataProvider {
  DataSourcePoolMetadata getDataSourcePoolMetadata(DataSource dataSource);
}
