// SPDX-License-Identifier: MIT
package bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** Figures, shown as a table while they come in and written as JSON at the end. */
final class Report {
  private final List<String> figures = new ArrayList<>();
  private boolean missed;

  Report() {
    System.out.printf("%-44s %10s  %-16s %8s  %s%n", "name", "value", "unit", "bound", "met");
  }

  void only(String name, double value, String unit) {
    add(name, value, unit, "", "", "null", "null");
  }

  /** The median of a contender's rounds. */
  void rounds(String name, String contender, double median, double[] rounds) {
    String more =
        String.format(
            Locale.ROOT,
            ", \"case\": \"%s\", \"contender\": \"%s\", \"rounds\": %s}",
            name,
            contender,
            Arrays.toString(rounds));
    only(name + ": " + contender, median, "ns");
    String last = figures.remove(figures.size() - 1);
    figures.add(last.substring(0, last.length() - 1) + more);
  }

  void atMost(String name, double value, String unit, double limit) {
    boolean met = value <= limit;
    missed |= !met;
    String bound = String.format(Locale.ROOT, "<= %.3g", limit);
    add(name, value, unit, bound, met ? "yes" : "no", '"' + bound + '"', "" + met);
  }

  private void add(String name, double value, String unit, String bound, String met, String jsonBound, String jsonMet) {
    String shown = String.format(Locale.ROOT, value >= 10 ? "%.1f" : "%.3f", value);
    System.out.printf("%-44s %10s  %-16s %8s  %s%n", name, shown, unit, bound, met);
    figures.add(
        String.format(
            Locale.ROOT,
            "  {\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", \"bound\": %s, \"met\": %s}",
            name,
            value,
            unit,
            jsonBound,
            jsonMet));
  }

  boolean isMissed() {
    return missed;
  }

  void write(Path file) throws IOException {
    Files.writeString(file, "[\n" + String.join(",\n", figures) + "\n]\n");
  }
}
