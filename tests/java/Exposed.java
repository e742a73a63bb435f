// SPDX-License-Identifier: MIT
package libpool;

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** A program that poolctl looks into: {@code ROLE URL}. Each of its pools has one connection lent, and one idle. */
final class Exposed {
  private Exposed() {}

  public static void main(String[] arguments) throws Exception {
    if (arguments[0].equals("steered")) {
      beSteered();
      return;
    }
    if (arguments[0].equals("deaf")) {
      beDeaf();
      return;
    }
    if (arguments[0].equals("source")) {
      beSource();
      return;
    }
    var mine = Pool.builder(Object::new).name("mine").maxOpen(2).build();
    var served = DriverPool.builder(arguments[1]).name("served").maxOpen(2).build();
    List<AutoCloseable> lent = List.of(mine.get(), served.get());
    mine.get().close();
    served.get().close();
    try {
      expose(arguments[0], mine, served);
      var later = Pool.builder(Object::new).name("later").build();
      say("ready");
      Reference.reachabilityFence(later);
    } catch (PoolException e) {
      say(e.code() + " " + e.getMessage());
    }
    Reference.reachabilityFence(lent);
  }

  /** For each line that comes a thread gets a connection; of "hold" it keeps it. */
  private static void beSteered() throws IOException {
    var builder = Pool.builder(Object::new).name("steered").maxOpen(1);
    var pool = builder.closer(conn -> System.out.println("closed in " + Thread.currentThread().getName())).build();
    pool.expose();
    System.out.println("ready");
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line; (line = in.readLine()) != null; ) {
      boolean holds = line.equals("hold");
      var thread = new Thread(() -> System.out.println(get(pool, holds)));
      thread.setDaemon(true);
      thread.start();
    }
  }

  /** A data source with one connection that is lent: for each line that comes it says its size and lends another. */
  private static void beSource() throws IOException, SQLException {
    try (var source = new PooledDataSource()) {
      source.setJdbcUrl("jdbc:h2:mem:exposed");
      source.setMinimumIdle(0);
      source.setMaximumPoolSize(1);
      List<Connection> lent = new ArrayList<>(List.of(source.getConnection()));
      Pool.exposeAll();
      System.out.println("ready");
      source.setCloseGrace(0);
      var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      while (in.readLine() != null) {
        System.out.println("up to " + source.getMaximumPoolSize());
        lent.add(source.getConnection());
        System.out.println(lent.size() + " lent");
      }
    }
  }

  /** There is no descriptor to hear of a budget by when its pool is made, and another pool has the permit. */
  private static void beDeaf() throws Exception {
    var builder = Pool.builder(Object::new).set("budget", "process:deaf?limit=1");
    var lease = builder.name("other").build().get();
    List<Pool<Object, RuntimeException>> made = new ArrayList<>();
    whenFull(() -> made.add(builder.name("deaf").build()));
    var thread = new Thread(() -> System.out.println(get(made.get(0), false)));
    thread.start();
    while (made.get(0).stats().waiting() == 0) {
      Thread.yield();
    }
    lease.discard();
    thread.join();
    say("over");
  }

  private static String get(Pool<?, ?> pool, boolean holds) {
    try {
      var lease = pool.get(Duration.ofHours(1));
      if (!holds) {
        lease.close();
      }
      return "got";
    } catch (Exception e) {
      return e.getClass().getSimpleName();
    }
  }

  /** And waits until the test has seen enough. */
  private static void say(String line) throws IOException {
    System.out.println(line);
    System.in.readAllBytes();
  }

  private static void expose(String role, Pool<?, ?> mine, DriverPool served) throws IOException {
    switch (role) {
      case "mine" -> mine.expose();
      case "served" -> served.expose();
      case "all" -> Pool.exposeAll();
      case "full" -> whenFull(mine::expose);
      case "all, full" -> whenFull(Pool::exposeAll);
      default -> {} // the environment says what is exposed
    }
  }

  /** There is a descriptor for the folder, and none for the socket. */
  private static void whenFull(Runnable expose) throws IOException {
    List<FileInputStream> files = new ArrayList<>();
    try {
      for (; ; ) {
        files.add(new FileInputStream("/dev/null"));
      }
    } catch (IOException full) {
      files.remove(files.size() - 1).close();
    }
    try {
      expose.run();
    } finally {
      for (FileInputStream file : files) {
        file.close();
      }
    }
  }
}
