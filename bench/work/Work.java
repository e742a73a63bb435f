// SPDX-License-Identifier: MIT
import com.zaxxer.hikari.HikariDataSource;
import io.agroal.api.AgroalDataSource;
import io.agroal.api.configuration.supplier.AgroalDataSourceConfigurationSupplier;
import io.agroal.api.security.NamePrincipal;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import javax.sql.DataSource;
import libpool.PooledDataSource;
import org.postgresql.Driver;

/**
 * Real work in Java: many threads share few connections of PostgreSQL, lent by libpool and by the pools that Java programs use.
 * bench/work/run starts the server and says what a line of the output is.
 */
final class Work {
  private static final int THREADS = 64;
  private static final int CONNECTIONS = 8;
  private static final String URL =
      "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/postgres";
  private static final String USER = System.getenv("PGUSER");
  private static final int[] THOUSANDTHS = {500, 990, 999, 1000};

  private static volatile boolean stop;

  private Work() {}

  public static void main(String[] arguments) throws Exception {
    int rounds = Integer.parseInt(arguments[0]);
    long length = Long.parseLong(arguments[1]);
    Map<String, DataSource> contenders = new LinkedHashMap<>();
    contenders.put("libpool", libpool());
    contenders.put("HikariCP", hikari());
    contenders.put("Agroal", agroal());
    for (int round = -2; round < rounds; round++) { // the first two warm up
      for (Map.Entry<String, DataSource> each : contenders.entrySet()) {
        String line = work(each.getValue(), length);
        if (round >= 0) {
          System.out.println("PostgreSQL\t" + each.getKey() + "\t" + line);
        }
      }
    }
    System.exit(0);
  }

  private static DataSource libpool() {
    PooledDataSource source = new PooledDataSource();
    source.setJdbcUrl(URL);
    source.setUsername(USER);
    source.setMaximumPoolSize(CONNECTIONS);
    return source;
  }

  private static DataSource hikari() {
    HikariDataSource source = new HikariDataSource();
    source.setJdbcUrl(URL);
    source.setUsername(USER);
    source.setMaximumPoolSize(CONNECTIONS);
    return source;
  }

  private static DataSource agroal() throws SQLException {
    return AgroalDataSource.from(
        new AgroalDataSourceConfigurationSupplier()
            .metricsEnabled(false)
            .connectionPoolConfiguration(
                pool ->
                    pool.maxSize(CONNECTIONS)
                        .acquisitionTimeout(Duration.ofSeconds(30))
                        .connectionFactoryConfiguration(
                            factory ->
                                factory
                                    .jdbcUrl(URL)
                                    .connectionProviderClass(Driver.class)
                                    .principal(new NamePrincipal(USER)))));
  }

  private static void use(DataSource source) throws SQLException {
    try (Connection connection = source.getConnection();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT 1")) {
      if (!rows.next()) {
        throw new AssertionError("no row");
      }
    }
  }

  private static String work(DataSource source, long length) throws InterruptedException {
    stop = false;
    long[][] all = new long[THREADS][];
    Thread[] threads = new Thread[THREADS];
    long began = System.nanoTime();
    for (int i = 0; i < THREADS; i++) {
      int number = i;
      threads[i] = new Thread(() -> all[number] = uses(source));
      threads[i].start();
    }
    Thread.sleep(length);
    stop = true;
    for (Thread thread : threads) {
      thread.join();
    }
    return told(Stream.of(all).flatMapToLong(Arrays::stream).sorted().toArray(), System.nanoTime() - began);
  }

  private static long[] uses(DataSource source) {
    long[] times = new long[1024];
    int count = 0;
    try {
      while (!stop) {
        long asked = System.nanoTime();
        use(source);
        times = count < times.length ? times : Arrays.copyOf(times, 2 * count);
        times[count++] = System.nanoTime() - asked;
      }
    } catch (SQLException e) {
      e.printStackTrace();
      Runtime.getRuntime().halt(1); // a figure without this thread would be wrong
    }
    return Arrays.copyOf(times, count);
  }

  private static String told(long[] times, long took) {
    StringBuilder line = new StringBuilder().append(took / times.length);
    for (int thousandths : THOUSANDTHS) {
      line.append('\t').append(times[(int) ((times.length - 1L) * thousandths / 1000)]);
    }
    return line.toString();
  }
}
