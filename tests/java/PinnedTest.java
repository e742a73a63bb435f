// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/** Gets by virtual threads that keep their carriers while they wait; where these are the only ones. */
class PinnedTest {
  private static final Fakes FAKES = new Fakes();

  /** A virtual thread keeps its carrier as long as it runs the initializer. */
  private static final class Shop {
    private static final boolean SERVED;

    static {
      try (var pool = FAKES.pool(1);
          var lease = pool.get(Duration.ofSeconds(60))) {
        SERVED = lease.conn().isOpen();
      } catch (Exception e) {
        throw new ExceptionInInitializerError(e);
      }
    }
  }

  @Test
  void anOpenNeedsNoCarrier() throws Exception {
    assertTrue(Threads.begin(() -> Shop.SERVED).get());
    FAKES.finish();
  }
}
