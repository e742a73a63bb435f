// SPDX-License-Identifier: MIT
package bench;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** What a get and its return cost beside the peers, in one run. Every bound is on a ratio, not on a time. */
final class Bench {
  private static final int SIZE = 8;
  private static final int BATCH = 1000;
  private static final int CONTENDED_BATCH = 20;

  private Bench() {}

  public static void main(String[] arguments) throws Exception {
    Report report = new Report();
    Rounds rounds = new Rounds();
    for (int threads = 1; threads <= 2; threads++) {
      String name = threads == 1 ? "1 thread" : "2 threads";
      Map<String, Double> times = rounds.measure(threads, BATCH, contenders(SIZE, false));
      show(report, name, times);
      double hikari = times.get("HikariCP");
      report.atMost(name + ": libpool to HikariCP", times.get("libpool") / hikari, "ratio", 0.5);
      report.atMost(name + ": data source to HikariCP", times.get("libpool, data source") / hikari, "ratio", 1);
    }
    String name = "4 threads, 1 connection";
    Map<String, Double> times = rounds.measure(4, CONTENDED_BATCH, contenders(1, true));
    show(report, name, times);
    double best =
        Math.min(times.get("HikariCP"), Math.min(times.get("commons-pool2"), times.get("ArrayBlockingQueue")));
    report.atMost(name + ": libpool to the best", times.get("libpool") / best, "ratio", 1);
    report.atMost(
        name + ": data source to HikariCP", times.get("libpool, data source") / times.get("HikariCP"), "ratio", 1);
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

  private static void show(Report report, String name, Map<String, Double> times) {
    times.forEach((contender, ns) -> report.only(name + ": " + contender, ns, "ns per get+close"));
  }
}
