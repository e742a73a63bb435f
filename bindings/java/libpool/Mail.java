// SPDX-License-Identifier: MIT
package libpool;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * How pools with a driver answer. Threads of the library do the work; they never call Java but leave a letter for each
 * question, and one thread of Java takes them all. So the thread that asked may wait as Java waits, or stop waiting.
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

  private static final class Holder {
    private static final Mail MAIL = new Mail();
  }

  private final long inbox;
  private final AtomicLong last = new AtomicLong();
  private final ConcurrentMap<Long, Question> questions = new ConcurrentHashMap<>();

  private Mail() {
    Library.load();
    inbox = open();
    if (inbox == 0) {
      throw new OutOfMemoryError("no memory for the answers of pools");
    }
    Thread thread = new Thread(this, "libpool-mail");
    thread.setDaemon(true);
    thread.start();
  }

  static Mail mail() {
    return Holder.MAIL;
  }

  private Question begin(DriverPool pool) {
    Question question = new Question(last.incrementAndGet(), pool);
    questions.put(question.number, question);
    return question;
  }

  private void refuse(Question question) {
    questions.remove(question.number);
    throw new OutOfMemoryError("no memory to ask a pool");
  }

  /** Asks for a connection and waits for it. Returns the letter; an interrupted thread has got nothing. */
  Letter get(DriverPool pool, long handle, long timeoutMs) throws InterruptedException {
    Question question = begin(pool);
    long ticket = ask(inbox, handle, timeoutMs, question.number);
    if (ticket == CoreConstants.POOL_E_NOMEM) {
      refuse(question);
    }
    try {
      return await(question);
    } catch (InterruptedException e) {
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
    for (; ; ) {
      byte[] text = take(inbox, numbers);
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
  }

  private static native long open();

  private static native byte[] take(long inbox, long[] numbers);

  private static native long ask(long inbox, long pool, long timeoutMs, long number);

  private static native int call(long inbox, long lease, byte[] method, byte[] args, long number);

  private static native void cancel(long ticket);

  /** An idle connection; or an error. */
  static native long get(long pool);

  /** An idle connection, or 0. */
  static native long look(long pool);

  static native void put(long lease);
}
