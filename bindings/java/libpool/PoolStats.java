// SPDX-License-Identifier: MIT
package libpool;

/**
 * Counts of a pool, taken at one moment without stopping it. The first five are states, the others only grow.
 *
 * @param open all places taken: idle, leased, being opened, checked, reset or closed
 * @param idle ready to be lent
 * @param leased lent
 * @param opening being opened
 * @param waiting waiters in the queue
 * @param lent leases that ended; counted at no cost to get and put
 * @param opened connections opened
 * @param closed connections closed, for any reason
 * @param openFailures opens that failed
 * @param checks checks made
 * @param checkFailures checks that found a dead connection
 * @param resets resets made
 * @param resetFailures resets that failed
 * @param closeFailures closes that returned an error
 * @param closedUnusable closed because they were marked unusable or broke
 * @param closedSurplus closed because as many as may be were idle
 * @param closedIdle closed because of the idle timeout
 * @param closedLifetime closed because of the longest lifetime
 * @param closedFlushed closed because of a flush
 * @param closedResized closed because of a resize
 * @param waited waits that ended with a connection, or with the right to open one
 * @param timedOut gets that ended at their deadline
 * @param overloaded refused because as many as may wait were waiting, or shed from the queue
 * @param cancelled ended by an interrupt
 * @param failedFast gets that failed at once because the breaker was open
 * @param breakerOpened how often the breaker opened
 * @param leaked leases reported because of the leak timeout
 * @param starved how often every connection was held by a thread that waited for this pool
 * @param waitNs sum of all waits in the queue
 * @param waitMaxNs the longest of them
 * @param waitTime time in the queue, of each wait that is counted in waited
 * @param openTime of each open that succeeded
 * @param checkTime of each check
 * @param use from get to put, of one lease in 1,024 of each slot, its first among them
 * @param foundNone looks that found nothing: gets without time to wait, and the first look of those that wait then
 * @param failedOpen gets that failed because an open failed
 * @param failedClosed gets that failed because the pool was closed
 * @param evicted gets whose wait {@link Pool#evict()} ended
 * @param failedNomem gets that failed for want of memory
 * @param failedSystem gets that failed because the system refused a thread
 */
public record PoolStats(
    long open,
    long idle,
    long leased,
    long opening,
    long waiting,
    long lent,
    long opened,
    long closed,
    long openFailures,
    long checks,
    long checkFailures,
    long resets,
    long resetFailures,
    long closeFailures,
    long closedUnusable,
    long closedSurplus,
    long closedIdle,
    long closedLifetime,
    long closedFlushed,
    long closedResized,
    long waited,
    long timedOut,
    long overloaded,
    long cancelled,
    long failedFast,
    long breakerOpened,
    long leaked,
    long starved,
    long waitNs,
    long waitMaxNs,
    Times waitTime,
    Times openTime,
    Times checkTime,
    Times use,
    long foundNone,
    long failedOpen,
    long failedClosed,
    long evicted,
    long failedNomem,
    long failedSystem) {
  /**
   * How long something took. Quantiles are off by at most 1.6 %.
   *
   * @param count how often
   * @param sumNs of all
   * @param p50Ns half took no longer
   * @param p90Ns of ten, nine took no longer
   * @param p99Ns of 100, 99 took no longer
   * @param p999Ns of 1,000, 999 took no longer
   * @param maxNs the longest, exact
   */
  public record Times(long count, long sumNs, long p50Ns, long p90Ns, long p99Ns, long p999Ns, long maxNs) {
    private static Times of(Durations times) {
      return new Times(
          times.getCount(),
          times.getSum_ns(),
          times.getP50_ns(),
          times.getP90_ns(),
          times.getP99_ns(),
          times.getP999_ns(),
          times.getMax_ns());
    }
  }

  static PoolStats of(long pool) {
    Counts counts = Core.pool_statistics(pool);
    try {
      return of(counts);
    } finally {
      counts.delete();
    }
  }

  private static PoolStats of(Counts counts) {
    return new PoolStats(
        counts.getOpen(),
        counts.getIdle(),
        counts.getLeased(),
        counts.getOpening(),
        counts.getWaiting(),
        counts.getLent(),
        counts.getOpened(),
        counts.getClosed(),
        counts.getOpen_failures(),
        counts.getChecks(),
        counts.getCheck_failures(),
        counts.getResets(),
        counts.getReset_failures(),
        counts.getClose_failures(),
        counts.getClosed_unusable(),
        counts.getClosed_surplus(),
        counts.getClosed_idle(),
        counts.getClosed_lifetime(),
        counts.getClosed_flushed(),
        counts.getClosed_resized(),
        counts.getWaited(),
        counts.getTimed_out(),
        counts.getOverloaded(),
        counts.getCancelled(),
        counts.getFailed_fast(),
        counts.getBreaker_opened(),
        counts.getLeaked(),
        counts.getStarved(),
        counts.getWait_ns(),
        counts.getWait_max_ns(),
        Times.of(counts.getWait()),
        Times.of(counts.getOpen_time()),
        Times.of(counts.getCheck_time()),
        Times.of(counts.getUse()),
        counts.getFound_none(),
        counts.getFailed_open(),
        counts.getFailed_closed(),
        counts.getEvicted(),
        counts.getFailed_nomem(),
        counts.getFailed_system());
  }
}
