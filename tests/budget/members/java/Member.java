// SPDX-License-Identifier: MIT
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.sql.SQLException;
import libpool.PooledDataSource;

/** A process of a fleet in Java: Member HOST PORT USER BUDGET. It obeys as member.c does, with one pool, and no forks. */
final class Member {
  private final PooledDataSource source = new PooledDataSource();
  private final Object changed = new Object();
  private int wanted;
  private int started;

  private Member(String[] arguments) {
    source.setJdbcUrl("jdbc:postgresql://" + arguments[0] + ":" + arguments[1] + "/postgres?user=" + arguments[2]);
    source.setMaximumPoolSize(48);
    source.setMinimumIdle(0);
    source.setConnectionTimeout(60000);
    source.setBudget(arguments[3]);
    source.setCloseGrace(5000);
  }

  private void awaitTurn(int index) throws InterruptedException {
    synchronized (changed) {
      while (index >= wanted) {
        changed.wait();
      }
    }
  }

  private void run(int index) {
    for (; ; ) {
      try {
        awaitTurn(index);
        use();
      } catch (SQLException e) {
        continue; // the next get may succeed
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  private void use() throws SQLException {
    try (var connection = source.getConnection();
        var statement = connection.createStatement()) {
      statement.execute("select pg_sleep(0.1)");
    }
  }

  private void setUsers(int count) {
    synchronized (changed) {
      wanted = count;
      for (; started < count; started++) {
        int index = started;
        var thread = new Thread(() -> run(index));
        thread.setDaemon(true);
        thread.start();
      }
      changed.notifyAll();
    }
  }

  /** There is no pool before the first connection was asked for. */
  private String said() {
    var stats = source.stats();
    if (stats == null) {
      return "0 0 0 0 0";
    }
    return stats.open() + " " + stats.budgetGranted() + " " + stats.budgetShare() + " " + stats.budgetCutOff() + " "
        + stats.budgetLimit();
  }

  private String obey(String line) {
    String[] words = line.split(" ");
    if (words[0].equals("stats")) {
      return said();
    }
    setUsers(Integer.parseInt(words[2]));
    return "done";
  }

  public static void main(String[] arguments) throws IOException {
    var member = new Member(arguments);
    System.out.println("ready");
    var in = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = in.readLine()) != null; ) {
      System.out.println(member.obey(line));
    }
    member.setUsers(0);
    member.source.close();
  }
}
