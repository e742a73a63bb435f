// SPDX-License-Identifier: MIT
package libpool;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.sql.Connection;
import java.sql.SQLClientInfoException;
import java.sql.SQLException;
import java.sql.Wrapper;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.LockSupport;

/**
 * What {@link PooledDataSource#getConnection()} gives: a connection whose close gives the real one back, and nothing of
 * which reaches the real one after that. Statements and results that come from it know it and not the real one. The
 * methods that only call the real one are generated: see Delegates.java.
 */
abstract class ConnectionHandle implements Connection {
  private static final VarHandle STATE;
  private static final int CLOSED = Integer.MIN_VALUE;
  private static final int LISTING = 1; // a thread changes the list
  private static final int CALL = 2; // one more call that the close waits for
  private static final int CALLS_PER_LOOK = 64;
  private static final long LOOK_NS = 50_000;

  static {
    try {
      STATE = MethodHandles.lookup().findVarHandle(ConnectionHandle.class, "state", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final Lease<PhysicalConnection> lease;
  private Tracked newest; // of what is open, in a list; belongs to the thread that is LISTING, or has closed
  private volatile int state;

  ConnectionHandle(Lease<PhysicalConnection> lease) {
    this.lease = lease;
  }

  static Connection of(Lease<PhysicalConnection> lease) {
    return new ConnectionDelegate(lease);
  }

  // ---- for the generated methods

  final Connection live() throws SQLException {
    return physical().connection();
  }

  private PhysicalConnection physical() throws SQLException {
    requireOpen();
    PhysicalConnection physical = lease.peek();
    if (physical == null) { // another thread has just closed it
      throw over();
    }
    return physical;
  }

  final void requireOpen() throws SQLException {
    if (state < 0) {
      throw over();
    }
  }

  private static SQLException over() {
    return new SQLException("the connection is closed", "08003");
  }

  /** Before a setter is called. */
  final void changing(String setter) throws SQLException {
    physical().changes(setter);
  }

  /** The driver's error, which may mean that the connection is of no use any more. */
  final SQLException failed(SQLException e) {
    PhysicalConnection physical = lease.peek();
    if (state >= 0 && physical != null) {
      physical.note(e);
    }
    return e;
  }

  /** Begins a call that must not reach the next user of the connection: a close waits for its {@link #leave()}. */
  final void enter() throws SQLException {
    if (!add(CALL, 0)) {
      throw over();
    }
  }

  final void leave() {
    STATE.getAndAdd(this, -CALL);
  }

  /** Returns whether the connection is open; waits for the bits in the way. */
  private boolean add(int bits, int inTheWay) {
    for (int looks = 1; ; looks++) {
      int now = state;
      if (now < 0) {
        return false;
      }
      if ((now & inTheWay) == 0 && STATE.weakCompareAndSet(this, now, now + bits)) {
        return true;
      }
      if (looks % CALLS_PER_LOOK == 0) {
        Thread.yield();
      }
    }
  }

  /** Something new is closed with this connection; with a connection that is closed already, at once. */
  final <T extends Tracked> T track(T opened) throws SQLException {
    if (opened == null) {
      return null;
    }
    if (!add(LISTING, LISTING)) {
      closeQuietly(opened);
      throw over();
    }
    opened.next = newest;
    if (newest != null) {
      newest.previous = opened;
    }
    newest = opened;
    STATE.getAndAdd(this, -LISTING);
    return opened;
  }

  /** Its user closes it. Returns false if the connection is closed. */
  final boolean forget(Guarded closing) {
    if (!(closing instanceof Tracked tracked) || !isListed(tracked)) {
      return state >= 0;
    }
    if (!add(LISTING, LISTING)) {
      return false;
    }
    if (isListed(tracked)) {
      unlink(tracked);
    }
    STATE.getAndAdd(this, -LISTING);
    return true;
  }

  private boolean isListed(Tracked tracked) {
    return tracked.previous != null || tracked == newest;
  }

  private void unlink(Tracked tracked) {
    if (tracked.previous == null) {
      newest = tracked.next;
    } else {
      tracked.previous.next = tracked.next;
    }
    if (tracked.next != null) {
      tracked.next.previous = tracked.previous;
    }
    tracked.previous = null;
    tracked.next = null;
  }

  // ---- its end

  @Override
  public final void close() {
    PhysicalConnection physical = firstClose();
    if (physical == null) {
      return;
    }
    for (Tracked each = newest; each != null; each = each.next) {
      physical.note(closeQuietly(each));
    }
    newest = null;
    boolean usable = !physical.isBroken() && isReset(physical);
    try {
      give(physical, usable);
    } catch (StackOverflowError e) {
      state = 0; // another close may succeed
      throw e;
    }
  }

  /** Here and not in the pool, which would ask for it by one more step of its own. */
  private static boolean isReset(PhysicalConnection physical) {
    try {
      physical.reset();
      return true;
    } catch (Throwable e) { // the connection is closed then, whatever the driver throws
      physical.note(e);
      return false;
    }
  }

  private void give(PhysicalConnection physical, boolean usable) {
    if (physical.isBroken()) {
      lease.discardBroken();
    } else if (usable) {
      lease.close();
    } else {
      lease.discard();
    }
  }

  @Override
  public final void abort(Executor executor) throws SQLException {
    PhysicalConnection physical = firstClose();
    if (physical == null) {
      return;
    }
    try {
      physical.connection().abort(executor);
    } finally {
      give(physical, false);
    }
  }

  /**
   * Returns the connection to the first who closes it, else null. No new call begins after that, and those that must
   * not reach the next user are over.
   */
  private PhysicalConnection firstClose() {
    if ((int) STATE.getAndBitwiseOr(this, CLOSED) < 0) {
      return null;
    }
    while (state != CLOSED) {
      LockSupport.parkNanos(this, LOOK_NS);
    }
    PhysicalConnection physical = lease.peek();
    if (physical == null) { // the stack of the first close ended within that of the lease
      lease.discard();
    }
    return physical;
  }

  /** The connection must go back whatever the driver throws, which is returned; null: nothing. */
  private static Throwable closeQuietly(Tracked opened) {
    try {
      ((AutoCloseable) opened.target()).close();
      return null;
    } catch (Throwable e) {
      return e;
    }
  }

  // ---- what is not only passed on

  @Override
  public final boolean isClosed() {
    return state < 0;
  }

  @Override
  public final boolean isValid(int timeout) throws SQLException {
    if (isClosed()) {
      return false;
    }
    try {
      return live().isValid(timeout);
    } catch (SQLException e) {
      throw failed(e);
    }
  }

  @Override
  public final void setClientInfo(String name, String value) throws SQLClientInfoException {
    try {
      changing("setClientInfo");
      live().setClientInfo(name, value);
    } catch (SQLException e) {
      throw refused(e);
    }
  }

  @Override
  public final void setClientInfo(Properties properties) throws SQLClientInfoException {
    try {
      changing("setClientInfo");
      live().setClientInfo(properties);
    } catch (SQLException e) {
      throw refused(e);
    }
  }

  private SQLClientInfoException refused(SQLException e) {
    return failed(e) instanceof SQLClientInfoException refusal
        ? refusal
        : new SQLClientInfoException(e.getMessage(), e.getSQLState(), Map.of(), e);
  }

  @Override
  public final <T> T unwrap(Class<T> type) throws SQLException {
    return unwrap(this, live(), type);
  }

  @Override
  public final boolean isWrapperFor(Class<?> type) throws SQLException {
    return isWrapperFor(this, live(), type);
  }

  static <T> T unwrap(Object self, Object target, Class<T> type) throws SQLException {
    if (type.isInstance(self)) {
      return type.cast(self);
    }
    if (type.isInstance(target)) {
      return type.cast(target);
    }
    if (target instanceof Wrapper wrapper) {
      return wrapper.unwrap(type);
    }
    throw new SQLException("this wraps no " + type.getName());
  }

  static boolean isWrapperFor(Object self, Object target, Class<?> type) throws SQLException {
    return type.isInstance(self)
        || type.isInstance(target)
        || (target instanceof Wrapper wrapper && wrapper.isWrapperFor(type));
  }

  @Override
  public final String toString() {
    PhysicalConnection physical = lease.peek();
    boolean over = isClosed() || physical == null;
    return over ? "a connection that was given back" : "pooled " + physical.connection();
  }
}
