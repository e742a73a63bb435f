// SPDX-License-Identifier: MIT
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import libpool.DriverPool;
import libpool.PoolRemoteException;

/**
 * Calls a JSON-RPC server with the driver of the library. Run it with {@code java -cp libpool.jar Arith.java
 * localhost:1234}.
 */
public class Arith {
  public static void main(String[] arguments) throws Exception {
    try (var pool = DriverPool.builder("jsonrpc", arguments[0]).maxOpen(2).name("arith").build();
        var lease = pool.get(Duration.ofSeconds(5))) {
      CompletableFuture<byte[]> later = lease.callAsync("Arith.Mul", bytes("{\"A\": 6, \"B\": 7}"));
      System.out.println("7 * 8 = " + text(lease.call("Arith.Mul", bytes("{\"A\": 7, \"B\": 8}"))));
      System.out.println("6 * 7 = " + text(later.get()));
      try {
        lease.call("Arith.Div", bytes("{\"A\": 1, \"B\": 0}"));
      } catch (PoolRemoteException e) {
        System.out.println("1 / 0: " + e.getMessage());
      }
    }
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String text(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
