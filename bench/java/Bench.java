// SPDX-License-Identifier: MIT
package bench;

import java.nio.file.Path;
import java.util.ArrayList;
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
    for (int threads : new int[] {1, 2, 16}) {
      String name = threads == 1 ? "1 thread" : threads + " threads";
      Map<String, Rounds.Cost> times = rounds.measure(threads, BATCH, contenders(2 * threads, false));
      show(report, name, times);
      report.atMost(name + ": libpool to HikariCP", ratio(times, "libpool", Sources.HIKARI), "ratio", 0.4);
      report.atMost(name + ": data source to HikariCP", ratio(times, Sources.LIBPOOL, Sources.HIKARI), "ratio", 0.5);
      report.atMost(name + ": data source to Agroal", ratio(times, Sources.LIBPOOL, Sources.AGROAL), "ratio", 1);
      report.atMost(name + ": data source", times.get(Sources.LIBPOOL).bytes(), "bytes", 48.5);
    }
    String name = "4 threads, 1 connection";
    Map<String, Rounds.Cost> times = rounds.measure(4, CONTENDED_BATCH, contenders(1, true));
    show(report, name, times);
    times.forEach((contender, cost) -> report.only(name + ", least turns / most: " + contender, cost.evenness(), "times"));
    double best =
        Stream.of(Sources.HIKARI, "stormpot", "commons-pool2", "ArrayBlockingQueue")
            .mapToDouble(peer -> ratio(times, "libpool", peer))
            .max()
            .getAsDouble();
    report.atMost(name + ": libpool to the best", best, "ratio", 1);
    report.atMost(name + ": data source to HikariCP", ratio(times, Sources.LIBPOOL, Sources.HIKARI), "ratio", 1);
    query(report, rounds, "statement and row", 1, 1);
    query(report, rounds, Stub.ROWS + " rows", Stub.ROWS, 1 + NOISE); // most of which is the driver's own
    if (arguments.length > 0) {
      report.write(Path.of(arguments[0]));
    }
    System.exit(report.isMissed() ? 1 : 0);
  }

  private static List<Contender> contenders(int size, boolean yields) throws Exception {
    List<Contender> all = new ArrayList<>();
    all.add(new Libpool(size, yields));
    all.add(Borrow.of(Sources.LIBPOOL, Sources.libpool(size), yields));
    all.add(Borrow.of(Sources.HIKARI, Sources.hikari(size), yields));
    if (!yields) { // with more threads than connections it waited for ever in a run
      all.add(Borrow.of(Sources.AGROAL, Sources.agroal(size), yields));
    }
    all.add(new Stormpot(size, yields));
    all.add(new Commons(size, yields));
    all.add(new Queue(size, yields));
    return all;
  }

  private static void query(Report report, Rounds rounds, String name, int rows, double limit) throws Exception {
    Map<String, Rounds.Cost> costs =
        rounds.measure(
            1,
            Math.max(10, BATCH / rows),
            List.of(
                Query.of(Sources.LIBPOOL, Sources.libpool(SIZE), rows),
                Query.of(Sources.HIKARI, Sources.hikari(SIZE), rows),
                Query.of(Sources.AGROAL, Sources.agroal(SIZE), rows)));
    show(report, name, costs);
    report.atMost(name + ": data source to HikariCP", ratio(costs, Sources.LIBPOOL, Sources.HIKARI), "ratio", limit);
  }

  private static double ratio(Map<String, Rounds.Cost> costs, String one, String other) {
    return costs.get(one).ns() / costs.get(other).ns();
  }

  private static void show(Report report, String name, Map<String, Rounds.Cost> costs) {
    costs.forEach(
        (contender, cost) -> {
          report.rounds(name, contender, cost.ns(), cost.rounds());
          report.only(name + ": " + contender, cost.bytes(), "bytes");
        });
  }
}
