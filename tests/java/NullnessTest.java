// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.NullMarked;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What may be null is annotated, and nothing else is. */
class NullnessTest {
  private final PooledDataSource source = new PooledDataSource();

  private static List<Method> methods(String prefix, int parameters) {
    return Arrays.stream(PooledDataSource.class.getDeclaredMethods())
        .filter(method -> java.lang.reflect.Modifier.isPublic(method.getModifiers()) && !method.isBridge())
        .filter(method -> method.getName().startsWith(prefix) && method.getParameterCount() == parameters)
        .toList();
  }

  @Test
  void whatAPropertyIsBeforeItIsSet() throws Exception {
    assertTrue(PooledDataSource.class.getPackage().isAnnotationPresent(NullMarked.class));
    int seen = 0;
    for (Method getter : methods("get", 0)) {
      boolean isNull = !List.of("getConnection", "getParentLogger").contains(getter.getName()) && getter.invoke(source) == null;
      assertEquals(isNull, getter.getAnnotatedReturnType().isAnnotationPresent(Nullable.class), getter::getName);
      seen++;
    }
    assertTrue(seen > 30);
  }

  @Test
  void whatAPropertyMayBe() {
    for (Method setter : methods("set", 1)) {
      if (setter.getParameterTypes()[0].isPrimitive()) {
        continue;
      }
      Executable setNull = () -> setter.invoke(source, (Object) null);
      if (setter.getAnnotatedParameterTypes()[0].isAnnotationPresent(Nullable.class)) {
        assertDoesNotThrow(setNull, setter.getName());
      } else {
        Throwable refusal = assertThrows(InvocationTargetException.class, setNull, setter.getName()).getCause();
        assertInstanceOf(NullPointerException.class, refusal);
      }
    }
  }

  @Test
  void whatAPoolGives() throws Exception {
    assertTrue(Pool.class.getMethod("tryGet").getAnnotatedReturnType().isAnnotationPresent(Nullable.class));
    assertEquals(0, Pool.class.getMethod("get").getAnnotatedReturnType().getAnnotations().length);
  }
}
