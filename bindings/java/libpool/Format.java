// SPDX-License-Identifier: MIT
package libpool;

/** How {@link Pool#report} writes. */
public enum Format {
  /** A table for people. */
  TEXT,
  /** One object; durations are in nanoseconds. */
  JSON,
  /** Prometheus's text exposition format; durations are in seconds. */
  PROMETHEUS
}
