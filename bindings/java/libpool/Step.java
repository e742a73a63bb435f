// SPDX-License-Identifier: MIT
package libpool;

/** What a call of the step API says: a result and, seldom, more. The functions are in step.c. */
final class Step {
  static final int NONE = 0;
  static final int OPEN = 1;
  static final int CHECK = 2;
  static final int RESET = 3;
  static final int CLOSE = 4;

  /** Errors are nearer to zero than this, addresses are not. */
  private static final long ERRORS_END = -4096;

  final long result;
  final int work;
  final long claim;
  final long ticket;
  final long wake;
  final long lookAgainNs;
  final String message; // of a failure, or null

  static {
    Library.load();
  }

  private Step(long[] numbers, byte[] message) {
    result = numbers[0];
    work = (int) numbers[1];
    claim = numbers[2];
    ticket = numbers[3];
    wake = numbers[4];
    lookAgainNs = numbers[5];
    this.message = Text.string(message);
  }

  /**
   * What stands behind the number that one of the functions below returned: a lease, 0, an error, or the place where
   * more is said. To be called once for each.
   */
  static Step of(long said) {
    long[] numbers = {said, 0, 0, 0, 0, 0};
    byte[] message = said < ERRORS_END ? read(said, numbers) : null;
    return new Step(numbers, message);
  }

  static boolean isError(long said) {
    return said < 0 && said >= ERRORS_END;
  }

  static native long begin(long pool, long timeoutMs, long ticket);

  static native long cancel(long ticket);

  static native long end(long lease);

  static native long done(long claim);

  static native long fail(long claim, int code, byte[] message);

  static native long next(long pool);

  private static native byte[] read(long said, long[] numbers);
}
