// SPDX-License-Identifier: MIT
package libpool;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A JSON-RPC server that behaves as badly as it is asked to. */
final class RpcServer implements AutoCloseable {
  private final ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final Collection<Socket> sockets = new ConcurrentLinkedQueue<>();
  private final CountDownLatch gate = new CountDownLatch(1);

  RpcServer() throws IOException {
    threads.submit(this::accept);
  }

  String address() {
    return "127.0.0.1:" + listener.getLocalPort();
  }

  /** Calls that hang are answered. */
  void letGo() {
    gate.countDown();
  }

  private Void accept() throws IOException {
    for (; ; ) {
      Socket socket = listener.accept();
      sockets.add(socket);
      threads.submit(() -> serve(socket));
    }
  }

  private Void serve(Socket socket) throws Exception {
    try (socket;
        BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line; (line = in.readLine()) != null; ) {
        JsonObject request = JsonParser.parseString(line).getAsJsonObject();
        threads.submit(() -> answer(socket, request));
      }
    }
    return null;
  }

  private Void answer(Socket socket, JsonObject request) throws Exception {
    String id = request.get("id").toString();
    switch (request.get("method").getAsString()) {
      case "Echo" -> say(
          socket, "{\"id\":" + id + ",\"result\":" + request.getAsJsonArray("params").get(0) + ",\"error\":null}");
      case "Refuse" -> say(socket, "{\"id\":" + id + ",\"result\":null,\"error\":\"not for you: \u00e4\"}");
      case "Hang" -> {
        gate.await();
        say(socket, "{\"id\":" + id + ",\"result\":1,\"error\":null}");
      }
      case "Die" -> socket.close();
      default -> say(socket, "this is no JSON");
    }
    return null;
  }

  private static void say(Socket socket, String line) throws IOException {
    OutputStream out = socket.getOutputStream();
    synchronized (out) {
      out.write((line + "\n").getBytes(StandardCharsets.UTF_8));
    }
  }

  @Override
  public void close() throws IOException {
    threads.shutdownNow();
    listener.close();
    for (Socket socket : sockets) {
      socket.close();
    }
  }
}
