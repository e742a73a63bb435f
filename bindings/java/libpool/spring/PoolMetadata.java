// SPDX-License-Identifier: MIT
package libpool.spring;

import libpool.PoolStats;
import libpool.PooledDataSource;
import org.springframework.boot.jdbc.metadata.DataSourcePoolMetadata;

/** A pool as Spring Boot's metrics and health see it. None of this begins the pool. */
final class PoolMetadata implements DataSourcePoolMetadata {
  private final PooledDataSource source;

  PoolMetadata(PooledDataSource source) {
    this.source = source;
  }

  @Override
  public Float getUsage() {
    return (float) getActive() / getMax();
  }

  @Override
  public Integer getActive() {
    PoolStats stats = source.stats();
    return stats == null ? 0 : (int) stats.leased();
  }

  @Override
  public Integer getIdle() {
    PoolStats stats = source.stats();
    return stats == null ? 0 : (int) stats.idle();
  }

  @Override
  public Integer getMax() {
    return source.getMaximumPoolSize();
  }

  @Override
  public Integer getMin() {
    int min = source.getMinimumIdle();
    return min < 0 ? getMax() : Math.min(min, getMax());
  }

  @Override
  public String getValidationQuery() {
    return source.getConnectionTestQuery();
  }

  @Override
  public Boolean getDefaultAutoCommit() {
    return source.isAutoCommit();
  }
}
