// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What the flight recorder of the JDK is told. */
class FlightTest {
  private static final Recording RECORDING = new Recording();

  @BeforeAll
  static void record() {
    for (String name : List.of("Wait", "Open", "Timeout", "Leak")) {
      RECORDING.enable("libpool.Connection" + name).withoutThreshold();
    }
    RECORDING.start();
  }

  @AfterAll
  static void close() {
    RECORDING.close();
  }

  /** All of one kind and pool, in their order. */
  private static List<RecordedEvent> events(String kind, String pool) throws IOException {
    Path file = Files.createTempFile("libpool", ".jfr");
    try {
      RECORDING.dump(file);
      return RecordingFile.readAllEvents(file).stream()
          .filter(event -> event.getEventType().getName().equals("libpool.Connection" + kind))
          .filter(event -> event.getString("pool").equals(pool))
          .sorted((a, b) -> a.getStartTime().compareTo(b.getStartTime()))
          .toList();
    } finally {
      Files.delete(file);
    }
  }

  @Test
  void anOpenAndAWaitAreRecordedWithWhatTheyTook() throws Exception {
    GatedSource database = new GatedSource();
    try (PooledDataSource source = database.pool("shop", 1)) {
      database.shut();
      var first = GatedSource.get(source);
      Fakes.until(() -> source.getThreadsAwaitingConnection() == 1);
      double opening = database.secondsOfAnOpen();
      database.open();
      var one = GatedSource.take(first);
      var second = GatedSource.get(source);
      Fakes.until(() -> source.getThreadsAwaitingConnection() == 1);
      double waiting = GatedSource.seconds();
      one.close();
      GatedSource.take(second).close();
      source.getConnection().close(); // which does not wait

      assertEquals(1, events("Open", "shop").size());
      RecordedEvent open = events("Open", "shop").get(0);
      assertEquals(null, open.getString("failure"));
      assertTrue(seconds(open) >= opening);
      List<RecordedEvent> waits = events("Wait", "shop");
      assertEquals(List.of("lease", "lease"), waits.stream().map(wait -> wait.getString("outcome")).toList());
      assertTrue(seconds(waits.get(0)) >= opening);
      assertTrue(seconds(waits.get(1)) >= waiting);
    }
  }

  private static double seconds(RecordedEvent event) {
    return event.getDuration().toNanos() / 1e9;
  }

  @Test
  void aTimeoutIsRecordedWithItsMessage() throws Exception {
    Fakes fakes = new Fakes();
    try (var pool = fakes.builder().name("tight").maxOpen(1).build();
        var lease = pool.get()) {
      var timeout = assertThrows(PoolTimeoutException.class, () -> pool.get(Duration.ofMillis(20)), () -> "" + lease);
      RecordedEvent event = events("Timeout", "tight").get(0);
      assertEquals(timeout.getMessage(), event.getString("message"));
      List<RecordedEvent> waits = events("Wait", "tight");
      assertEquals("libpool.PoolTimeoutException", waits.get(waits.size() - 1).getString("outcome"));
    }
  }

  @Test
  void aFailedOpenIsRecordedWithTheClassOfItsFailure() throws Exception {
    Fakes fakes = new Fakes();
    try (var pool = fakes.builder().name("refused").maxOpen(1).build()) {
      fakes.failOpens(new IOException("the secret is 1234"));
      assertThrows(IOException.class, pool::get);
      RecordedEvent event = events("Open", "refused").get(0);
      assertEquals("java.io.IOException", event.getString("failure"));
    }
  }

  @Test
  void aLeakIsRecordedWithThePlaceOfItsGet() throws Exception {
    Fakes fakes = new Fakes();
    CountDownLatch told = new CountDownLatch(1);
    var builder = fakes.builder().name("leaky").leakAfter(Duration.ofMillis(300)).leakReport(leak -> told.countDown());
    try (var pool = builder.build();
        var lease = pool.get()) {
      told.await();
      RecordedEvent event = events("Leak", "leaky").get(0);
      assertEquals(false, event.getBoolean("lost"), () -> "" + lease);
      assertTrue(event.getString("where").contains("FlightTest.aLeakIsRecorded"), event.getString("where"));
    }
  }

  @Test
  void whatIsNotRecordedIsNotTold() throws Exception {
    RECORDING.disable("libpool.ConnectionOpen");
    try (var pool = new Fakes().builder().name("silent").build()) {
      pool.get().close();
    } finally {
      RECORDING.enable("libpool.ConnectionOpen").withoutThreshold();
    }
    assertEquals(List.of(), events("Open", "silent"));
  }
}
