// SPDX-License-Identifier: MIT
package bench;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** What a get and its return cost beside the peers, in one run. Every bound is on a ratio, not on a time. */
final class Bench {
  private static final int SIZE = 8;
  private static final int BATCH = 1000;
  private static final int CONTENDED_BATCH = 20;
  private static final double NOISE = 0.05;

  private Bench() {}

  public static void main(String[] arguments) throws Exception {
    Report report = new Report();
    Rounds rounds = new Rounds();
    for (int threads = 1; threads <= 2; threads++) {
      String name = threads == 1 ? "1 thread" : "2 threads";
      Map<String, Rounds.Cost> times = rounds.measure(threads, BATCH, contenders(SIZE, false));
      show(report, name, times);
      report.atMost(name + ": libpool to HikariCP", ratio(times, "libpool", "HikariCP"), "ratio", 0.5);
      report.atMost(name + ": data source to HikariCP", ratio(times, "libpool, data source", "HikariCP"), "ratio", 1);
    }
    String name = "4 threads, 1 connection";
    Map<String, Rounds.Cost> times = rounds.measure(4, CONTENDED_BATCH, contenders(1, true));
    show(report, name, times);
    double best =
        Stream.of("HikariCP", "commons-pool2", "ArrayBlockingQueue")
            .mapToDouble(peer -> ratio(times, "libpool", peer))
            .max()
            .getAsDouble();
    report.atMost(name + ": libpool to the best", best, "ratio", 1);
    report.atMost(name + ": data source to HikariCP", ratio(times, "libpool, data source", "HikariCP"), "ratio", 1);
    query(report, rounds, "statement and row", 1, 1);
    query(report, rounds, Stub.ROWS + " rows", Stub.ROWS, 1 + NOISE); // most of which is the driver's own
    if (arguments.length > 0) {
      report.write(Path.of(arguments[0]));
    }
    System.exit(report.isMissed() ? 1 : 0);
  }

  private static List<Contender> contenders(int size, boolean yields) {
    return List.of(
        new Libpool(size, yields),
        new LibpoolSource(size, yields),
        new Hikari(size, yields),
        new Commons(size, yields),
        new Queue(size, yields));
  }

  private static void query(Report report, Rounds rounds, String name, int rows, double limit) throws Exception {
    Map<String, Rounds.Cost> costs =
        rounds.measure(
            1,
            Math.max(10, BATCH / rows),
            List.of(
                Query.of("libpool, data source", LibpoolSource.source(SIZE), rows),
                Query.of("HikariCP", Hikari.source(SIZE), rows)));
    show(report, name, costs);
    report.atMost(name + ": data source to HikariCP", ratio(costs, "libpool, data source", "HikariCP"), "ratio", limit);
  }

  private static double ratio(Map<String, Rounds.Cost> costs, String one, String other) {
    return costs.get(one).ns() / costs.get(other).ns();
  }

  private static void show(Report report, String name, Map<String, Rounds.Cost> costs) {
    costs.forEach(
        (contender, cost) -> {
          report.only(name + ": " + contender, cost.ns(), "ns");
          report.only(name + ": " + contender, cost.bytes(), "bytes");
        });
  }
}
