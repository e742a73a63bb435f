// SPDX-License-Identifier: MIT
package bench;

import com.zaxxer.hikari.HikariDataSource;
import io.agroal.api.AgroalDataSource;
import io.agroal.api.configuration.supplier.AgroalDataSourceConfigurationSupplier;
import java.sql.SQLException;
import javax.sql.DataSource;
import libpool.PooledDataSource;

/** The data sources that are compared, each with as many connections of the {@link Stub}. */
final class Sources {
  static final String LIBPOOL = "libpool, data source";
  static final String HIKARI = "HikariCP";
  static final String AGROAL = "Agroal";

  private Sources() {}

  static DataSource libpool(int size) {
    PooledDataSource source = new PooledDataSource();
    source.setDataSource(new Stub());
    source.setMaximumPoolSize(size);
    return source;
  }

  static DataSource hikari(int size) {
    HikariDataSource source = new HikariDataSource();
    source.setDataSource(new Stub());
    source.setMaximumPoolSize(size);
    return source;
  }

  static DataSource agroal(int size) throws SQLException {
    return AgroalDataSource.from(
        new AgroalDataSourceConfigurationSupplier()
            .metricsEnabled(false)
            .connectionPoolConfiguration(
                pool ->
                    pool.maxSize(size)
                        .initialSize(size)
                        .connectionFactoryConfiguration(factory -> factory.connectionProviderClass(Stub.class))));
  }
}
