// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.sql.Connection;
import javax.management.Attribute;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import javax.management.RuntimeMBeanException;
import org.junit.jupiter.api.Test;

/** A data source as JMX shows it. */
class MbeanTest {
  private static final MBeanServer SERVER = ManagementFactory.getPlatformMBeanServer();

  private static PooledDataSource source(String name) throws Exception {
    PooledDataSource source = new GatedSource().pool(name, 2);
    source.setRegisterMbeans(true);
    return source;
  }

  private static ObjectName name(String pool) throws JMException {
    return new ObjectName("libpool:type=Pool,name=" + pool);
  }

  @Test
  void countsAreShownAndSizesChanged() throws Exception {
    try (PooledDataSource source = source("shop");
        Connection one = source.getConnection();
        Connection two = source.getConnection()) {
      assertFalse(one.isClosed() || two.isClosed());
      assertEquals(2, SERVER.getAttribute(name("shop"), "ActiveConnections"));
      assertEquals(0, SERVER.getAttribute(name("shop"), "IdleConnections"));
      assertEquals(2, SERVER.getAttribute(name("shop"), "TotalConnections"));
      var third = GatedSource.get(source);
      Fakes.until(() -> source.getThreadsAwaitingConnection() == 1);
      assertEquals(1, SERVER.getAttribute(name("shop"), "ThreadsAwaitingConnection"));
      SERVER.setAttribute(name("shop"), new Attribute("MaximumPoolSize", 3));
      GatedSource.take(third).close();
      assertEquals(3, SERVER.getAttribute(name("shop"), "TotalConnections"));
    }
  }

  @Test
  void theNameIsThereFromTheFirstConnectionToTheClose() throws Exception {
    PooledDataSource source = source("late");
    assertFalse(SERVER.isRegistered(name("late")));
    source.getConnection().close();
    assertTrue(SERVER.isRegistered(name("late")));
    source.close();
    assertFalse(SERVER.isRegistered(name("late")));
  }

  @Test
  void aPoolWithTheNameOfAnotherLeavesThatInPlace() throws Exception {
    try (PooledDataSource first = source("twin")) {
      first.getConnection().close();
      try (PooledDataSource second = source("twin")) {
        second.getConnection().close();
      }
      assertTrue(SERVER.isRegistered(name("twin")));
      assertEquals(1, SERVER.getAttribute(name("twin"), "IdleConnections"));
    }
  }

  @Test
  void anyNameCanBeShown() throws Exception {
    String any = "a,b=\"*\"\n";
    try (PooledDataSource source = source(any)) {
      source.getConnection().close();
      assertEquals(any, SERVER.getAttribute(name(ObjectName.quote(any)), "PoolName"));
    }
  }

  @Test
  void whatTheSourceRefusesJmxTells() throws Exception {
    try (PooledDataSource source = source("strict")) {
      source.getConnection().close();
      var refusal =
          assertThrows(RuntimeMBeanException.class, () -> SERVER.invoke(name("strict"), "suspendPool", null, null));
      assertTrue(refusal.getCause().getMessage().contains("allowPoolSuspension"), refusal.getCause().getMessage());
    }
  }

  @Test
  void aSourceThatIsDroppedIsCollectedAndItsNameRemoved() throws Exception {
    dropOne();
    Fakes.until(
        () -> {
          System.gc();
          return !isRegistered("dropped");
        });
  }

  private static void dropOne() throws Exception {
    source("dropped").getConnection().close();
    assertTrue(isRegistered("dropped"));
  }

  private static boolean isRegistered(String pool) {
    try {
      return SERVER.isRegistered(name(pool));
    } catch (JMException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void jmxShowsNothingUnlessItIsAskedTo() throws Exception {
    try (PooledDataSource source = new GatedSource().pool("hidden", 1)) {
      source.getConnection().close();
      assertFalse(SERVER.isRegistered(name("hidden")));
    }
  }
}
