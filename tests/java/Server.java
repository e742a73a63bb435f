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

/** A database server of our own: in a temporary folder, on a free port, as a user without rights. */
abstract class Server implements AutoCloseable {
  private final String user; // what root becomes, for the server refuses to run as root
  private Process server;

  final Path folder;
  final int port;

  Server(String user) throws IOException {
    this.user = user;
    folder = Files.createTempDirectory(user);
    if (isRoot()) {
      Files.setOwner(folder, folder.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName(user));
    }
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
  }

  private static boolean isRoot() {
    return System.getProperty("user.name").equals("root");
  }

  private Path log() {
    return folder.resolveSibling(folder.getFileName() + ".log");
  }

  /** Runs a program to its end. */
  final void run(String program, String... arguments) throws Exception {
    if (start(program, arguments).waitFor() != 0) {
      throw new IOException(program + " failed: " + Files.readString(log()));
    }
  }

  /** Runs the server, and waits until the program that asks it succeeds. */
  final void serve(List<String> command, List<String> question) throws Exception {
    server = start(command.get(0), command.subList(1, command.size()).toArray(String[]::new));
    Fakes.until(() -> succeeds(question));
  }

  private boolean succeeds(List<String> command) {
    try {
      return start(command.get(0), command.subList(1, command.size()).toArray(String[]::new)).waitFor() == 0;
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private Process start(String program, String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    if (isRoot()) {
      command.addAll(List.of("setpriv", "--reuid=" + user, "--regid=" + user, "--init-groups"));
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
    folders.add(Path.of("/usr/sbin"));
    for (Path each : folders) {
      if (Files.isExecutable(each.resolve(program))) {
        return each.resolve(program).toString();
      }
    }
    throw new IOException(program + " was not found (Debian: apt-get install postgresql mariadb-server)");
  }

  abstract String url();

  @Override
  public void close() throws Exception {
    if (server != null) {
      server.destroy();
      if (!server.waitFor(60, TimeUnit.SECONDS)) {
        server.destroyForcibly().waitFor();
      }
    }
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    }
    Files.deleteIfExists(log());
  }
}
