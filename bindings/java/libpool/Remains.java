// SPDX-License-Identifier: MIT
package libpool;

import java.lang.ref.Cleaner;
import java.lang.ref.PhantomReference;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * What the library has of an object, until nobody has the object any more. While the object is open, a thread waits for
 * that. What a thread refers to keeps this class, its class loader, and by that all static fields of an application, in
 * which the object may stand. So no thread refers to what is closed, whose memory is given back when the next is made or
 * closed.
 */
final class Remains extends PhantomReference<Object> {
  private static final Cleaner CLEANER = Cleaner.create();
  private static final ReferenceQueue<Object> GONE = new ReferenceQueue<>();
  private static final Set<Remains> CLOSED = ConcurrentHashMap.newKeySet();

  private final Runnable end;
  private final Cleaner.Cleanable thread;
  private final AtomicBoolean ended = new AtomicBoolean();

  /**
   * @param end runs once, when nobody has the object any more
   */
  Remains(Object object, Runnable end) {
    super(object, GONE);
    this.end = end;
    thread = CLEANER.register(object, this::endOpen);
    endClosed();
  }

  private void endOpen() {
    if (!CLOSED.contains(this)) {
      endOnce();
      CLOSED.remove(this);
    }
  }

  /** The object is closed, and nothing of it is open. Its last user may have it no more by now: then the thread was first. */
  void close() {
    if (CLOSED.add(this)) {
      thread.clean();
    }
    if (ended.get()) {
      CLOSED.remove(this);
    }
    endClosed();
  }

  private void endOnce() {
    if (!ended.getAndSet(true)) {
      end.run();
    }
  }

  private static void endClosed() {
    for (Reference<?> gone; (gone = GONE.poll()) != null; ) {
      if (gone instanceof Remains remains && CLOSED.remove(remains)) {
        remains.endQuietly();
      }
    }
  }

  /** As a Cleaner does: it is no business of the one that is made or closed now. */
  private void endQuietly() {
    try {
      endOnce();
    } catch (Throwable e) {
      // memory is short, perhaps
    }
  }
}
