// SPDX-License-Identifier: MIT
package libpool;

import java.lang.reflect.Field;
import java.time.Duration;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Something that happened in a pool, see {@link PoolBuilder#events}. The names are those of the library's
 * {@code POOL_EVENT_*} and {@code POOL_REASON_*} in small letters; a later version may have more of them.
 *
 * @param pool the name of the pool
 * @param name what happened: "opened", "timed_out", ...
 * @param reason why a connection was closed: "idle", "lifetime", ...; else null
 * @param code the library's {@code POOL_E_*} of what failed, or 0
 * @param lease which lease, or 0
 * @param connection which connection, counted from 1 in each pool, or 0
 * @param thread which thread of the system, as gettid() numbers them, or 0
 * @param duration how long it took, or null
 * @param tag what {@link Lease#tag} noted, or ""
 * @param message of failures: why; else ""
 * @param lost how many events before this one were dropped, because they were not fetched in time
 */
public record Event(
    String pool,
    String name,
    @Nullable String reason,
    int code,
    long lease,
    long connection,
    long thread,
    @Nullable Duration duration,
    String tag,
    String message,
    long lost) {
  private static final Map<Integer, String> NAMES = names("POOL_EVENT_");
  private static final Map<Integer, String> REASONS = names("POOL_REASON_");

  static String nameOf(int event) {
    return NAMES.getOrDefault(event, "unknown");
  }

  static String reasonOf(int reason) {
    return reason == CoreConstants.POOL_REASON_NONE ? null : REASONS.getOrDefault(reason, "unknown");
  }

  /** Of the library's constants with this beginning. */
  private static Map<Integer, String> names(String prefix) {
    Map<Integer, String> names = new HashMap<>();
    for (Field field : CoreConstants.class.getDeclaredFields()) {
      if (field.getName().startsWith(prefix)) {
        names.put(valueOf(field), field.getName().substring(prefix.length()).toLowerCase(Locale.ROOT));
      }
    }
    return Map.copyOf(names);
  }

  private static int valueOf(Field field) {
    try {
      return field.getInt(null);
    } catch (IllegalAccessException e) {
      throw new ExceptionInInitializerError(e);
    }
  }
}
