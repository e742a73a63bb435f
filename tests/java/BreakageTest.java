// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.sql.BatchUpdateException;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.SQLNonTransientConnectionException;
import java.sql.SQLRecoverableException;
import java.sql.SQLTimeoutException;
import org.junit.jupiter.api.Test;

/** Which errors of a driver mean that its connection broke. */
class BreakageTest {
  private final Breakage usual = new Breakage(null);

  /** By its class. */
  public static final class Keeps implements ExceptionOverride {
    @Override
    public Verdict decide(SQLException exception) {
      return Verdict.KEEP;
    }
  }

  @Test
  void statesCodesAndClassesMeanThatAConnectionBroke() {
    for (String state : "08000 08003 08006 08S01 57P01 57P02 57P03 57P04 57P05 01002 JZ0C0 JZ0C1 0A000".split(" ")) {
      assertTrue(usual.isBroken(new SQLException("gone", state)), state);
    }
    for (int code : new int[] {500150, 2399, 1105}) {
      assertTrue(usual.isBroken(new SQLException("gone", "HY000", code)));
    }
    assertTrue(usual.isBroken(new SQLRecoverableException()));
    assertTrue(usual.isBroken(new SQLNonTransientConnectionException()));
  }

  @Test
  void otherErrorsAreThoseOfAStatement() {
    for (String state : new String[] {null, "", "42601", "25P02", "57014", "01000", "40001"}) {
      assertFalse(usual.isBroken(new SQLException("no", state)), state);
    }
    assertFalse(usual.isBroken(new SQLFeatureNotSupportedException("no", "0A000")));
    assertFalse(usual.isBroken(new IllegalStateException()));
    assertFalse(usual.isBroken(null));
  }

  @Test
  void aStatementThatRanIntoItsTimeoutBreaksItsConnectionOnlyIfTheDriverSaysSo() {
    assertFalse(usual.isBroken(new SQLTimeoutException("slow", "57014")));
    assertFalse(usual.isBroken(new SQLTimeoutException("slow")));
    assertTrue(usual.isBroken(new SQLTimeoutException("read timed out", "08S01")));
  }

  @Test
  void theExceptionsThatFollowAreLookedAt() {
    var batch = new BatchUpdateException("a batch failed", "42000", new int[0]);
    batch.setNextException(new SQLException("another"));
    assertFalse(usual.isBroken(batch));
    batch.setNextException(new SQLException("gone", "08006"));
    assertTrue(usual.isBroken(batch));
  }

  /** What a driver should not make. */
  private static final class Circle extends SQLException {
    private static final long serialVersionUID = 1;

    @Override
    public SQLException getNextException() {
      return this;
    }
  }

  @Test
  void aCircleOfExceptionsHasAnEnd() {
    assertFalse(usual.isBroken(new Circle()));
  }

  @Test
  void anOverrideDecidesFirst() {
    var keeps = new Breakage(exception -> ExceptionOverride.Verdict.KEEP);
    assertFalse(keeps.isBroken(new SQLException("gone", "08006")));
    var evicts =
        new Breakage(
            exception ->
                exception.getErrorCode() == 7 ? ExceptionOverride.Verdict.EVICT : ExceptionOverride.Verdict.DEFAULT);
    assertTrue(evicts.isBroken(new SQLException("odd", "42000", 7)));
    assertFalse(evicts.isBroken(new SQLException("odd", "42000", 8)));
    assertTrue(evicts.isBroken(new SQLException("gone", "08006")));
    var second = new SQLException("first", "42000", 8);
    second.setNextException(new SQLException("odd", "42000", 7));
    assertTrue(evicts.isBroken(second));
  }

  @Test
  void anOverrideThatFailsSaysNothing() {
    for (ExceptionOverride each :
        new ExceptionOverride[] {
          exception -> null,
          exception -> {
            throw new IllegalStateException("no idea");
          }
        }) {
      assertTrue(new Breakage(each).isBroken(new SQLException("gone", "08006")));
      assertFalse(new Breakage(each).isBroken(new SQLException("no", "42601")));
    }
  }

  @Test
  void anOverrideIsMadeOfItsClass() {
    try (var source = new PooledDataSource()) {
      source.setExceptionOverrideClassName(Keeps.class.getName());
      assertInstanceOf(Keeps.class, source.getExceptionOverride());
      assertEquals(Keeps.class.getName(), source.getExceptionOverrideClassName());
      for (String wrong : new String[] {"no.such.Class", "java.lang.Object"}) {
        var refusal =
            assertThrows(IllegalArgumentException.class, () -> source.setExceptionOverrideClassName(wrong));
        assertTrue(refusal.getMessage().contains(wrong), refusal.getMessage());
      }
      source.setExceptionOverrideClassName(null);
      assertEquals(null, source.getExceptionOverride());
    }
  }
}
