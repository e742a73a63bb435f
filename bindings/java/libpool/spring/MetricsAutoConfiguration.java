// SPDX-License-Identifier: MIT
package libpool.spring;

import io.micrometer.core.instrument.binder.MeterBinder;
import javax.sql.DataSource;
import libpool.PooledDataSource;
import libpool.micrometer.PoolMeters;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.jdbc.DataSourceUnwrapper;
import org.springframework.context.annotation.Bean;

/** Where there is Micrometer, Spring Boot binds the meters of all data sources that are pools, jdbc.connections by itself. */
@AutoConfiguration
@ConditionalOnClass(
    name = {"io.micrometer.core.instrument.binder.MeterBinder", "org.springframework.boot.jdbc.DataSourceUnwrapper"})
public class MetricsAutoConfiguration {
  /** For Spring. */
  public MetricsAutoConfiguration() {}

  /**
   * Makes the meters of all data sources that are pools.
   *
   * @param sources all data sources
   * @return what Boot binds to each registry
   */
  @Bean
  public MeterBinder libpoolMeters(ObjectProvider<DataSource> sources) {
    return registry ->
        sources
            .orderedStream()
            .map(source -> DataSourceUnwrapper.unwrap(source, PooledDataSource.class))
            .filter(source -> source != null)
            .distinct() // one may be there as it is and in a wrapper
            .forEach(source -> new PoolMeters(source).bindTo(registry));
  }
}
