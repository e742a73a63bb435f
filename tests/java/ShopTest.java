// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The example that needs a database; the property {@code libpool.examples} says where it is. */
class ShopTest {
  @Test
  void theShopRuns() throws Exception {
    Path java = Path.of(System.getProperty("java.home"), "bin", "java");
    Path shop = Path.of(System.getProperty("libpool.examples"), "Shop.java");
    try (Postgres postgres = new Postgres()) {
      Process process =
          new ProcessBuilder(
                  java.toString(), "-cp", System.getProperty("java.class.path"), shop.toString(), postgres.url())
              .redirectError(ProcessBuilder.Redirect.DISCARD) // newer Javas have something to say about native libraries
              .directory(new File("/"))
              .start();
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertEquals("java: 10 orders over at most 3 connections\n", said);
      assertEquals(0, process.waitFor());
    }
  }
}
