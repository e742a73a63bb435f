// SPDX-License-Identifier: MIT
package libpool;

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A PostgreSQL server of our own: in a temporary folder, on a free port, as a user without rights. */
final class Postgres implements AutoCloseable {
  private static final String USER = "postgres"; // what root becomes, for the server refuses to run as root

  private final Path folder = Files.createTempDirectory("postgres");
  private final int port;
  private final Process server;

  Postgres() throws Exception {
    if (isRoot()) {
      Files.setOwner(folder, folder.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName(USER));
    }
    Path data = folder.resolve("data");
    Process init = start("initdb", "-D", data.toString(), "-U", "test", "-A", "trust", "--no-sync");
    if (init.waitFor() != 0) {
      throw new IOException("initdb failed: " + Files.readString(log()));
    }
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    server =
        start("postgres", "-D", data.toString(), "-h", "127.0.0.1", "-p", "" + port, "-k", folder.toString(), "-F");
    Fakes.until(this::isReady);
  }

  private static boolean isRoot() {
    return System.getProperty("user.name").equals("root");
  }

  private Path log() {
    return folder.resolveSibling(folder.getFileName() + ".log");
  }

  private boolean isReady() {
    try {
      return start("pg_isready", "-q", "-h", "127.0.0.1", "-p", "" + port).waitFor() == 0;
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private Process start(String program, String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    if (isRoot()) {
      command.addAll(List.of("setpriv", "--reuid=" + USER, "--regid=" + USER, "--init-groups"));
    }
    command.add(find(program));
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command)
        .directory(folder.toFile())
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.appendTo(log().toFile()))
        .start();
  }

  /** Debian keeps the programs of a server out of the path. */
  private static String find(String program) throws IOException {
    List<Path> folders = new ArrayList<>();
    Path versions = Path.of("/usr/lib/postgresql");
    if (Files.isDirectory(versions)) {
      try (Stream<Path> all = Files.list(versions)) {
        all.sorted(Comparator.reverseOrder()).forEach(version -> folders.add(version.resolve("bin")));
      }
    }
    for (String each : System.getenv("PATH").split(File.pathSeparator)) {
      folders.add(Path.of(each));
    }
    for (Path each : folders) {
      if (Files.isExecutable(each.resolve(program))) {
        return each.resolve(program).toString();
      }
    }
    throw new IOException(program + " was not found (Debian: apt-get install postgresql)");
  }

  String url() {
    return "jdbc:postgresql://127.0.0.1:" + port + "/postgres?user=test";
  }

  int port() {
    return port;
  }

  @Override
  public void close() throws Exception {
    server.destroy();
    if (!server.waitFor(10, TimeUnit.SECONDS)) {
      server.destroyForcibly().waitFor();
    }
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    }
    Files.delete(log());
  }
}
