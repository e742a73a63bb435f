// SPDX-License-Identifier: MIT
package libpool.spring;

import javax.sql.DataSource;
import libpool.PooledDataSource;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.jdbc.DataSourceUnwrapper;
import org.springframework.boot.jdbc.metadata.DataSourcePoolMetadataProvider;
import org.springframework.context.annotation.Bean;
import org.springframework.core.env.Environment;

/**
 * What Spring Boot finds in the jar by itself. Boot makes a {@link PooledDataSource} where {@code
 * spring.datasource.type} names it, as it does with every type that it does not know: by setUrl, setUsername,
 * setPassword and setDriverClassName. This adds the other properties and the metadata of the pool.
 */
@AutoConfiguration(
    beforeName = {
      "org.springframework.boot.autoconfigure.jdbc.DataSourceAutoConfiguration",
      "org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration" // from Boot 4 on
    })
@ConditionalOnClass(name = "org.springframework.boot.jdbc.metadata.DataSourcePoolMetadataProvider")
public class PoolAutoConfiguration {
  /** For Spring. */
  public PoolAutoConfiguration() {}

  /**
   * Static, so that Spring may have it before there is any configuration.
   *
   * @param beans says where a data source is from
   * @param environment where the properties are
   * @return the properties
   */
  @Bean
  public static PoolProperties libpoolProperties(ConfigurableListableBeanFactory beans, Environment environment) {
    return new PoolProperties(beans, environment);
  }

  /**
   * For the metrics jdbc.connections and the health of the database.
   *
   * @return the provider
   */
  @Bean
  public DataSourcePoolMetadataProvider libpoolMetadataProvider() {
    return PoolAutoConfiguration::metadata;
  }

  private static PoolMetadata metadata(DataSource source) {
    PooledDataSource pool = DataSourceUnwrapper.unwrap(source, PooledDataSource.class);
    return pool == null ? null : new PoolMetadata(pool);
  }
}
