// SPDX-License-Identifier: MIT
package libpool;

import java.sql.SQLException;

/**
 * Decides whether what a driver throws means that its connection broke; such a connection is closed when it comes back.
 * Without one, or where it says {@link Verdict#DEFAULT}, these mean so: SQL states that begin with 08, 57P01 to 57P05,
 * 01002, 0A000, JZ0C0 and JZ0C1; the vendor codes 500150, 2399 and 1105; and the classes of JDBC for connections that
 * broke. That a statement ran into its timeout, or that a driver does not support a call, does not mean so.
 */
@FunctionalInterface
public interface ExceptionOverride {
  /** What is made of an exception. */
  enum Verdict {
    /** The usual rules decide. */
    DEFAULT,
    /** The connection broke. */
    EVICT,
    /** The connection is good. */
    KEEP
  }

  /**
   * Is asked for each exception of a chain of {@link SQLException#getNextException()}, until one is not by default.
   *
   * @param exception what the driver threw
   * @return what it means
   */
  Verdict decide(SQLException exception);
}
