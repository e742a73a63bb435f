// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.sql.Connection;
import java.sql.SQLException;
import org.junit.jupiter.api.Test;

/** A data source where the JDK may have neither JMX nor its flight recorder, and no optional library is there. */
class BareTest {
  @Test
  void theDataSourceWorksWhateverElseThereIs() throws Exception {
    String bare = System.getProperty("libpool.bare", "false");
    boolean isBare = ModuleLayer.boot().findModule("jdk.jfr").isEmpty();
    assertEquals(bare, "" + isBare, "the test is run as it is meant");
    assertEquals(isBare, ModuleLayer.boot().findModule("java.management").isEmpty());
    for (String library : new String[] {"io.micrometer.core.instrument.Meter", "io.opentelemetry.api.OpenTelemetry"}) {
      assertThrows(ClassNotFoundException.class, () -> Class.forName(library));
    }
    try (PooledDataSource source = new GatedSource().pool("bare", 1)) {
      source.setRegisterMbeans(true);
      try (Connection connection = source.getConnection()) {
        source.setConnectionTimeout(20);
        assertThrows(SQLException.class, source::getConnection, () -> "" + connection);
      }
      source.getConnection().close();
      assertEquals(1, source.stats().opened());
    }
  }
}
