// SPDX-License-Identifier: MIT
package libpool.micrometer;

import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import libpool.Tracker;

/** Meters that are removed together, when the data source is closed. */
class MeterList implements Tracker {
  final MeterRegistry registry;
  private final List<Meter> all;

  MeterList(MeterRegistry registry) {
    this.registry = registry;
    all = new CopyOnWriteArrayList<>();
  }

  /** Adds to those of another. */
  MeterList(MeterRegistry registry, MeterList other) {
    this.registry = registry;
    all = other.all;
  }

  final <T extends Meter> T add(T meter) {
    all.add(meter);
    return meter;
  }

  @Override
  public final void closed() {
    all.forEach(registry::remove);
  }
}
