// SPDX-License-Identifier: MIT
package libpool;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * How pools with a driver answer. Threads of the library do the work; they never call Java but leave a letter for each
 * question, and one thread of Java takes them all. So the thread that asked may wait as Java waits, or stop waiting. That
 * thread is there as long as a pool is open or a letter is to come. It needs no memory of Java's for a lease that comes.
 */
final class Mail implements Runnable {
  /** What is to come, and completes with itself when it is here. It keeps the pool alive meanwhile. */
  static final class Letter extends CompletableFuture<Letter> {
    private final DriverPool pool;
    private long result;
    private byte[] text;

    private Letter(DriverPool pool) {
      this.pool = pool;
    }

    /** A lease, 0 for a call that succeeded, or an error, for which the text is the message. */
    long result() {
      return result;
    }

    byte[] text() {
      return text;
    }
  }

  /** A pool that is open. */
  final class Subscription {
    private final AtomicBoolean ended = new AtomicBoolean();

    private Subscription() {
      begin();
    }

    /** Once is enough. */
    void end() {
      if (!ended.getAndSet(true)) {
        Mail.this.end();
      }
    }
  }

  private static final class Holder {
    private static final Mail MAIL = new Mail();
  }

  private final long inbox;
  private long wanted; // pools that are open, and letters that are to come; guarded by this

  private Mail() {
    Library.load();
    inbox = open();
    if (inbox == 0) {
      throw new OutOfMemoryError("no memory for the answers of pools");
    }
  }

  static Mail mail() {
    return Holder.MAIL;
  }

  Subscription subscribe() {
    return new Subscription();
  }

  /** A pool is made, or a letter is to come. The thread has nothing of the thread that needs it first. */
  private synchronized void begin() {
    if (wanted == 0) {
      Thread thread = new Thread(null, this, "libpool-mail", 0, false);
      thread.setContextClassLoader(null);
      thread.setDaemon(true);
      thread.start();
    }
    wanted++;
  }

  /** A pool is closed, or what was to come does not come. */
  private void end() {
    interrupt(inbox);
  }

  private synchronized boolean isOver() {
    return --wanted == 0;
  }

  private Letter begin(DriverPool pool) {
    Letter letter = new Letter(pool);
    begin();
    return letter;
  }

  private void refuse() {
    end();
    throw new OutOfMemoryError("no memory to ask a pool");
  }

  /** Asks for a connection and waits for it. Returns the letter; a thread that is cut short has got nothing. */
  Letter get(DriverPool pool, long handle, long timeoutMs) throws InterruptedException {
    Letter letter = begin(pool);
    long ticket = ask(inbox, handle, timeoutMs, letter);
    if (ticket == CoreConstants.POOL_E_NOMEM) {
      refuse();
    }
    try {
      return await(letter);
    } catch (Throwable e) { // an interrupt, or the end of the stack
      if (ticket > 0) {
        cancel(ticket);
      }
      giveUp(letter);
      throw e;
    }
  }

  /** Begins a call. */
  Letter call(DriverPool pool, long lease, String method, byte[] args) {
    byte[] name = Text.bytes(method);
    Letter letter = begin(pool);
    if (call(inbox, lease, name, args, letter) != 0) {
      refuse();
    }
    return letter;
  }

  Letter await(Letter letter) throws InterruptedException {
    try {
      return letter.get();
    } catch (java.util.concurrent.ExecutionException e) {
      throw new AssertionError("letters do not fail", e);
    }
  }

  /** What comes is nobody's: if it is a lease, it goes back. */
  void giveUp(Letter letter) {
    if (!letter.complete(null)) {
      drop(letter);
    }
  }

  private static void drop(Letter letter) {
    if (letter.result > 0) {
      put(letter.result);
    }
  }

  @Override
  public void run() {
    Letter[] letter = new Letter[1];
    long[] result = new long[1];
    do {
      byte[] text = take(inbox, letter, result);
      if (letter[0] != null) {
        deliver(letter[0], result[0], text);
      }
    } while (!isOver());
  }

  private static void deliver(Letter letter, long result, byte[] text) {
    letter.result = result;
    letter.text = text;
    try {
      if (!letter.complete(letter)) {
        drop(letter);
      }
    } catch (Throwable e) { // no memory for what hangs on the reply to a call; the others shall have their letters
    }
  }

  /** Where the library was loaded from. */
  static native byte[] core();

  private static native long open();

  /** Sets the letter, to null if there is none, and its result. Returns its text. */
  private static native byte[] take(long inbox, Letter[] letter, long[] result);

  private static native void interrupt(long inbox);

  private static native long ask(long inbox, long pool, long timeoutMs, Letter letter);

  private static native int call(long inbox, long lease, byte[] method, byte[] args, Letter letter);

  private static native void cancel(long ticket);

  /** An idle connection; or an error. */
  static native long get(long pool);

  /** An idle connection, or 0. */
  static native long look(long pool);

  static native void put(long lease);
}
