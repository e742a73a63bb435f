// SPDX-License-Identifier: MIT
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import libpool.PooledDataSource;

/**
 * Twenty customers order from a shop whose database takes three connections. Run it with {@code java -cp
 * libpool.jar:postgresql.jar Shop.java jdbc:postgresql://localhost/shop?user=me}.
 */
public class Shop {
  public static void main(String[] arguments) throws Exception {
    ExecutorService customers = Executors.newCachedThreadPool();
    try (PooledDataSource source = new PooledDataSource()) {
      source.setJdbcUrl(arguments[0]);
      source.setMaximumPoolSize(3);
      source.setMinimumIdle(0);
      try (Connection connection = source.getConnection();
          Statement statement = connection.createStatement()) {
        statement.execute("CREATE TABLE orders (customer int, article text)");
      }
      List<Future<?>> orders = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        int customer = i;
        orders.add(customers.submit(() -> order(source, customer)));
      }
      for (Future<?> order : orders) {
        order.get();
      }
      try (Connection connection = source.getConnection();
          Statement statement = connection.createStatement();
          ResultSet count = statement.executeQuery("SELECT count(*) FROM orders")) {
        count.next();
        System.out.println("java: " + count.getInt(1) + " orders over at most 3 connections");
      }
    } finally {
      customers.shutdownNow();
    }
  }

  /** Every second customer changes his mind before the commit, which is undone when the connection is given back. */
  private static Void order(PooledDataSource source, int customer) throws SQLException {
    try (Connection connection = source.getConnection()) {
      connection.setAutoCommit(false);
      try (PreparedStatement insert = connection.prepareStatement("INSERT INTO orders VALUES (?, 'tea')")) {
        insert.setInt(1, customer);
        insert.execute();
      }
      if (customer % 2 == 0) {
        connection.commit();
      }
      return null;
    }
  }
}
