// SPDX-License-Identifier: MIT
package libpool.micrometer;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.util.concurrent.TimeUnit;
import libpool.Tracker;

/** The meters that are told of each event. They see to it that all are removed at the end. */
final class TimedMeters implements Tracker {
  private final Tags tags;
  private final MeterList meters;
  private final Timer acquire;
  private final Timer usage;
  private final Timer creation;
  private final Counter timeout;
  private final Counter failed;

  TimedMeters(Tags tags, MeterList meters) {
    this.tags = tags;
    this.meters = meters;
    acquire = timer("hikaricp.connections.acquire", "Time of gets that got a connection or ended at their deadline");
    usage = timer("hikaricp.connections.usage", "Time from get to put, of every lease");
    creation = timer("hikaricp.connections.creation", "Time of opens that succeeded");
    timeout = counter("hikaricp.connections.timeout", "Gets that ended at their deadline");
    failed = counter("libpool.failed", "Gets that failed before their deadline");
  }

  private Timer timer(String name, String description) {
    return meters.add(Timer.builder(name).description(description).tags(tags).register(meters.registry));
  }

  private Counter counter(String name, String description) {
    return meters.add(Counter.builder(name).description(description).tags(tags).register(meters.registry));
  }

  @Override
  public void acquired(long ns) {
    acquire.record(ns, TimeUnit.NANOSECONDS);
  }

  @Override
  public void timedOut(long ns) {
    timeout.increment();
    acquire.record(ns, TimeUnit.NANOSECONDS); // as HikariCP does, so that a dashboard shows the waits of an outage
  }

  @Override
  public void failed(long ns) {
    failed.increment();
  }

  @Override
  public void used(long ns) {
    usage.record(ns, TimeUnit.NANOSECONDS);
  }

  @Override
  public void opened(long ns) {
    creation.record(ns, TimeUnit.NANOSECONDS);
  }

  @Override
  public void closed() {
    meters.closed();
  }

  /** A registry has one timer for a name and its tags, which is to count each event once. */
  @Override
  public boolean equals(Object other) {
    return other instanceof TimedMeters timed && timed.acquire == acquire;
  }

  @Override
  public int hashCode() {
    return System.identityHashCode(acquire);
  }
}
