// SPDX-License-Identifier: MIT
package libpool;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/** What its user has of one connection of a pool until it is given back: a {@link Lease}, or a connection of JDBC. */
abstract class Holding<C> {
  private static final VarHandle NUMBER;

  static {
    try {
      NUMBER = MethodHandles.lookup().findVarHandle(Holding.class, "number", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  final Pool<C, ?> pool;
  C connection; // this and the following are set by the get, before anybody else knows the object
  long number; // of the lease; 0: ended
  Watch watch; // null: nobody looks for leaks

  Holding(Pool<C, ?> pool) {
    this.pool = pool;
  }

  /** Its connection and number are there; if it throws, the lease ends and the connection is closed. */
  void begin() {}

  /** The number of the lease, as another thread may have left it. */
  final long peek() {
    return (long) NUMBER.getOpaque(this);
  }

  /** Ends the lease, once. A connection that is not usable is closed, and one that broke lets others be checked. */
  final void end(boolean usable, boolean broken) {
    long lease = usable && !pool.looksForLeaks() ? take() : takeAlone();
    if (lease == 0) {
      return;
    }
    long owed = lease;
    Debt debt = null;
    try {
      forget();
      View view = pool.view;
      if (usable && view != null && view.give(lease)) {
        if (!view.asksAfter(lease)) {
          return;
        }
        owed = Step.given(lease);
      } else {
        if (!usable) {
          Pool.mark(lease, broken);
        }
        owed = Step.end(lease);
      }
      if (owed < Step.ERRORS_END) {
        debt = new Debt(owed);
        pool.settle(debt, true);
      }
      if (broken) {
        pool.attend();
      }
    } catch (Throwable e) { // no calls: the stack may be too short for one
      if (watch != null) {
        watch.over = true;
      }
      synchronized (pool.debts) {
        if (debt == null) {
          pool.debts.numbers[pool.debts.last = (pool.debts.last + 1) & Debts.MASK] = owed;
        } else {
          debt.next = pool.debts.first;
          pool.debts.first = debt;
        }
        pool.debts.any = true;
      }
      pool.attendToDebts();
      throw e;
    }
  }

  private void forget() {
    connection = null;
    if (watch != null) {
      watch.end();
    }
  }

  /** If two do this at one moment both may get it, and the library refuses the second. An atomic swap costs more. */
  private long take() {
    long lease = (long) NUMBER.getOpaque(this);
    NUMBER.setOpaque(this, 0L);
    return lease;
  }

  /** Where leaks are looked for, only one may end that. */
  private long takeAlone() {
    return (long) NUMBER.getAndSet(this, 0L);
  }
}
