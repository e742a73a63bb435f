// SPDX-License-Identifier: MIT
package libpool;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CodingErrorAction;
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

  /**
   * The text, unless it contains what C would take for its end.
   *
   * @param what it is
   */
  static String whole(String what, String text) {
    if (text.indexOf(0) >= 0) {
      throw new IllegalArgumentException(what + " contains a zero character");
    }
    return text;
  }

  /** What failed and why, in one line, which is cut to this many bytes, but not within a character. */
  static byte[] line(Throwable failure, int mostBytes) {
    CharBuffer text = CharBuffer.wrap(describe(failure).replaceAll("\\s+", " "));
    ByteBuffer line = ByteBuffer.allocate(mostBytes);
    StandardCharsets.UTF_8
        .newEncoder()
        .onMalformedInput(CodingErrorAction.REPLACE)
        .encode(text, line, true);
    return Arrays.copyOf(line.array(), line.position());
  }

  /** An exception may fail to say what it is. */
  private static String describe(Throwable failure) {
    try {
      return failure.toString();
    } catch (Throwable e) {
      return failure.getClass().getName();
    }
  }

  /** What C has cut in the middle of a character ends in a replacement character. */
  static String string(byte[] bytes) {
    return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
  }
}
