// SPDX-License-Identifier: MIT
package libpool;

import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Which connection stands in which slot. The slots of all pools are numbered together, so this is one table for all;
 * its pages come as they are needed. Who holds the lease or claim of a slot is the only one to touch it.
 */
final class Table {
  private static final int SLOT_MASK = 0xFFFFF;
  private static final int PAGE_BITS = 10;
  private static final int PAGE_SIZE = 1 << PAGE_BITS;
  private static final AtomicReferenceArray<AtomicReferenceArray<Object>> PAGES =
      new AtomicReferenceArray<>((SLOT_MASK >> PAGE_BITS) + 1);

  private Table() {}

  static Object get(long number) {
    int slot = (int) number & SLOT_MASK;
    return PAGES.getAcquire(slot >> PAGE_BITS).getAcquire(slot & (PAGE_SIZE - 1));
  }

  static void set(long number, Object connection) {
    int slot = (int) number & SLOT_MASK;
    int page = slot >> PAGE_BITS;
    if (PAGES.getAcquire(page) == null) {
      PAGES.compareAndSet(page, null, new AtomicReferenceArray<>(PAGE_SIZE));
    }
    PAGES.getAcquire(page).setRelease(slot & (PAGE_SIZE - 1), connection);
  }

  static Object take(long number) {
    Object connection = get(number);
    set(number, null);
    return connection;
  }
}
