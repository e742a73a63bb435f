// SPDX-License-Identifier: MIT
package libpool;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/**
 * How pools with a driver answer. Threads of the library do the work; they never call Java but leave a letter for each
 * question, and one thread of Java takes them all. So the thread that asked may wait as Java waits, or stop waiting. That
 * thread is there as long as a pool is open or a letter is to come.
 */
final class Mail implements Runnable {
  private static final System.Logger LOG = System.getLogger("libpool");

  /** @param result a lease, 0 for a call that succeeded, or an error, for which the text is the message */
  record Letter(long result, byte[] text) {}

  /** Somebody waits for a letter, and keeps the pool alive meanwhile. */
  static final class Question extends CompletableFuture<Letter> {
    private final long number;
    private final DriverPool pool;

    private Question(long number, DriverPool pool) {
      this.number = number;
      this.pool = pool;
    }

    DriverPool pool() {
      return pool;
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

  private static final long NOBODY = 0; // the number of what is no letter

  private final long inbox;
  private long wanted; // pools that are open, and letters that are to come; guarded by this
  private final AtomicLong last = new AtomicLong();
  private final ConcurrentMap<Long, Question> questions = new ConcurrentHashMap<>();

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

  private Question begin(DriverPool pool) {
    Question question = new Question(last.incrementAndGet(), pool);
    questions.put(question.number, question);
    try {
      begin();
      return question;
    } catch (Throwable e) { // no thread can be had
      questions.remove(question.number);
      throw e;
    }
  }

  private void refuse(Question question) {
    questions.remove(question.number);
    end();
    throw new OutOfMemoryError("no memory to ask a pool");
  }

  /** Asks for a connection and waits for it. Returns the letter; a thread that is cut short has got nothing. */
  Letter get(DriverPool pool, long handle, long timeoutMs) throws InterruptedException {
    Question question = begin(pool);
    long ticket = ask(inbox, handle, timeoutMs, question.number);
    if (ticket == CoreConstants.POOL_E_NOMEM) {
      refuse(question);
    }
    try {
      return await(question);
    } catch (Throwable e) { // an interrupt, or the end of memory or of the stack
      if (ticket > 0) {
        cancel(ticket);
      }
      giveUp(question);
      throw e;
    }
  }

  /** Begins a call. */
  Question call(DriverPool pool, long lease, String method, byte[] args) {
    byte[] name = Text.bytes(method);
    Question question = begin(pool);
    if (call(inbox, lease, name, args, question.number) != 0) {
      refuse(question);
    }
    return question;
  }

  Letter await(Question question) throws InterruptedException {
    try {
      return question.get();
    } catch (java.util.concurrent.ExecutionException e) {
      throw new AssertionError("letters do not fail", e);
    }
  }

  /** What comes is nobody's: if it is a lease, it goes back. */
  void giveUp(Question question) {
    if (!questions.remove(question.number, question)) {
      drop(question.join()); // it has been taken, and is here at once
    }
  }

  private static void drop(Letter letter) {
    if (letter.result > 0) {
      put(letter.result);
    }
  }

  @Override
  public void run() {
    long[] numbers = new long[2];
    do {
      byte[] text = take(inbox, numbers);
      if (numbers[0] != NOBODY) {
        deliver(numbers, text);
      }
    } while (!isOver());
  }

  private void deliver(long[] numbers, byte[] text) {
    try {
      Letter letter = new Letter(numbers[1], text);
      Question question = questions.remove(numbers[0]);
      if (question != null) {
        question.complete(letter);
      } else {
        drop(letter);
      }
    } catch (Throwable e) { // memory is short; the others shall have their letters
      LOG.log(System.Logger.Level.WARNING, "a letter of a pool could not be delivered", e);
    }
  }

  /** Where the library was loaded from. */
  static native byte[] core();

  private static native long open();

  private static native byte[] take(long inbox, long[] numbers);

  private static native void interrupt(long inbox);

  private static native long ask(long inbox, long pool, long timeoutMs, long number);

  private static native int call(long inbox, long lease, byte[] method, byte[] args, long number);

  private static native void cancel(long ticket);

  /** An idle connection; or an error. */
  static native long get(long pool);

  /** An idle connection, or 0. */
  static native long look(long pool);

  static native void put(long lease);
}
