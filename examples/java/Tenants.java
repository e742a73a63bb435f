// SPDX-License-Identifier: MIT

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import libpool.Group;

/**
 * Fifty tenants share four connections to a server of this program's own: a group has a pool for each, and one budget.
 * Run it with {@code java -cp libpool.jar Tenants.java}.
 */
public class Tenants {
  private static final AtomicInteger open = new AtomicInteger();
  private static final AtomicInteger most = new AtomicInteger();

  /** A connection of a tenant. */
  record Line(Socket socket, BufferedReader in, PrintStream out) implements AutoCloseable {
    static Line of(Socket socket) throws IOException {
      return new Line(
          socket,
          new BufferedReader(new InputStreamReader(socket.getInputStream())),
          new PrintStream(socket.getOutputStream(), true));
    }

    static Line dial(int port, String tenant) throws IOException {
      most.accumulateAndGet(open.incrementAndGet(), Math::max);
      Line line = of(new Socket("127.0.0.1", port));
      line.out.println(tenant);
      return line;
    }

    String ask(String question) throws IOException {
      out.println(question);
      return in.readLine();
    }

    @Override
    public void close() throws IOException {
      socket.close();
      open.decrementAndGet();
    }
  }

  /** A real server would look for the tenant's database. */
  static void serve(Line line) {
    try {
      String tenant = line.in.readLine();
      for (String asked; (asked = line.in.readLine()) != null; ) {
        line.out.println(tenant + ": " + asked);
      }
    } catch (IOException e) {
      // it has hung up
    }
  }

  static void accept(ServerSocket server) {
    try {
      while (true) {
        Line line = Line.of(server.accept());
        Thread thread = new Thread(() -> serve(line));
        thread.setDaemon(true);
        thread.start();
      }
    } catch (IOException e) {
      // the program ends
    }
  }

  static String ask(Group<Line, IOException> shop, String tenant) throws IOException, InterruptedException {
    try (var lease = shop.get(tenant)) {
      return lease.conn().ask("hello");
    }
  }

  static void greet(Group<Line, IOException> shop, String tenant) {
    try {
      String answer = ask(shop, tenant);
      if (!answer.equals(tenant + ": hello")) {
        throw new IllegalStateException("a wrong answer: " + answer);
      }
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  public static void main(String[] args) throws Exception {
    ServerSocket server = new ServerSocket(0);
    Thread acceptor = new Thread(() -> accept(server));
    acceptor.setDaemon(true);
    acceptor.start();
    Group<Line, IOException> shop =
        Group.<Line, IOException>builder(tenant -> Line.dial(server.getLocalPort(), tenant))
            .name("shop")
            .set("budget", "process:shop?limit=4")
            .keyIdle(Duration.ofMinutes(10))
            .build();
    try (shop) {
      var visitors = new ArrayList<Thread>();
      for (int i = 0; i < 5; i++) {
        int first = 10 * i;
        Thread visitor = new Thread(() -> {
          for (int n = 0; n < 20; n++) {
            greet(shop, "tenant" + (first + n) % 50);
          }
        });
        visitors.add(visitor);
        visitor.start();
      }
      for (Thread visitor : visitors) {
        visitor.join();
      }
      System.out.println("tenants: " + shop.stats().keys() + " keys, at most " + most + " connections");
    }
  }
}
