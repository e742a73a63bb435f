// SPDX-License-Identifier: MIT
package libpool;

/**
 * What a thread owes the library while it does what that has asked for. Each part is set before the next call, which may
 * fail for want of stack or memory; then the pool keeps the debt among its {@link Debts}.
 */
class Debt {
  long said; // a lease that nobody wants, or what was not read yet; 0: nothing
  Step step; // what was read last, if its lease or work is not somebody's yet; else null
  boolean spoilt; // the lease is of a user who may have left anything in its connection
  Debt next; // belongs to Debts

  Debt(long said) {
    this.said = said;
  }

  final void read() {
    step = Step.of(said);
    said = 0;
  }

  /** Gives back what is still owed, as far as that goes, in any thread. */
  void settle(Pool<?, ?> pool) {
    pool.settle(this, true);
  }
}
