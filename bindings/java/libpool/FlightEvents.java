// SPDX-License-Identifier: MIT
package libpool;

import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Threshold;
import org.jspecify.annotations.Nullable;

/** The events of {@link Flight}, which alone comes here, and only where the JDK has its recorder. */
final class FlightEvents {
  private static final int FRAMES = 20;

  @Name("libpool.ConnectionWait")
  @Label("Wait for a Connection")
  @Description("A get that was not served at once, with the opens and checks that were made for it")
  @Category("libpool")
  @Threshold("1 ms")
  static final class Wait extends Event {
    @Label("Pool")
    String pool;

    @Label("Outcome")
    @Description("lease, none, or the class of what was thrown")
    String outcome;
  }

  @Name("libpool.ConnectionOpen")
  @Label("Open a Connection")
  @Category("libpool")
  static final class Open extends Event {
    @Label("Pool")
    String pool;

    @Label("Failure")
    @Description("The class of what the opener threw; none if it opened a connection")
    String failure;
  }

  @Name("libpool.ConnectionTimeout")
  @Label("Connection Timeout")
  @Description("A get that has got no connection in time")
  @Category("libpool")
  static final class Timeout extends Event {
    @Label("Pool")
    String pool;

    @Label("Message")
    String message;
  }

  @Name("libpool.ConnectionLeak")
  @Label("Connection Leak")
  @Description("A lease that is out for too long, or that nobody has any more")
  @Category("libpool")
  @StackTrace(false)
  static final class Lost extends Event {
    @Label("Pool")
    String pool;

    @Label("Lost")
    @Description("Whether nobody has it any more")
    boolean lost;

    @Label("Where")
    @Description("Where the get was, from its end")
    String where;
  }

  private FlightEvents() {}

  /** Loads the classes; always true. */
  static boolean areThere() {
    return Stream.of(new Wait(), new Open(), new Timeout(), new Lost()).allMatch(Event.class::isInstance);
  }

  static @Nullable Object beginWait() {
    Wait wait = new Wait();
    if (!wait.isEnabled()) {
      return null;
    }
    wait.begin();
    return wait;
  }

  static void endWait(Object begun, String pool, @Nullable String outcome) {
    Wait wait = (Wait) begun;
    wait.end();
    if (wait.shouldCommit()) {
      wait.pool = pool;
      wait.outcome = outcome;
      wait.commit();
    }
  }

  static @Nullable Object beginOpen() {
    Open open = new Open();
    if (!open.isEnabled()) {
      return null;
    }
    open.begin();
    return open;
  }

  static void endOpen(Object begun, String pool, @Nullable String failure) {
    Open open = (Open) begun;
    open.end();
    if (open.shouldCommit()) {
      open.pool = pool;
      open.failure = failure;
      open.commit();
    }
  }

  static void timeout(String pool, String message) {
    Timeout timeout = new Timeout();
    if (timeout.shouldCommit()) {
      timeout.pool = pool;
      timeout.message = message;
      timeout.commit();
    }
  }

  static void leak(Leak leak) {
    Lost lost = new Lost();
    if (lost.shouldCommit()) {
      lost.pool = leak.pool();
      lost.lost = leak.lost();
      lost.where = lines(leak.where());
      lost.commit();
    }
  }

  private static String lines(Throwable where) {
    return Arrays.stream(where.getStackTrace())
        .limit(FRAMES)
        .map(StackTraceElement::toString)
        .collect(Collectors.joining("\n"));
  }
}
