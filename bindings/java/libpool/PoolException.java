// SPDX-License-Identifier: MIT
package libpool;

/** Something that a pool could not do. The code and the message are those of the C library. */
public class PoolException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** See {@link #code()}. */
  private final int code;

  PoolException(int code, String message) {
    super(message);
    this.code = code;
  }

  /** {@return one of the library's {@code POOL_E_*}, a negative number} */
  public int code() {
    return code;
  }

  /** Called by C: the exception for a failure there. */
  static RuntimeException of(int code, byte[] message) {
    return of(code, Text.string(message));
  }

  static RuntimeException of(int code, String message) {
    return switch (code) {
      case CoreConstants.POOL_E_INVALID, CoreConstants.POOL_E_NEWER -> new IllegalArgumentException(message);
      case CoreConstants.POOL_E_STALE -> new IllegalStateException(message);
      case CoreConstants.POOL_E_CLOSED -> new PoolClosedException(message);
      case CoreConstants.POOL_E_TIMEOUT -> new PoolTimeoutException(message);
      case CoreConstants.POOL_E_OPEN -> new PoolOpenException(message);
      case CoreConstants.POOL_E_REMOTE -> new PoolRemoteException(message);
      case CoreConstants.POOL_E_BROKEN -> new PoolBrokenException(message);
      case CoreConstants.POOL_E_OVERLOAD -> new PoolOverloadException(message);
      case CoreConstants.POOL_E_EVICTED -> new PoolEvictedException(message);
      default -> new PoolException(code, message);
    };
  }
}
