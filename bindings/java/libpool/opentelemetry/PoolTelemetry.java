// SPDX-License-Identifier: MIT
package libpool.opentelemetry;

import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.metrics.BatchCallback;
import io.opentelemetry.api.metrics.DoubleHistogram;
import io.opentelemetry.api.metrics.LongCounter;
import io.opentelemetry.api.metrics.Meter;
import io.opentelemetry.api.metrics.ObservableLongMeasurement;
import java.lang.ref.WeakReference;
import java.util.List;
import libpool.PoolStats;
import libpool.PooledDataSource;
import libpool.Tracker;

/**
 * The metrics of a data source by the names, units and states of OpenTelemetry's semantic conventions: {@code
 * db.client.connection.count} and what is beside it. They end when the data source is closed, or this is.
 *
 * <pre>{@code
 * PoolTelemetry.observe(sdk, source);
 * }</pre>
 */
public final class PoolTelemetry implements AutoCloseable {
  private static final AttributeKey<String> POOL = AttributeKey.stringKey("db.client.connection.pool.name");
  private static final AttributeKey<String> STATE = AttributeKey.stringKey("db.client.connection.state");
  private static final List<Double> BOUNDARIES = List.of(.001, .005, .01, .05, .1, .5, 1., 5., 10.);
  private static final double NS_PER_S = 1e9;

  private final WeakReference<PooledDataSource> source; // who reads the metrics does not keep it
  private final Attributes pool;
  private final Attributes used;
  private final Attributes idle;
  private final Times times;
  private final ObservableLongMeasurement count;
  private final ObservableLongMeasurement pending;
  private final ObservableLongMeasurement max;
  private final ObservableLongMeasurement idleMax;
  private final ObservableLongMeasurement idleMin;
  private final BatchCallback callback; // null: the data source is observed already

  private PoolTelemetry(OpenTelemetry openTelemetry, PooledDataSource source) {
    Meter meter = openTelemetry.getMeter("libpool");
    String name = source.getPoolName();
    this.source = new WeakReference<>(source);
    pool = Attributes.of(POOL, name);
    used = Attributes.of(POOL, name, STATE, "used");
    idle = Attributes.of(POOL, name, STATE, "idle");
    count = number(meter, "count", "{connection}", "Connections by state");
    max = number(meter, "max", "{connection}", "The hard cap on connections, where there is one");
    idleMax = number(meter, "idle.max", "{connection}", "How many connections may be idle");
    idleMin = number(meter, "idle.min", "{connection}", "How many connections are kept idle");
    pending = number(meter, "pending_requests", "{request}", "Gets that wait for a connection");
    times = new Times(openTelemetry, meter);
    callback =
        source.addTracker(times)
            ? meter.batchCallback(this::record, count, max, idleMax, idleMin, pending)
            : null;
  }

  /**
   * Makes the metrics of a data source. Its name should not change after that. If they are there already, nothing changes.
   *
   * @param openTelemetry where they are made
   * @param source whose they are
   * @return what ends them; nothing, if they were there already
   */
  public static PoolTelemetry observe(OpenTelemetry openTelemetry, PooledDataSource source) {
    return new PoolTelemetry(openTelemetry, source);
  }

  private static ObservableLongMeasurement number(Meter meter, String name, String unit, String description) {
    return meter
        .upDownCounterBuilder("db.client.connection." + name)
        .setUnit(unit)
        .setDescription(description)
        .buildObserver();
  }

  private void record() {
    PooledDataSource source = this.source.get();
    if (source == null) {
      close();
      return;
    }
    PoolStats stats = source.stats(); // null: it has not begun
    count.record(stats == null ? 0 : stats.leased(), used);
    count.record(stats == null ? 0 : stats.idle(), idle);
    pending.record(source.getThreadsAwaitingConnection(), pool);
    int most = source.getMaximumPoolSize();
    max.record(most, pool);
    idleMax.record(most, pool);
    idleMin.record(source.getMinimumIdle() < 0 ? most : Math.min(source.getMinimumIdle(), most), pool);
  }

  /** Ends the metrics. */
  @Override
  public void close() {
    if (callback == null) {
      return;
    }
    callback.close();
    PooledDataSource source = this.source.get();
    if (source != null) {
      source.removeTracker(times);
    }
  }

  /** What is told of each event. */
  private final class Times implements Tracker {
    private final OpenTelemetry openTelemetry;
    private final DoubleHistogram create;
    private final DoubleHistogram wait;
    private final DoubleHistogram use;
    private final LongCounter timeouts;

    private Times(OpenTelemetry openTelemetry, Meter meter) {
      this.openTelemetry = openTelemetry;
      create = time(meter, "create_time", "Time to open a connection");
      wait = time(meter, "wait_time", "Time to get a connection, of every get that got one");
      use = time(meter, "use_time", "Time from get to put, of every lease");
      timeouts =
          meter
              .counterBuilder("db.client.connection.timeouts")
              .setUnit("{timeout}")
              .setDescription("Gets that ended at their deadline")
              .build();
    }

    private static DoubleHistogram time(Meter meter, String name, String description) {
      return meter
          .histogramBuilder("db.client.connection." + name)
          .setUnit("s")
          .setDescription(description)
          .setExplicitBucketBoundariesAdvice(BOUNDARIES)
          .build();
    }

    @Override
    public void acquired(long ns) {
      wait.record(ns / NS_PER_S, pool);
    }

    @Override
    public void timedOut(long ns) {
      timeouts.add(1, pool);
    }

    @Override
    public void used(long ns) {
      use.record(ns / NS_PER_S, pool);
    }

    @Override
    public void opened(long ns) {
      create.record(ns / NS_PER_S, pool);
    }

    @Override
    public void closed() {
      PoolTelemetry.this.close();
    }

    /** Each event is counted once where it is counted. */
    @Override
    public boolean equals(Object other) {
      return other instanceof Times times && times.openTelemetry == openTelemetry;
    }

    @Override
    public int hashCode() {
      return System.identityHashCode(openTelemetry);
    }
  }
}
