// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The list of cases that is common to all languages; the property {@code libpool.scenarios} says where it is. */
class ScenariosTest {
  private static final Set<String> LANGUAGES = Set.of("go", "ruby", "java");
  private static final Set<String> NUMBERS = Set.of("cancellations", "workers", "waiters", "threads_at_most");

  @TestFactory
  List<DynamicTest> scenarios() throws Exception {
    String file = System.getProperty("libpool.scenarios");
    assertNotNull(file, "the property libpool.scenarios is not set");
    List<DynamicTest> tests = new ArrayList<>();
    try (Reader reader = Files.newBufferedReader(Path.of(file))) {
      for (JsonElement each : JsonParser.parseReader(reader).getAsJsonObject().getAsJsonArray("cases")) {
        JsonObject scenario = each.getAsJsonObject();
        if (concernsJava(scenario.getAsJsonArray("only"))) {
          tests.add(DynamicTest.dynamicTest(scenario.get("name").getAsString(), () -> run(scenario)));
        }
      }
    }
    assertFalse(tests.isEmpty(), "there are no cases");
    return tests;
  }

  private static boolean concernsJava(JsonArray only) {
    boolean concerned = only == null;
    for (int i = 0; !(only == null) && i < only.size(); i++) {
      String language = only.get(i).getAsString();
      assertTrue(LANGUAGES.contains(language), () -> "no such language: " + language);
      concerned |= language.equals("java");
    }
    return concerned;
  }

  private static void run(JsonObject scenario) throws Exception {
    Set<String> words = Set.of("name", "only", "pool", "steps", "refused", "says", "check");
    for (String word : scenario.keySet()) {
      assertTrue(words.contains(word) || (scenario.has("check") && NUMBERS.contains(word)), () -> "unknown: " + word);
    }
    if (scenario.has("check")) {
      new ScenarioChecks(scenario).run(scenario.get("check").getAsString());
    } else if (scenario.has("refused")) {
      JsonElement says = scenario.get("says");
      scenario.getAsJsonArray("refused").forEach(settings -> new Scenario().refuse(settings, says));
    } else {
      assertTrue(scenario.has("steps"), "there is nothing to do");
      new Scenario().run(scenario);
    }
  }
}
