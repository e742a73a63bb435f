// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which of the jar's libraries is for this JVM. */
class LibraryTest {
  @TempDir Path folder;

  private Path maps(String... libraries) throws Exception {
    StringBuilder text = new StringBuilder("00400000-00401000 r-xp 00000000 08:02 173521 /usr/bin/java\n");
    for (String library : libraries) {
      text.append("7f0000000000-7f0000001000 r-xp 00000000 08:02 1 ").append(library).append('\n');
    }
    text.append("7ffc00000000-7ffc00001000 rw-p 00000000 00:00 0 [stack]\n");
    return Files.writeString(folder.resolve("maps"), text);
  }

  @Test
  void theCLibraryOfTheJvmIsSeenByItsLoader() throws Exception {
    Path glibc = maps("/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2");
    assertEquals("linux-x86_64", Library.system("Linux", "amd64", glibc));
    assertEquals("linux-aarch64", Library.system("Linux", "aarch64", glibc));
    assertEquals("linux-x86_64-musl", Library.system("Linux", "amd64", maps("/lib/ld-musl-x86_64.so.1")));
    assertEquals("linux-aarch64-musl", Library.system("Linux", "aarch64", maps("/lib/ld-musl-aarch64.so.1")));
  }

  @Test
  void aFolderOfThatNameSaysNothing() throws Exception {
    assertEquals("linux-x86_64", Library.system("Linux", "amd64", maps("/srv/ld-musl-x/libc.so.6")));
  }

  @Test
  void whereNothingIsToldTheNameAlone() {
    assertEquals("mac_os_x-aarch64", Library.system("Mac OS X", "aarch64", folder.resolve("nothing")));
  }
}
