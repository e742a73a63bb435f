// SPDX-License-Identifier: MIT
package libpool.micrometer;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.List;
import java.util.Objects;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;
import libpool.PoolStats;
import libpool.PooledDataSource;

/**
 * The meters of a data source, by the names that dashboards have: {@code hikaricp.connections} and what is below, with the
 * tag {@code pool}; if wanted {@code jdbc.connections} with the tag {@code name}; and {@code libpool.} for what HikariCP
 * has not. They are removed when the data source is closed.
 *
 * <pre>{@code
 * new PoolMeters(source).bindTo(registry);
 * }</pre>
 */
public final class PoolMeters implements MeterBinder {
  private static final String OPEN =
      "Connections that count against maximumPoolSize: idle, leased, being opened, checked, reset or closed";

  private final PooledDataSource source;
  private final Iterable<? extends Tag> more;
  private final String jdbcName; // null: not wanted

  /**
   * With no tags but {@code pool}.
   *
   * @param source whose meters they are
   */
  public PoolMeters(PooledDataSource source) {
    this(source, List.of());
  }

  /**
   * With more tags.
   *
   * @param source whose meters they are
   * @param tags that each meter gets
   */
  public PoolMeters(PooledDataSource source, Iterable<? extends Tag> tags) {
    this(source, tags, null);
  }

  private PoolMeters(PooledDataSource source, Iterable<? extends Tag> more, String jdbcName) {
    this.source = Objects.requireNonNull(source, "source");
    this.more = Objects.requireNonNull(more, "tags");
    this.jdbcName = jdbcName;
  }

  /**
   * The same with {@code jdbc.connections}, which Spring Boot makes by itself.
   *
   * @param name the tag {@code name} of these
   * @return others, which are to be bound instead of these
   */
  public PoolMeters withJdbc(String name) {
    return new PoolMeters(source, more, Objects.requireNonNull(name, "name"));
  }

  @Override
  public void bindTo(MeterRegistry registry) {
    Tags pool = Tags.concat(more, "pool", source.getPoolName());
    Meters meters = new Meters(registry, pool);
    bindHikari(meters);
    bindOwn(meters);
    if (jdbcName != null) {
      bindJdbc(new Meters(registry, Tags.concat(more, "name", jdbcName), meters));
    }
    if (!source.addTracker(new TimedMeters(pool, meters))) { // they are bound already
      source.addTracker(meters);
    }
  }

  private void bindHikari(Meters meters) {
    meters.gauge("hikaricp.connections", OPEN, stat(PoolStats::open));
    meters.gauge("hikaricp.connections.active", "Connections lent", stat(PoolStats::leased));
    meters.gauge("hikaricp.connections.idle", "Connections ready to be lent", stat(PoolStats::idle));
    meters.gauge("hikaricp.connections.pending", "Gets that wait for a connection", PooledDataSource::getThreadsAwaitingConnection);
    meters.gauge("hikaricp.connections.max", "The hard cap on connections", PooledDataSource::getMaximumPoolSize);
    meters.gauge("hikaricp.connections.min", "How many connections are kept idle", PoolMeters::minimumIdle);
  }

  private void bindJdbc(Meters meters) {
    meters.gauge("jdbc.connections.active", "Connections lent", stat(PoolStats::leased));
    meters.gauge("jdbc.connections.idle", "Connections ready to be lent", stat(PoolStats::idle));
    meters.gauge("jdbc.connections.max", "The hard cap on connections", PooledDataSource::getMaximumPoolSize);
    meters.gauge("jdbc.connections.min", "How many connections are kept idle", PoolMeters::minimumIdle);
  }

  private void bindOwn(Meters meters) {
    meters.gauge("libpool.connections.opening", "Connections being opened", stat(PoolStats::opening));
    meters.counter("libpool.connections.opened", "Connections opened", stat(PoolStats::opened));
    meters.counter("libpool.open.failures", "Opens that failed", stat(PoolStats::openFailures));
    meters.counter("libpool.checks", "Checks made", stat(PoolStats::checks));
    meters.counter("libpool.check.failures", "Checks that found a dead connection", stat(PoolStats::checkFailures));
    meters.counter("libpool.waited", "Gets that waited and got a lease", stat(PoolStats::waited));
    meters.counter("libpool.leaked", "Leases reported because of leakDetectionThreshold", stat(PoolStats::leaked));
    bindCloses(meters);
  }

  /** The reasons add up to all that were closed. */
  private void bindCloses(Meters meters) {
    closes(meters, "unusable", PoolStats::closedUnusable);
    closes(meters, "surplus", PoolStats::closedSurplus);
    closes(meters, "idle", PoolStats::closedIdle);
    closes(meters, "lifetime", PoolStats::closedLifetime);
    closes(meters, "flushed", PoolStats::closedFlushed);
    closes(meters, "resized", PoolStats::closedResized);
    closes(meters, "uses", PoolStats::closedUses);
    closes(meters, "other", PoolMeters::closedOtherwise);
  }

  private static void closes(Meters meters, String reason, ToLongFunction<PoolStats> which) {
    meters.with("reason", reason).counter("libpool.connections.closed", "Connections closed", stat(which));
  }

  private static long closedOtherwise(PoolStats stats) {
    return stats.closed()
        - stats.closedUnusable()
        - stats.closedSurplus()
        - stats.closedIdle()
        - stats.closedLifetime()
        - stats.closedFlushed()
        - stats.closedResized()
        - stats.closedUses();
  }

  private static int minimumIdle(PooledDataSource source) {
    int min = source.getMinimumIdle();
    int max = source.getMaximumPoolSize();
    return min < 0 ? max : Math.min(min, max);
  }

  /** Of a pool that has not begun all are 0. */
  private static ToDoubleFunction<PooledDataSource> stat(ToLongFunction<PoolStats> which) {
    return source -> {
      PoolStats stats = source.stats();
      return stats == null ? 0 : which.applyAsLong(stats);
    };
  }

  /** Registers meters with the same tags and remembers them. */
  private final class Meters extends MeterList {
    private final Tags tags;

    private Meters(MeterRegistry registry, Tags tags) {
      super(registry);
      this.tags = tags;
    }

    private Meters(MeterRegistry registry, Tags tags, Meters others) {
      super(registry, others);
      this.tags = tags;
    }

    private Meters with(String tag, String value) {
      return new Meters(registry, Tags.concat(tags, tag, value), this);
    }

    private void gauge(String name, String description, ToDoubleFunction<PooledDataSource> value) {
      add(Gauge.builder(name, source, value).description(description).tags(tags).register(registry));
    }

    private void counter(String name, String description, ToDoubleFunction<PooledDataSource> value) {
      add(FunctionCounter.builder(name, source, value).description(description).tags(tags).register(registry));
    }
  }
}
