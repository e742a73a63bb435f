// SPDX-License-Identifier: MIT
package libpool;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;

/** Sets properties of an object by their names. */
final class Bean {
  private static final Map<Class<?>, Function<String, Object>> FROM_TEXT =
      Map.ofEntries(
          Map.entry(String.class, text -> text),
          Map.entry(char[].class, String::toCharArray),
          Map.entry(short.class, text -> Short.valueOf(text.trim())),
          Map.entry(Short.class, text -> Short.valueOf(text.trim())),
          Map.entry(int.class, text -> Integer.valueOf(text.trim())),
          Map.entry(Integer.class, text -> Integer.valueOf(text.trim())),
          Map.entry(long.class, text -> Long.valueOf(text.trim())),
          Map.entry(Long.class, text -> Long.valueOf(text.trim())),
          Map.entry(boolean.class, text -> convertBoolean(text.trim())),
          Map.entry(Boolean.class, text -> convertBoolean(text.trim())));

  private final Object object;

  Bean(Object object) {
    this.object = object;
  }

  /**
   * Sets one property, from a text where its type is a simple one.
   *
   * @throws IllegalArgumentException if there is no such property or it cannot have this value
   */
  void set(String name, Object value) {
    Method setter = setter(name, value);
    try {
      setter.invoke(object, convert(setter.getParameterTypes()[0], value));
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw new IllegalArgumentException(refusal(name) + ": " + e.getCause().getMessage(), e.getCause());
    } catch (IllegalAccessException | IllegalArgumentException e) {
      throw new IllegalArgumentException(refusal(name) + ": its type is " + setter.getParameterTypes()[0].getName(), e);
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
        .filter(method -> method.getParameterCount() == 1)
        .filter(method -> method.getName().equals(setter) || method.getName().equals("set" + name.toUpperCase(Locale.ROOT)))
        .filter(method -> !method.isBridge() && fits(method.getParameterTypes()[0], value))
        .min(
            Comparator.comparing((Method method) -> !method.getName().equals(setter))
                .thenComparing(method -> !method.getParameterTypes()[0].isInstance(value)))
        .orElseThrow(
            () -> new IllegalArgumentException(object.getClass().getSimpleName() + " has no property " + name));
  }

  private static boolean fits(Class<?> type, Object value) {
    return type.isInstance(value) || FROM_TEXT.containsKey(type);
  }

  private static Object convert(Class<?> type, Object value) {
    return type.isInstance(value) ? value : FROM_TEXT.get(type).apply(value.toString());
  }

  private static Boolean convertBoolean(String text) {
    if (!text.equalsIgnoreCase("true") && !text.equalsIgnoreCase("false")) {
      throw new IllegalArgumentException("neither true nor false");
    }
    return Boolean.valueOf(text);
  }
}
