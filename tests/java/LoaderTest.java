// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.ref.WeakReference;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Applications that each have the jar in a class loader of their own, as in a server, come and go. */
class LoaderTest {
  private static URLClassLoader loader() {
    URL[] urls =
        Stream.of(Pool.class, LoaderTest.class)
            .map(type -> type.getProtectionDomain().getCodeSource().getLocation())
            .toArray(URL[]::new);
    return new URLClassLoader(urls, ClassLoader.getPlatformClassLoader());
  }

  /** In a frame of its own, so that nothing here refers to the application after it. */
  private static WeakReference<ClassLoader> runAndStop(String what) throws Exception {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    URLClassLoader loader = loader();
    thread.setContextClassLoader(loader);
    try (loader) {
      Class<?> application = loader.loadClass("libpool.Kept");
      application.getMethod(what).invoke(null);
      application.getMethod("close").invoke(null);
    } finally {
      thread.setContextClassLoader(before);
    }
    return new WeakReference<>(loader);
  }

  private static void isUnloaded(String what) throws Exception {
    WeakReference<ClassLoader> loader = runAndStop(what);
    Fakes.until(
        () -> {
          System.gc();
          return loader.get() == null;
        });
    assertNull(loader.get());
  }

  @Test
  void aClosedPoolKeepsNoClassLoader() throws Exception {
    isUnloaded("aPool");
  }

  @Test
  void aPoolWhoseLastConnectionComesBackAfterTheCloseKeepsNoClassLoader() throws Exception {
    isUnloaded("aPoolWithLeases");
  }

  @Test
  void aClosedGroupKeepsNoClassLoader() throws Exception {
    isUnloaded("aGroup");
  }

  /** Where leaks are looked for, and the application still has the connection that it has leaked. */
  @Test
  void aClosedDataSourceWhoseConnectionWasLeakedKeepsNoClassLoader() throws Exception {
    isUnloaded("aDataSourceWithALeak");
  }

  @Test
  void aClosedDataSourceKeepsNoClassLoader() throws Exception {
    isUnloaded("aDataSource");
  }

  /** The library is in memory once, and looks for drivers where it was taken out of the jar first. */
  @Test
  void aClosedPoolOfADriverKeepsNoClassLoaderAndEachApplicationHasTheDriver() throws Exception {
    assertNotNull(Pool.version());
    try (RpcServer server = new RpcServer()) {
      System.setProperty("libpool.address", server.address());
      isUnloaded("aDriverPool");
      isUnloaded("aDriverPool");
    }
  }

  /** It waits for letters of all pools, not for the application that made the first. */
  @Test
  void theThreadOfDriversKnowsNothingOfItsFirstUserAndEndsWithTheLastPool() throws Exception {
    try (RpcServer server = new RpcServer()) {
      try (var one = DriverPool.open("jsonrpc", server.address());
          var lease = one.get()) {
        lease.call("Echo", new byte[] {'1'});
        Thread mail = mail();
        assertNotNull(mail);
        assertNull(mail.getContextClassLoader());
      }
      Fakes.until(() -> mail() == null);
      try (var another = DriverPool.open("jsonrpc", server.address());
          var lease = another.get()) {
        assertEquals(1, lease.call("Echo", new byte[] {'2'}).length);
      }
      Fakes.until(() -> mail() == null);
    }
  }

  @Test
  void whereTheLibraryCannotBeLoadedTheFirstErrorSaysWhyAndTheNextRepeatsIt() throws Exception {
    String before = System.setProperty("os.arch", "pdp11");
    try (URLClassLoader loader = loader()) {
      Method version = loader.loadClass("libpool.Pool").getMethod("version");
      for (int i = 0; i < 2; i++) {
        var failure = assertThrows(InvocationTargetException.class, () -> version.invoke(null));
        String text = failure.getCause() + " " + failure.getCause().getCause();
        assertTrue(text.contains("linux-pdp11") && text.contains("java.library.path"), text);
      }
    } finally {
      System.setProperty("os.arch", before);
    }
  }

  /** For a JVM of its own. */
  public static void main(String[] none) {
    for (int i = 0; i < 2; i++) {
      Error failure = assertThrows(Error.class, Pool::version);
      System.out.println(failure + " " + failure.getCause());
    }
  }

  /** Java has no path for the bytes of its name, and says so by an exception that is no IOException. */
  @Test
  void aTemporaryFolderOfWhichJavaCanMakeNoPathIsToldAsAnyOther() throws Exception {
    String command =
        String.format(
            "exec '%s/bin/java' -Djava.io.tmpdir=\"$(printf '/\\303\\274')\" -cp '%s' %s",
            System.getProperty("java.home"), System.getProperty("java.class.path"), LoaderTest.class.getName());
    ProcessBuilder builder = new ProcessBuilder("sh", "-c", command).redirectErrorStream(true);
    builder.environment().put("LC_ALL", "C");
    Process process = builder.start();
    List<String> lines = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    assertEquals(0, process.waitFor(), lines::toString);
    assertEquals(2, lines.stream().filter(line -> line.contains("java.library.path")).count(), lines::toString);
  }

  private static Thread mail() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("libpool-mail"))
        .findAny()
        .orElse(null);
  }
}
