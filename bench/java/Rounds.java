// SPDX-License-Identifier: MIT
package bench;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.LongSummaryStatistics;
import java.util.Map;
import java.util.concurrent.CyclicBarrier;
import java.util.function.LongSupplier;
import java.util.function.ToDoubleFunction;

/**
 * Contenders take turns, round by round, so that what else happens on the machine happens to all of them. What counts
 * is the median.
 */
final class Rounds {
  private static final int WARM_UP = 5;
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /**
   * Of one get and its return, and what is done between them.
   *
   * @param evenness what the thread with the fewest turns had, by what the one with the most had
   * @param rounds a median has the times of the rounds, in their order
   */
  record Cost(double ns, double bytes, double evenness, double[] rounds) {}

  private final int count = Integer.getInteger("rounds", 15);
  private final long roundNs = 1_000_000L * Integer.getInteger("round.ms", 100);

  /** By the contender's name. */
  Map<String, Cost> measure(int threads, int batch, List<Contender> contenders) throws Exception {
    Cost[][] costs = new Cost[contenders.size()][count];
    for (int round = -WARM_UP; round < count; round++) {
      for (int i = 0; i < costs.length; i++) {
        Cost cost = round(contenders.get(i), threads, batch);
        if (round >= 0) {
          costs[i][round] = cost;
        }
      }
    }
    Map<String, Cost> medians = new LinkedHashMap<>();
    for (int i = 0; i < costs.length; i++) {
      double[] times = Arrays.stream(costs[i]).mapToDouble(Cost::ns).toArray();
      double evenness = median(costs[i], Cost::evenness);
      Cost median = new Cost(median(costs[i], Cost::ns), median(costs[i], Cost::bytes), evenness, times);
      medians.put(contenders.get(i).name(), median);
      contenders.get(i).close();
    }
    return medians;
  }

  private static double median(Cost[] costs, ToDoubleFunction<Cost> part) {
    return Arrays.stream(costs).mapToDouble(part).sorted().toArray()[costs.length / 2];
  }

  private static final class Worker extends Thread {
    private final Contender contender;
    private final CyclicBarrier start;
    private final LongSupplier clock;
    private final long roundNs;
    private final int batch;
    private long turns;
    private long began;
    private long ended;
    private long bytes;
    private Exception failure;

    private Worker(Contender contender, CyclicBarrier start, LongSupplier clock, long roundNs, int batch) {
      this.contender = contender;
      this.start = start;
      this.clock = clock;
      this.roundNs = roundNs;
      this.batch = batch;
    }

    @Override
    public void run() {
      try {
        start.await();
        bytes = -THREADS.getCurrentThreadAllocatedBytes();
        began = clock.getAsLong();
        do {
          contender.turn(batch);
          turns += batch;
          ended = clock.getAsLong();
        } while (ended - began < roundNs);
        bytes += THREADS.getCurrentThreadAllocatedBytes();
      } catch (Exception e) {
        failure = e;
      }
    }
  }

  /**
   * The time that the threads had together, by what they did together. A thread that is alone waits for nobody, so only
   * the time that it had a processor counts.
   */
  private Cost round(Contender contender, int threads, int batch) throws Exception {
    CyclicBarrier start = new CyclicBarrier(threads);
    LongSupplier clock = threads == 1 ? THREADS::getCurrentThreadCpuTime : System::nanoTime;
    List<Worker> workers = new ArrayList<>();
    for (int i = 0; i < threads; i++) {
      workers.add(new Worker(contender, start, clock, roundNs, batch));
    }
    workers.forEach(Thread::start);
    double ns = 0;
    double bytes = 0;
    LongSummaryStatistics each = new LongSummaryStatistics();
    for (Worker worker : workers) {
      worker.join();
      if (worker.failure != null) {
        throw worker.failure;
      }
      each.accept(worker.turns);
      ns += worker.ended - worker.began;
      bytes += worker.bytes;
    }
    double turns = each.getSum();
    return new Cost(ns / threads / turns, bytes / turns, each.getMin() / (double) each.getMax(), new double[0]);
  }
}
