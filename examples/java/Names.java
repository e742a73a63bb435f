// SPDX-License-Identifier: MIT
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import libpool.Lease;
import libpool.Pool;

/** Twenty clients ask a server over three connections. Run it with {@code java -cp libpool.jar Names.java}. */
public class Names {
  /** One connection: a line is sent, a line comes back. */
  record Line(Socket socket, PrintWriter out, BufferedReader in) implements AutoCloseable {
    static Line open(int port) throws IOException {
      Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
      return new Line(
          socket,
          new PrintWriter(socket.getOutputStream(), true),
          new BufferedReader(new InputStreamReader(socket.getInputStream())));
    }

    String ask(String question) throws IOException {
      out.println(question);
      return in.readLine();
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }

  public static void main(String[] arguments) throws Exception {
    ExecutorService threads = Executors.newCachedThreadPool();
    try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Pool<Line, IOException> pool =
            Pool.builder(() -> Line.open(server.getLocalPort())).name("names").maxOpen(3).build()) {
      threads.submit(() -> serve(server, threads));
      List<Future<String>> answers = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        String name = "client " + i;
        answers.add(
            threads.submit(
                () -> {
                  try (Lease<Line> lease = pool.get(Duration.ofSeconds(5))) {
                    return lease.conn().ask(name);
                  }
                }));
      }
      for (int i = 0; i < 20; i++) {
        String answer = answers.get(i).get();
        if (!answer.equals("hello client " + i)) {
          throw new AssertionError(answer);
        }
      }
      System.out.println("java: 20 clients served by " + pool.stats().opened() + " connections");
    } finally {
      threads.shutdownNow();
    }
  }

  private static Void serve(ServerSocket server, ExecutorService threads) throws IOException {
    for (; ; ) {
      Socket socket = server.accept();
      threads.submit(
          () -> {
            try (socket;
                PrintWriter out = new PrintWriter(socket.getOutputStream(), true);
                BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream()))) {
              for (String line; (line = in.readLine()) != null; ) {
                Thread.sleep(10); // so that the three are wanted at one time
                out.println("hello " + line);
              }
            }
            return null;
          });
    }
  }
}
