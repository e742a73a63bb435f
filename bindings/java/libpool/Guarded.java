// SPDX-License-Identifier: MIT
package libpool;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Wrapper;

/** An object of a driver as the user of a pooled connection sees it: of no use once that is closed. */
abstract class Guarded implements Wrapper {
  final ConnectionHandle handle;
  boolean ended; // of what is in the list of its handle, set by the thread that has the list

  Guarded(ConnectionHandle handle) {
    this.handle = handle;
  }

  /** The driver's object, also of a closed connection. */
  abstract Object target();

  final void requireOpen() throws SQLException {
    handle.requireOpen();
    if (ended) {
      throw new SQLException("this was closed before", "HY010");
    }
  }

  final boolean isOver() {
    return ended || handle.isOver();
  }

  /**
   * For its first close or free, and whether the driver is to know: what a driver keeps for its next user must not
   * hear of the second one.
   */
  final boolean end() {
    if (ended || !handle.forget(this)) {
      return false;
    }
    ended = true;
    return true;
  }

  /** What a driver is to be given, which knows only its own objects. */
  @SuppressWarnings("unchecked") // a delegate stands where its interface or an Object may stand, and so may its target
  static <T> T bare(T value) throws SQLException {
    if (value instanceof Guarded guarded) {
      guarded.requireOpen();
      return (T) guarded.target();
    }
    return value instanceof Object[] several ? (T) each(several) : value;
  }

  private static Object[] each(Object[] values) throws SQLException {
    Class<?> type = values.getClass().getComponentType();
    if (type != Object.class && !type.isInterface() && !type.isArray()) {
      return values;
    }
    Object[] bare = values.clone();
    for (int i = 0; i < bare.length; i++) {
      bare[i] = bare(bare[i]);
    }
    return bare;
  }

  public final Connection getConnection() throws SQLException {
    handle.requireOpen();
    return handle;
  }

  @Override
  public final <T> T unwrap(Class<T> type) throws SQLException {
    requireOpen();
    return ConnectionHandle.unwrap(this, target(), type);
  }

  @Override
  public final boolean isWrapperFor(Class<?> type) throws SQLException {
    requireOpen();
    return ConnectionHandle.isWrapperFor(this, target(), type);
  }

  @Override
  public final String toString() {
    return handle.isOver() ? "something of a connection that was given back" : "pooled " + target();
  }
}
