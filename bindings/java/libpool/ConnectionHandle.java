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
abstract class ConnectionHandle extends Holding<PhysicalConnection> implements Connection {
  private static final VarHandle STATE;
  private static final VarHandle NEWEST;
  private static final int CLOSED = Integer.MIN_VALUE;
  private static final int CALL = 1; // one more call that the close waits for
  private static final Tracked CHANGING = new Changing();
  private static final int CALLS_PER_LOOK = 64;
  private static final int GIVE_BACK = 0; // the ways to end it
  private static final int ABORT = 1;
  private static final int EVICT = 2;
  private static final long LOOK_NS = 50_000;

  static {
    try {
      STATE = MethodHandles.lookup().findVarHandle(ConnectionHandle.class, "state", int.class);
      NEWEST = MethodHandles.lookup().findVarHandle(ConnectionHandle.class, "newest", Tracked.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private volatile Tracked newest; // of what is open, in a list; CHANGING: that belongs to one thread
  private volatile int state; // CLOSED, and calls that the close waits for

  ConnectionHandle(Pool<PhysicalConnection, SQLException> pool) {
    super(pool);
  }

  /** Gets a connection from the pool. */
  static Connection of(Pool<PhysicalConnection, SQLException> pool) throws SQLException, InterruptedException {
    ConnectionHandle handle = new ConnectionDelegate(pool);
    if (!pool.get(handle, pool.getTimeoutMs)) { // without time to wait
      throw pool.failure(CoreConstants.POOL_E_TIMEOUT, null);
    }
    return handle;
  }

  @Override
  final void begin() {
    try {
      connection.beginRequest();
    } catch (SQLException e) { // which the pool's opener throws, too, so the pool's get may
      throw ConnectionHandle.<RuntimeException>same(e);
    }
  }

  @SuppressWarnings("unchecked")
  private static <X extends Exception> X same(Exception e) throws X {
    throw (X) e;
  }

  /** Before its user has it. */
  final void isLent(Trackers trackers, long now) {
    connection.isLent(trackers, now);
  }

  // ---- for the generated methods

  final Connection live() throws SQLException {
    return physical().connection();
  }

  private PhysicalConnection physical() throws SQLException {
    requireOpen();
    PhysicalConnection physical = connection;
    if (physical == null) { // another thread has just closed it
      throw over();
    }
    physical.use();
    return physical;
  }

  /**
   * Before each call. A plain read, so that a loop over the rows of a result is compiled as without it. A thread sees what
   * it closed itself and what was closed before it was told so. Where nothing orders a close and a call, the call may come
   * first in any case. See {@link #enter()}.
   */
  final void requireOpen() throws SQLException {
    if ((int) STATE.get(this) < 0) {
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
    PhysicalConnection physical = connection;
    if (state >= 0 && physical != null) {
      physical.note(e);
    }
    return e;
  }

  /** Begins a call that must not reach the next user of the connection: a close waits for its {@link #leave()}. */
  final void enter() throws SQLException {
    int now;
    do {
      now = state;
      if (now < 0) {
        throw over();
      }
    } while (!STATE.weakCompareAndSet(this, now, now + CALL));
  }

  final void leave() {
    STATE.getAndAdd(this, -CALL);
  }

  /** Stands for the list while a thread changes that. */
  private static final class Changing extends Tracked {
    Changing() {
      super(null);
    }

    @Override
    Object target() {
      throw new AssertionError();
    }
  }

  /**
   * From here to {@link #release} the list belongs to this thread. Returns the newest in it; CHANGING: the connection is
   * closed. The swap comes before the look at the state, and a close changes the state before it looks at the list. So
   * the close waits for this thread, or this thread sees the close.
   */
  private Tracked seize() {
    for (int looks = 1; state >= 0; looks++) {
      Tracked first = newest;
      if (first != CHANGING && NEWEST.weakCompareAndSet(this, first, CHANGING)) {
        if (state >= 0) {
          return first;
        }
        release(first);
      }
      if (looks % CALLS_PER_LOOK == 0) {
        Thread.yield();
      }
    }
    return CHANGING;
  }

  private void release(Tracked first) {
    NEWEST.setRelease(this, first);
  }

  /** Something new is closed with this connection; with a connection that is closed already, at once. */
  final <T extends Tracked> T track(T opened) throws SQLException {
    if (opened == null) {
      return null;
    }
    Tracked first = seize();
    if (first == CHANGING) {
      closeQuietly(opened);
      throw over();
    }
    opened.isListed = true;
    opened.next = first;
    if (first != null) {
      first.previous = opened;
    }
    release(opened);
    return opened;
  }

  /** Its user closes it. Returns false if the connection is closed, or another thread has closed it at this moment. */
  final boolean forget(Guarded closing) {
    if (!(closing instanceof Tracked tracked) || !tracked.isListed) {
      return state >= 0;
    }
    Tracked first = seize();
    if (first == CHANGING) {
      return false;
    }
    boolean isFirstClose = !tracked.ended;
    tracked.ended = true;
    release(isFirstClose ? without(tracked, first) : first);
    return isFirstClose;
  }

  /** Returns what is the newest then. */
  private static Tracked without(Tracked tracked, Tracked first) {
    Tracked next = tracked.next;
    Tracked previous = tracked.previous;
    if (previous != null) {
      previous.next = next;
    }
    if (next != null) {
      next.previous = previous;
    }
    tracked.previous = null;
    tracked.next = null;
    return previous == null ? next : first;
  }

  // ---- its end

  @Override
  public final void close() {
    try {
      finish(GIVE_BACK, null);
    } catch (SQLException e) {
      throw new AssertionError("only the driver's abort throws that", e);
    }
  }

  @Override
  public final void abort(Executor executor) throws SQLException {
    finish(ABORT, executor);
  }

  /** Closes it and what it wraps, which nobody gets any more. Does nothing if it is closed. */
  final void evict() {
    try {
      finish(EVICT, null);
    } catch (SQLException e) {
      throw new AssertionError("only the driver's abort throws that", e);
    }
  }

  private void finish(int way, Executor executor) throws SQLException {
    PhysicalConnection physical = connection; // of which another thread may take it while this one closes
    boolean isQuiet = STATE.compareAndSet(this, 0, CLOSED); // mostly so, and a read before or after it costs as much again
    if (!isQuiet && (int) STATE.getAndBitwiseOr(this, CLOSED) < 0) {
      if (way != GIVE_BACK) {
        takeFromClose(way, executor, physical);
      }
      return;
    }
    try {
      physical.tellUse();
      if (way == GIVE_BACK) {
        Tracked open = isQuiet ? newest : CHANGING;
        giveBack(physical, open == CHANGING ? awaitOthers() : open);
      } else {
        takeAway(way, executor, physical);
      }
    } catch (Throwable e) { // no calls: the stack may be too short for one
      if (watch != null) {
        watch.over = true;
      }
      if (number != 0) {
        synchronized (pool.debts) {
          pool.debts.numbers[pool.debts.last = (pool.debts.last + 1) & Debts.MASK] = number;
          pool.debts.any = true;
        }
        number = 0;
        pool.attendToDebts();
      }
      throw e;
    }
  }

  /**
   * A close may hang in the driver, and the end of the connection be what ends that. Once the lease is marked nobody else
   * gets the connection; one that was given back meanwhile cannot be marked.
   */
  private void takeFromClose(int way, Executor executor, PhysicalConnection physical) throws SQLException {
    long lease = peek();
    if (physical != null && lease != 0 && Pool.mark(lease, false)) {
      takeAway(way, executor, physical);
    }
  }

  /** Waits for nothing, because nobody gets the connection after this. */
  private void takeAway(int way, Executor executor, PhysicalConnection physical) throws SQLException {
    if (way == ABORT) {
      abort(physical, executor);
    } else {
      physical.take();
      end(false, physical.isBroken());
    }
  }

  private void giveBack(PhysicalConnection physical, Tracked open) {
    for (Tracked each = open; each != null; each = each.next) {
      physical.note(closeQuietly(each));
    }
    if (open != null) {
      release(null);
    }
    boolean usable = !physical.isBroken() && isReset(physical);
    end(usable, physical.isBroken());
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

  private void abort(PhysicalConnection physical, Executor executor) throws SQLException {
    try {
      physical.abort(executor);
    } finally {
      end(false, physical.isBroken());
    }
  }

  /**
   * No new call begins after the first close, and those that must not reach the next user are over after this. Returns
   * the newest of what is open: a thread that is late may seize the list once more, but changes nothing.
   */
  private Tracked awaitOthers() {
    Tracked open;
    while ((open = newest) == CHANGING || state != CLOSED) {
      sleep();
    }
    return open;
  }

  /** One that is interrupted would not sleep, nor leave its carrier to the thread for which it waits. */
  private void sleep() {
    boolean interrupted = Thread.interrupted();
    LockSupport.parkNanos(this, LOOK_NS);
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
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

  /** Its user has given it back, or the pool has taken it away. */
  final boolean isOver() {
    return state < 0;
  }

  /** One that broke is closed as well, as JDBC and HikariCP have it, and its user gives it back all the same. */
  @Override
  public final boolean isClosed() {
    PhysicalConnection physical = connection;
    return isOver() || physical == null || physical.isBroken();
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

  /** An interface of JDBC stands for the driver's object, as the class of a driver does. */
  static <T> T unwrap(Object self, Object target, Class<T> type) throws SQLException {
    if (!type.isInterface() && type.isInstance(self)) {
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
    PhysicalConnection physical = connection;
    boolean over = isOver() || physical == null;
    return over ? "a connection that was given back" : "pooled " + physical.connection();
  }
}
