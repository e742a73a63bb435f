// SPDX-License-Identifier: MIT
package libpool;

/**
 * What was left behind by threads that failed for want of stack or memory, until one that has some sees to it. The
 * fields are written in place, because the thread that leaves something may be unable to call or to allocate. Of more
 * than 64 numbers the oldest are lost.
 */
final class Debts {
  static final int MASK = 63;

  final long[] numbers = new long[MASK + 1]; // leases and what was not read, 0: nothing; guarded by this, as the others
  int last; // where the latest number is
  volatile boolean any; // something was left, perhaps
  Debt first;

  /** Takes one out; null: there is none. */
  synchronized Debt take() {
    Debt taken = first;
    if (taken != null) {
      first = taken.next;
    } else if (numbers[last] != 0) {
      taken = new Debt(numbers[last]);
      taken.spoilt = true;
      numbers[last] = 0;
      last = (last - 1) & MASK;
    } else {
      any = false;
    }
    return taken;
  }
}
