// SPDX-License-Identifier: MIT
package libpool;

/**
 * Which connection stands in which slot. The slots of all pools are numbered together, so this is one table for all;
 * its pages come as they are needed and stay. The thread with the lease or claim of a slot is the
 * only one to touch it. The library orders its work after that of the thread before it; so plain reads and writes are enough.
 */
final class Table {
  static final int SLOT_MASK = 0xFFFFF;
  static final int PAGE_BITS = 10;
  static final int PAGE_SIZE = 1 << PAGE_BITS;
  static final Object[][] PAGES = new Object[(SLOT_MASK >> PAGE_BITS) + 1][];

  private Table() {}

  static Object get(long number) {
    int slot = (int) number & SLOT_MASK;
    return PAGES[slot >> PAGE_BITS][slot & (PAGE_SIZE - 1)];
  }

  /** To be called before a connection is opened: there may be no memory for its page, which two may need at one time. */
  static synchronized void prepare(long number) {
    int page = ((int) number & SLOT_MASK) >> PAGE_BITS;
    if (PAGES[page] == null) {
      PAGES[page] = new Object[PAGE_SIZE];
    }
  }

  static void set(long number, Object connection) {
    int slot = (int) number & SLOT_MASK;
    PAGES[slot >> PAGE_BITS][slot & (PAGE_SIZE - 1)] = connection;
  }

  /** Returns what stood there: null also where nothing ever did. */
  static Object take(long number) {
    int slot = (int) number & SLOT_MASK;
    Object[] page = PAGES[slot >> PAGE_BITS];
    if (page == null) {
      return null;
    }
    Object connection = page[slot & (PAGE_SIZE - 1)];
    page[slot & (PAGE_SIZE - 1)] = null;
    return connection;
  }
}
