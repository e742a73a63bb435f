// SPDX-License-Identifier: MIT
package libpool;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Sets properties of an object by their names. */
final class Bean {
  private static final Map<Class<?>, Function<String, Object>> FROM_TEXT =
      Map.ofEntries(
          Map.entry(String.class, text -> text),
          Map.entry(char[].class, String::toCharArray),
          Map.entry(int[].class, Bean::numbers),
          Map.entry(String[].class, Bean::texts),
          Map.entry(short.class, text -> Short.valueOf(text.trim())),
          Map.entry(Short.class, text -> Short.valueOf(text.trim())),
          Map.entry(int.class, text -> Integer.valueOf(text.trim())),
          Map.entry(Integer.class, text -> Integer.valueOf(text.trim())),
          Map.entry(long.class, text -> number(text.trim())),
          Map.entry(Long.class, text -> number(text.trim())),
          Map.entry(double.class, text -> Double.valueOf(text)),
          Map.entry(Double.class, text -> Double.valueOf(text)),
          Map.entry(boolean.class, text -> convertBoolean(text.trim())),
          Map.entry(Boolean.class, text -> convertBoolean(text.trim())));

  private static final Map<String, TimeUnit> UNITS =
      Map.of(
          "ms", TimeUnit.MILLISECONDS,
          "s", TimeUnit.SECONDS,
          "m", TimeUnit.MINUTES,
          "h", TimeUnit.HOURS,
          "d", TimeUnit.DAYS);

  private static final Pattern TIME = Pattern.compile("(\\d+)(ms|[smhd])");
  private static final Pattern FIELD = Pattern.compile("((?:\\\\.|[^\\\\,])*+)(,|$)");
  private static final Pattern ESCAPED = Pattern.compile("\\\\(.)");

  private final Object object;

  Bean(Object object) {
    this.object = object;
  }

  /**
   * Sets one property. From a text where its type is a simple one, a list of these, a constant of an enum, or an object whose
   * class the text names.
   *
   * @throws IllegalArgumentException if there is no such property or it cannot have this value
   */
  void set(String name, Object value) {
    Method setter = setter(name, value);
    try {
      setter.invoke(object, convert(setter.getParameterTypes()[0], value));
    } catch (SQLException e) {
      throw new IllegalArgumentException(refusal(name) + ": " + e.getMessage(), e.getCause());
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw new IllegalArgumentException(refusal(name) + ": " + e.getCause().getMessage(), e.getCause());
    } catch (IllegalAccessException | IllegalArgumentException e) {
      throw new IllegalArgumentException(refusal(name) + ": its type is " + setter.getParameterTypes()[0].getTypeName(), e);
    }
  }

  /** Without the value, which may be a password. */
  private String refusal(String name) {
    return "the property " + name + " of " + object.getClass().getSimpleName() + " cannot be set so";
  }

  /**
   * Of several the one that takes the value as it is, else one that takes a text or what can be made of it. The name is
   * written as in the class, or "url" for setURL.
   */
  private Method setter(String name, Object value) {
    String setter = name.isEmpty() ? name : "set" + Character.toUpperCase(name.charAt(0)) + name.substring(1);
    return Arrays.stream(object.getClass().getMethods())
        .filter(method -> method.getParameterCount() == 1 && !method.isBridge())
        .filter(method -> method.getName().equals(setter) || method.getName().equals("set" + name.toUpperCase(Locale.ROOT)))
        .min(
            Comparator.comparing((Method method) -> !fits(method.getParameterTypes()[0], value))
                .thenComparing(method -> !method.getName().equals(setter))
                .thenComparing(method -> !method.getParameterTypes()[0].isInstance(value))
                .thenComparing(method -> !FROM_TEXT.containsKey(method.getParameterTypes()[0])))
        .orElseThrow(
            () -> new IllegalArgumentException(object.getClass().getSimpleName() + " has no property " + name));
  }

  private static boolean fits(Class<?> type, Object value) {
    return type.isInstance(value) || FROM_TEXT.containsKey(type) || (value instanceof String && !type.isPrimitive());
  }

  private static Object convert(Class<?> type, Object value) throws SQLException {
    if (type.isInstance(value)) {
      return value;
    }
    Function<String, Object> fromText = FROM_TEXT.get(type);
    if (fromText != null) {
      return fromText.apply(value.toString());
    }
    if (!fits(type, value)) {
      throw new IllegalArgumentException("nothing becomes one of a " + value.getClass().getName());
    }
    return type.isEnum() ? constant(type, value.toString().trim()) : Source.instantiate(value.toString());
  }

  private static Object constant(Class<?> type, String name) {
    return Arrays.stream(type.getEnumConstants())
        .filter(each -> ((Enum<?>) each).name().equalsIgnoreCase(name))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("it has no constant of this name"));
  }

  /** With a unit it is a time, in milliseconds. */
  private static Long number(String text) {
    Matcher time = TIME.matcher(text);
    return time.matches() ? (Long) UNITS.get(time.group(2)).toMillis(Long.parseLong(time.group(1))) : Long.valueOf(text);
  }

  private static int[] numbers(String text) {
    return Arrays.stream(texts(text)).mapToInt(each -> Integer.parseInt(each.trim())).toArray();
  }

  /** Between commas; after a backslash a comma is one of the text. */
  private static String[] texts(String text) {
    List<String> texts = new ArrayList<>();
    Matcher field = FIELD.matcher(text);
    for (int at = 0; !text.isEmpty(); at = field.end()) {
      if (!field.find(at) || field.start() != at) {
        throw new IllegalArgumentException();
      }
      texts.add(ESCAPED.matcher(field.group(1)).replaceAll("$1"));
      if (field.end(2) == field.start(2)) {
        break;
      }
    }
    return texts.toArray(String[]::new);
  }

  private static Boolean convertBoolean(String text) {
    if (!text.equalsIgnoreCase("true") && !text.equalsIgnoreCase("false")) {
      throw new IllegalArgumentException("neither true nor false");
    }
    return Boolean.valueOf(text);
  }
}
