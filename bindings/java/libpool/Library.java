// SPDX-License-Identifier: MIT
package libpool;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Loads the native library, once: from the jar by way of a temporary folder or, where the jar has none for this system
 * or it cannot be loaded from there, from {@code java.library.path}.
 */
final class Library {
  /** By the names that they look for each other. */
  private static final String CORE = "libpool.so.1";

  private static final String SHIM = "libpooljni.so";

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
    } catch (IOException | UnsatisfiedLinkError e) {
      why = e;
    }
    try {
      System.loadLibrary("pooljni");
    } catch (UnsatisfiedLinkError e) {
      e.addSuppressed(why);
      throw e;
    }
  }

  private static void loadFromJar() throws IOException {
    Path folder = Files.createTempDirectory("libpool");
    Path core = folder.resolve(CORE);
    Path shim = folder.resolve(SHIM);
    try {
      copy(CORE, core);
      copy(SHIM, shim);
      System.load(shim.toString()); // finds the core beside itself
    } finally { // what is loaded needs its name no longer
      Files.deleteIfExists(core);
      Files.deleteIfExists(shim);
      Files.deleteIfExists(folder);
    }
  }

  private static void copy(String name, Path to) throws IOException {
    String resource = "/native/" + system() + "/" + name;
    try (InputStream in = Library.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw new IOException("the jar has no " + resource);
      }
      Files.copy(in, to);
    }
  }

  private static String system() {
    String name = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String machine = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
    return name.replace(' ', '_') + "-" + (machine.equals("amd64") ? "x86_64" : machine);
  }
}
