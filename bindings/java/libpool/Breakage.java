// SPDX-License-Identifier: MIT
package libpool;

import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.SQLNonTransientConnectionException;
import java.sql.SQLRecoverableException;
import java.util.Set;

/** Which errors of a driver mean that the connection, not a statement, is bad. */
final class Breakage {
  private static final System.Logger LOG = System.getLogger("libpool");
  private static final int LONGEST = 1000; // a chain may be a circle

  /** Beside those that begin with 08. A server says 0A000 of a plan that it keeps for the connection and cannot use. */
  private static final Set<String> STATES =
      Set.of("57P01", "57P02", "57P03", "57P04", "57P05", "01002", "JZ0C0", "JZ0C1", "0A000");

  /** Of Redshift, Oracle and Vitess. */
  private static final Set<Integer> CODES = Set.of(500150, 2399, 1105);

  private final ExceptionOverride override; // null: none

  Breakage(ExceptionOverride override) {
    this.override = override;
  }

  boolean isBroken(Throwable failure) {
    SQLException next = failure instanceof SQLException first ? first : null;
    for (int i = 0; next != null && i < LONGEST; i++) {
      ExceptionOverride.Verdict verdict = decide(next);
      if (verdict == ExceptionOverride.Verdict.KEEP) {
        return false;
      }
      if (verdict == ExceptionOverride.Verdict.EVICT || isBroken(next)) {
        return true;
      }
      next = next.getNextException();
    }
    return false;
  }

  /** What the program throws here says nothing. */
  private ExceptionOverride.Verdict decide(SQLException failure) {
    try {
      ExceptionOverride.Verdict verdict = override == null ? null : override.decide(failure);
      return verdict == null ? ExceptionOverride.Verdict.DEFAULT : verdict;
    } catch (Throwable e) {
      LOG.log(System.Logger.Level.WARNING, "the exceptionOverride failed", e);
      return ExceptionOverride.Verdict.DEFAULT;
    }
  }

  /** A statement that ran into its timeout is judged as any other, for its connection may be good. */
  private static boolean isBroken(SQLException failure) {
    if (failure instanceof SQLFeatureNotSupportedException) { // says the driver, not the server
      return false;
    }
    String state = failure.getSQLState();
    return failure instanceof SQLNonTransientConnectionException
        || failure instanceof SQLRecoverableException
        || CODES.contains(failure.getErrorCode())
        || (state != null && (state.startsWith("08") || STATES.contains(state)));
  }
}
