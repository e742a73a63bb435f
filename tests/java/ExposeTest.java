// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What poolctl sees of a program in Java, {@link Exposed}, asked for as poolctl does. */
class ExposeTest {
  private static final String MINE = "1 lent, 1 idle, steerable";
  private static final Map<String, String> ALL = Map.of("mine", MINE, "served", MINE, "later", "0 lent, 0 idle, steerable");

  @TempDir Path runtime;
  private RpcServer server;

  @BeforeEach
  void startServer() throws Exception {
    server = new RpcServer();
  }

  @AfterEach
  void stopServer() throws Exception {
    server.close();
  }

  /** A process that plays a role, and the first line that it says. */
  private final class Player implements AutoCloseable {
    private final Process process;
    private final BufferedReader out;
    private final String said;

    /** It has so few descriptors that one may use them up. */
    Player(String role, String expose) throws IOException {
      List<String> command = new ArrayList<>(List.of("sh", "-c", "ulimit -n 256 && exec \"$0\" \"$@\""));
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(List.of("-Xcheck:jni", "-cp", System.getProperty("java.class.path"), "libpool.Exposed", role));
      command.add("jsonrpc://" + server.address());
      ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
      builder.environment().put("XDG_RUNTIME_DIR", runtime.toString());
      builder.environment().put("POOL_EXPOSE", expose);
      process = builder.start();
      out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
      said = out.readLine();
    }

    Path path() {
      return runtime.resolve("libpool").resolve(Long.toString(process.pid()));
    }

    JsonObject ask(String request) throws IOException {
      assertEquals("ready", said);
      try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
        channel.connect(UnixDomainSocketAddress.of(path()));
        channel.write(StandardCharsets.US_ASCII.encode(request + "\n"));
        var in = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
        return JsonParser.parseString(in.readLine()).getAsJsonObject();
      }
    }

    List<JsonObject> pools() throws IOException {
      List<JsonObject> pools = new ArrayList<>();
      for (JsonElement pool : ask("report").getAsJsonArray("pools")) {
        pools.add(pool.getAsJsonObject());
      }
      return pools;
    }

    /** To the only pool of the process. */
    void order(String what, String number) throws IOException {
      JsonObject answer = ask(what + " " + pools().get(0).get("id") + number);
      assertTrue(answer.get("ok").getAsBoolean(), answer::toString);
    }

    void say(String line) throws IOException {
      process.getOutputStream().write((line + "\n").getBytes(StandardCharsets.UTF_8));
      process.getOutputStream().flush();
    }

    /** What has to wait; returns when it does. */
    void demand(String... lines) throws Exception {
      for (String line : lines) {
        say(line);
      }
      while (pools().get(0).get("waiters").getAsJsonArray().size() < lines.length) {
        Thread.yield(); // and the process rests between its answers
      }
    }

    List<String> hear(int lines) throws IOException {
      List<String> heard = new ArrayList<>();
      while (heard.size() < lines) {
        heard.add(out.readLine());
      }
      return heard;
    }

    /** By their names. */
    Map<String, String> seen() throws IOException {
      Map<String, String> seen = new TreeMap<>();
      for (JsonObject pool : pools()) {
        String steerable = pool.get("steerable").getAsBoolean() ? ", steerable" : "";
        seen.put(pool.get("name").getAsString(), pool.get("leased") + " lent, " + pool.get("idle") + " idle" + steerable);
      }
      return seen;
    }

    @Override
    public void close() throws Exception {
      process.getOutputStream().close();
      assertEquals(0, process.waitFor());
    }
  }

  @Test
  void onePoolIsSeenAndNoOther() throws Exception {
    try (var mine = new Player("mine", "");
        var served = new Player("served", "")) {
      assertEquals(Map.of("mine", MINE), mine.seen());
      assertEquals(Map.of("served", MINE), served.seen());
    }
  }

  @Test
  void allPoolsAreSeenAndSteered() throws Exception {
    try (var player = new Player("all", "")) {
      assertEquals(ALL, player.seen());
      for (JsonObject pool : player.pools()) {
        JsonObject paused = player.ask("pause " + pool.get("id"));
        assertTrue(paused.get("ok").getAsBoolean(), paused::toString);
      }
      for (JsonObject pool : player.pools()) {
        assertEquals(1, pool.get("pauses").getAsInt(), pool::toString);
      }
    }
  }

  /** Threads that wait sleep until somebody wakes them, and nothing else happens in their program. */
  @Test
  void aProgramHearsOfWhatAnOperatorDoesToItsPool() throws Exception {
    try (var player = new Player("steered", "")) {
      player.order("pause", "");
      player.demand("get", "get");
      player.order("resume", "");
      assertEquals(List.of("got", "got"), player.hear(2));
      player.order("flush", "");
      assertEquals(List.of("closed in libpool-steered"), player.hear(1));
      player.order("pause", "");
      player.demand("get", "get");
      player.order("evict", "");
      assertEquals(List.of("PoolEvictedException", "PoolEvictedException"), player.hear(2));
      player.order("resume", "");
      player.say("hold");
      assertEquals(List.of("got"), player.hear(1));
      player.demand("get");
      player.order("resize", " 2");
      assertEquals(List.of("got"), player.hear(1));
    }
  }

  @Test
  void aBudgetIsHeardOnceThereAreDescriptorsAgain() throws Exception {
    try (var player = new Player("deaf", "")) {
      assertEquals("got", player.said);
    }
  }

  @Test
  void aDataSourceIsAsLargeAsAnOperatorMakesIt() throws Exception {
    try (var player = new Player("source", "")) {
      player.order("resize", " 2");
      player.say("go");
      assertEquals(List.of("up to 2", "2 lent"), player.hear(2));
      player.say("wait");
      assertEquals(List.of("up to 2"), player.hear(1));
      player.order("resize", " 3");
      assertEquals(List.of("3 lent"), player.hear(1));
    }
  }

  @Test
  void theEnvironmentExposesAllPools() throws Exception {
    try (var exposed = new Player("none", "1");
        var silent = new Player("none", "")) {
      assertEquals(ALL, exposed.seen());
      assertEquals("ready", silent.said);
      assertFalse(Files.exists(silent.path()));
    }
  }

  @Test
  void aFailureSaysWhatTheLibrarySays() throws Exception {
    for (var named : Map.of("full", "mine: ", "all, full", "").entrySet()) {
      try (var player = new Player(named.getKey(), "")) {
        String said = named.getValue() + "no socket for poolctl: Too many open files";
        assertEquals(CoreConstants.POOL_E_SYSTEM + " " + said, player.said);
      }
    }
  }
}
