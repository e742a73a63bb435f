// SPDX-License-Identifier: MIT
package libpool;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Texts on their way to C and back: UTF-8, to C with a zero byte at the end. */
final class Text {
  private Text() {}

  static byte[] bytes(String text) {
    if (text == null) {
      return null;
    }
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return Arrays.copyOf(bytes, bytes.length + 1);
  }

  /** What C has cut in the middle of a character ends in a replacement character. */
  static String string(byte[] bytes) {
    return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
  }
}
