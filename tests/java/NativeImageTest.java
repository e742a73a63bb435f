// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.lang.invoke.MethodType;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What a native image must be told: what C looks up, what is looked up by its name, and the libraries in the jar. */
class NativeImageTest {
  private static final String FOLDER = "/META-INF/native-image/example.libpool/libpool/";
  private static final Pattern CLASS = Pattern.compile("(?:FindClass\\(\\w+, |SWIG_Java\\w+, +)\"([^\"]+)\"");
  private static final Pattern METHOD = Pattern.compile("Get(?:Static)?MethodID\\([^\"]*\"([^\"]+)\",\\s*\"([^\"]+)\"");
  private static final Pattern LOOKUP = Pattern.compile("(?:FindClass|Get(?:Static)?(?:Method|Field)ID|GetObjectClass)\\(");

  private static JsonElement read(String name) throws IOException {
    try (InputStream in = Pool.class.getResourceAsStream(FOLDER + name)) {
      return JsonParser.parseReader(new InputStreamReader(in, StandardCharsets.UTF_8));
    }
  }

  private static String sources() throws IOException {
    StringBuilder all = new StringBuilder();
    for (String file : System.getProperty("libpool.native.sources").split(File.pathSeparator)) {
      all.append(Files.readString(Path.of(file)));
    }
    return all.toString();
  }

  private static List<String> all(Pattern pattern, String text) {
    List<String> found = new ArrayList<>();
    for (Matcher matcher = pattern.matcher(text); matcher.find(); ) {
      found.add(matcher.groupCount() == 0 ? "" : matcher.group(1) + (matcher.groupCount() > 1 ? matcher.group(2) : ""));
    }
    return found;
  }

  private static String signatureOf(JsonObject method) {
    StringBuilder signature = new StringBuilder(method.get("name").getAsString()).append('(');
    for (JsonElement type : method.getAsJsonArray("parameterTypes")) {
      signature.append(descriptorOf(type.getAsString()));
    }
    return signature.append(')').toString();
  }

  private static String descriptorOf(String type) {
    return switch (type) {
      case "int" -> "I";
      case "byte[]" -> "[B";
      default -> "L" + type.replace('.', '/') + ";";
    };
  }

  @Test
  void whatTheCodeInCLooksUpIsNamed() throws Exception {
    String sources = sources();
    Set<String> classes = new TreeSet<>();
    Set<String> methods = new TreeSet<>();
    for (JsonElement each : read("jni-config.json").getAsJsonArray()) {
      classes.add(each.getAsJsonObject().get("name").getAsString().replace('.', '/'));
      each.getAsJsonObject().getAsJsonArray("methods").forEach(method -> methods.add(signatureOf(method.getAsJsonObject())));
    }
    Set<String> found = new TreeSet<>(all(CLASS, sources));
    assertEquals(classes, found);
    List<String> called = all(METHOD, sources);
    assertEquals(List.of("of(I[B)"), called.stream().map(call -> call.substring(0, call.indexOf(')') + 1)).toList());
    assertTrue(methods.containsAll(List.of("of(I[B)", "<init>(Ljava/lang/String;)")), methods::toString);
    // one more FindClass is SWIG's, of its table: a lookup of another kind would have to be named, too
    assertEquals(called.size() + 2, all(LOOKUP, sources).size());
  }

  @Test
  void whatIsNamedExists() throws Exception {
    for (String name : List.of("jni-config.json", "reflect-config.json")) {
      for (JsonElement each : read(name).getAsJsonArray()) {
        check(each.getAsJsonObject());
      }
    }
  }

  private static void check(JsonObject config) throws Exception {
    String name = config.get("name").getAsString();
    if (name.startsWith("java.lang.Thread") && Runtime.version().feature() < 21) {
      return;
    }
    Class<?> type = Class.forName(name);
    if (!config.has("methods")) {
      return;
    }
    for (JsonElement each : config.getAsJsonArray("methods")) {
      String signature = signatureOf(each.getAsJsonObject());
      Class<?>[] types =
          MethodType.fromMethodDescriptorString(
                  signature.substring(signature.indexOf('(')) + "V", NativeImageTest.class.getClassLoader())
              .parameterArray();
      if (signature.startsWith("<init>")) {
        type.getDeclaredConstructor(types);
      } else {
        type.getDeclaredMethod(each.getAsJsonObject().get("name").getAsString(), types);
      }
    }
  }

  @Test
  void theLibrariesAreResources() throws Exception {
    JsonObject resources = read("resource-config.json").getAsJsonObject().getAsJsonObject("resources");
    String pattern = resources.getAsJsonArray("includes").get(0).getAsJsonObject().get("pattern").getAsString();
    for (String library : List.of("libpool.so.1", "libpooljni.so", "pool/drivers")) {
      assertTrue(("native/linux-x86_64/" + library).matches(pattern), library);
    }
  }
}
