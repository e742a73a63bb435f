// SPDX-License-Identifier: MIT
package libpool;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Loads the native library, once: from the jar by way of a temporary folder or, where the jar has none for this system
 * or it cannot be loaded from there, from {@code java.library.path}.
 */
final class Library {
  /** By the names that they look for each other. */
  private static final String CORE = "libpool.so.1";

  private static final String SHIM = "libpooljni.so";

  private static final String SYSTEM = system();

  /** Where it was loaded from; null where that is java.library.path. Kept: drivers are looked for there. */
  private static Path folder;

  static {
    loadOnce();
  }

  private Library() {}

  /** Returns when it is loaded. */
  static void load() {}

  private static void loadOnce() {
    Throwable why;
    try {
      loadFromJar();
      return;
    } catch (IOException | RuntimeException | LinkageError e) { // as where the folder's name is no path
      folder = null;
      why = e;
    }
    try {
      System.loadLibrary("pooljni");
    } catch (RuntimeException | UnsatisfiedLinkError e) { // the JVM repeats its text, and no more, where the class is needed again
      Error neither =
          new UnsatisfiedLinkError("the library cannot be loaded from the jar: " + why + ", nor otherwise: " + e.getMessage());
      neither.addSuppressed(why);
      throw neither;
    }
  }

  private static void loadFromJar() throws IOException {
    folder = Files.createTempDirectory("libpool").toAbsolutePath(); // System.load() takes no other
    folder.toFile().deleteOnExit();
    Path core = folder.resolve(CORE);
    Path shim = folder.resolve(SHIM);
    try {
      copy(CORE, core);
      copy(SHIM, shim);
      System.load(shim.toString()); // finds the core beside itself
    } finally { // what is loaded needs its name no longer
      Files.deleteIfExists(core);
      Files.deleteIfExists(shim);
    }
  }

  /** The same for all drivers that are in the jar: which of them a URL needs, the library finds out. */
  static void provideDrivers() {
    try (InputStream in = Library.class.getResourceAsStream("/native/" + SYSTEM + "/pool/drivers")) {
      if (in != null) {
        new String(in.readAllBytes(), StandardCharsets.US_ASCII).lines().forEach(Library::provideDriver);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("the list of drivers could not be read from the jar", e);
    }
  }

  /**
   * Where the library was loaded from, by the class loader that was the first to take it out of its jar: the system keeps one
   * library of a name. Null where it was installed, and then its drivers were, too.
   */
  private static @Nullable Path folderOfCore() {
    Path core = folder == null ? null : Path.of(Text.string(Mail.core()));
    return core == null || Files.exists(core) ? null : core.getParent();
  }

  /** Puts a driver that is in the jar where the library looks for it: in the folder `pool` beside itself. */
  static synchronized void provideDriver(String name) {
    String file = "pool/pool-" + name + ".so";
    boolean isName = name.matches("[A-Za-z0-9_-]+");
    Path folder = folderOfCore();
    if (folder == null || !isName || Library.class.getResource("/native/" + SYSTEM + "/" + file) == null) {
      return; // the library looks in its other places, and says where it did
    }
    Path driver = folder.resolve(file);
    if (Files.exists(driver)) {
      return;
    }
    try {
      Files.createDirectories(driver.getParent()).toFile().deleteOnExit();
      Path part = Files.createTempFile(driver.getParent(), name, ".part"); // another class loader may do the same
      copy(file, part);
      Files.move(part, driver, StandardCopyOption.ATOMIC_MOVE);
      driver.toFile().deleteOnExit();
    } catch (IOException e) {
      throw new UncheckedIOException("the driver " + name + " could not be taken out of the jar", e);
    }
  }

  private static void copy(String name, Path to) throws IOException {
    String resource = "/native/" + SYSTEM + "/" + name;
    try (InputStream in = Library.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw new IOException("the jar has no " + resource);
      }
      Files.copy(in, to, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  private static String system() {
    return system(System.getProperty("os.name"), System.getProperty("os.arch"), Path.of("/proc/self/maps"));
  }

  /** The folder in the jar. On Linux it depends on the C library of this JVM, whose loader is among what it has mapped. */
  static String system(String name, String machine, Path maps) {
    String processor = machine.toLowerCase(Locale.ROOT);
    String system = name.toLowerCase(Locale.ROOT).replace(' ', '_');
    return system + "-" + (processor.equals("amd64") ? "x86_64" : processor) + (hasMusl(maps) ? "-musl" : "");
  }

  private static boolean hasMusl(Path maps) {
    try (Stream<String> lines = Files.lines(maps, StandardCharsets.ISO_8859_1)) {
      return lines.anyMatch(line -> line.substring(line.lastIndexOf('/') + 1).startsWith("ld-musl-"));
    } catch (IOException | UncheckedIOException e) { // no Linux, or nothing is told here
      return false;
    }
  }
}
