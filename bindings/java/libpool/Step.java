// SPDX-License-Identifier: MIT
package libpool;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** What a call of the step API says: a result and, seldom, more. The functions are in step.c. */
final class Step {
  static final int NONE = 0;
  static final int OPEN = 1;
  static final int CHECK = 2;
  static final int RESET = 3;
  static final int CLOSE = 4;

  /** As dueNs and of pool_maintain(): not before something happens. */
  static final long NEVER = Long.MAX_VALUE;

  /** Errors are nearer to zero than this, addresses are not. */
  static final long ERRORS_END = -4096;

  long result;
  int work;
  long claim;
  long ticket;
  long wake;
  long lookAgainNs;
  boolean more;
  long dueNs;
  String message; // of a get that failed, or null
  private boolean begun; // guarded by this

  static {
    Library.load();
  }

  private Step(long result) {
    this.result = result;
  }

  /**
   * What stands behind the number that one of the functions below returned: a lease, 0, an error, or the place where
   * more is said. To be called once for each; if it throws, which only a lack of stack or memory makes it do, it was not
   * called.
   */
  static Step of(long said) {
    Step step = new Step(said);
    if (said >= ERRORS_END) {
      return step;
    }
    long[] numbers = new long[8];
    byte[] message = read(said, numbers);
    step.result = numbers[0];
    step.work = (int) numbers[1];
    step.claim = numbers[2];
    step.ticket = numbers[3];
    step.wake = numbers[4];
    step.lookAgainNs = numbers[5];
    step.more = numbers[6] != 0;
    step.dueNs = numbers[7];
    try {
      step.message = Text.string(message);
    } catch (Throwable e) {
      // then it has no words, but what it says is not lost
    }
    return step;
  }

  /** A get that ends with this error, in the words of a step if it has some. */
  static Step failed(int code, String message) {
    Step step = new Step(code);
    step.message = message;
    return step;
  }

  /** Whether its work is not done by another yet. After this it is the caller's. */
  synchronized boolean begin() {
    boolean first = !begun;
    begun = true;
    return first;
  }

  /** It could not be done after all. */
  synchronized void giveUp() {
    begun = false;
  }

  static boolean isError(long said) {
    return said < 0 && said >= ERRORS_END;
  }

  /** What {@link #event} has fetched: an event, a line of the log, or both. */
  record Told(Event event, int code, int level, String line) {
    /** The oldest that was not fetched yet; null: there is none. */
    static Told next(long pool, String name) {
      long[] numbers = new long[9];
      byte[][] texts = new byte[3][];
      if (!Step.event(pool, numbers, texts)) {
        return null;
      }
      int event = (int) numbers[0];
      Event told =
          new Event(
              name,
              Event.nameOf(event),
              Event.reasonOf((int) numbers[1]),
              (int) numbers[2],
              numbers[4],
              numbers[5],
              numbers[6],
              numbers[7] < 0 ? null : Duration.ofNanos(numbers[7]),
              Text.string(texts[0]),
              Text.string(texts[1]),
              numbers[8]);
      return new Told(told, event, (int) numbers[3], Text.string(texts[2]));
    }
  }

  /** The leases that are out. */
  static List<LeaseInfo> leases(long pool) {
    int room = Math.toIntExact(leases(pool, new long[0], new byte[0][])) + 16; // other threads go on meanwhile
    long[] numbers = new long[room * 4];
    byte[][] tags = new byte[room][];
    long count = Math.min(leases(pool, numbers, tags), room);
    List<LeaseInfo> list = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      list.add(
          new LeaseInfo(
              numbers[i * 4],
              numbers[i * 4 + 1],
              numbers[i * 4 + 2],
              Duration.ofNanos(Math.max(0, numbers[i * 4 + 3])),
              Text.string(tags[i])));
    }
    return List.copyOf(list);
  }

  static native long begin(long pool, long timeoutMs, long ticket);

  /** Goes on with a get that took this lease by the {@link View}. */
  static native long taken(long pool, long timeoutMs, long lease);

  /** The clock by which the library says whether time limits a lease: it goes on every few milliseconds. */
  static native long tick();

  static native long cancel(long ticket);

  static native long end(long lease);

  /** Goes on with a put that ended this lease by the {@link View}. */
  static native long given(long lease);

  /** Writes what a {@link View} must know; false: there is none. */
  static native boolean view(long pool, long[] numbers);

  static native ByteBuffer memory(long address, long bytes);

  static native long done(long claim);

  static native long fail(long claim, int code, byte[] message);

  /** Its result is no lease: 1 if there is something to do, else dueNs says when to look again. */
  static native long next(long pool);

  /** For the {@link Listener} of a pool; negative: neither poolctl nor a budget sees the pool. */
  static native int bell(long pool);

  static native void ring(long pool);

  static native void await(int bell);

  static native void closeBell(int bell);

  // ---- groups; of those that may fail the message is returned, and the code is in the first number

  static native byte[] groupMake(long config, byte[] name, int abilities, long keyIdleMs, int maxKeys, long[] made);

  static native byte[] groupPool(long group, byte[] key, long config, long[] made);

  /** A key was let go of, as groupNext() says. */
  static final int GONE = 1;

  /** Poolctl or the budget has steered a pool. */
  static final int STEERED = 2;

  /** What is to be done, for which pool, and if it is nothing, in how many nanoseconds to ask again. */
  static native void groupNext(long group, long[] numbers);

  static native int groupBell(long group);

  /** -1: without limit. */
  static native void awaitFor(int bell, int ms);

  static native void groupClose(long group);

  static native void groupFree(long group);

  static native void groupStats(long group, long[] numbers);

  private static native boolean event(long pool, long[] numbers, byte[][] texts);

  private static native long leases(long pool, long[] numbers, byte[][] tags);

  private static native byte[] read(long said, long[] numbers);
}
