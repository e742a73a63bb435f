// SPDX-License-Identifier: MIT
package libpool;

import java.io.File;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.file.Files;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ThreadFactory;
import java.util.stream.Stream;

/** The threads of the tests: virtual ones where the property {@code libpool.virtual} asks for them. */
final class Threads {
  static final boolean VIRTUAL = Boolean.getBoolean("libpool.virtual");
  private static final ThreadFactory FACTORY = VIRTUAL ? virtualFactory() : Thread::new;

  private Threads() {}

  /** By its name, for this is compiled for a Java that has none. */
  private static ThreadFactory virtualFactory() {
    try {
      Class<?> builder = Class.forName("java.lang.Thread$Builder$OfVirtual");
      MethodHandles.Lookup lookup = MethodHandles.publicLookup();
      Object ofVirtual = lookup.findStatic(Thread.class, "ofVirtual", MethodType.methodType(builder)).invoke();
      return (ThreadFactory)
          lookup.findVirtual(builder, "factory", MethodType.methodType(ThreadFactory.class)).invoke(ofVirtual);
    } catch (Throwable e) {
      throw new IllegalStateException("this Java has no virtual threads", e);
    }
  }

  /** What a thread of its own is doing. */
  static final class Task<T> extends FutureTask<T> {
    private final Thread thread = FACTORY.newThread(this);

    private Task(Callable<T> body) {
      super(body);
    }

    void start() {
      thread.start();
    }

    void interrupt() {
      thread.interrupt();
    }
  }

  static <T> Task<T> prepare(Callable<T> body) {
    return new Task<>(body);
  }

  static <T> Task<T> begin(Callable<T> body) {
    Task<T> task = prepare(body);
    task.start();
    return task;
  }

  /** The threads of the system with this name, which is short, as their folders. */
  static Stream<File> named(String name) {
    return Stream.of(new File("/proc/self/task").listFiles()).filter(task -> read(task, "comm").equals(name + "\n"));
  }

  /** How often such a thread has gone to sleep. */
  static long sleepsOf(String name) {
    String status = read(named(name).findFirst().orElseThrow(), "status");
    return Long.parseLong(status.replaceAll("(?s).*\nvoluntary_ctxt_switches:\\s*(\\d+).*", "$1"));
  }

  /** Nothing where the thread has ended. */
  private static String read(File task, String file) {
    try {
      return Files.readString(task.toPath().resolve(file));
    } catch (IOException e) {
      return "";
    }
  }

  /** How many threads of the system this process has. */
  static int ofTheSystem() {
    String[] all = new File("/proc/self/task").list();
    if (all == null) {
      throw new IllegalStateException("/proc/self/task cannot be read");
    }
    return all.length;
  }
}
