// SPDX-License-Identifier: MIT
package libpool;

import java.io.FilterInputStream;
import java.io.FilterOutputStream;
import java.io.FilterReader;
import java.io.FilterWriter;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.Reader;
import java.io.Writer;
import java.sql.SQLException;

/** Streams of large objects: a driver's may read and write through the connection, for its next user, too. */
abstract class Streams {
  static InputStream of(ConnectionHandle handle, InputStream target) {
    return target == null ? null : new Input(handle, target);
  }

  static OutputStream of(ConnectionHandle handle, OutputStream target) {
    return target == null ? null : new Output(handle, target);
  }

  static Reader of(ConnectionHandle handle, Reader target) {
    return target == null ? null : new Characters(handle, target);
  }

  static Writer of(ConnectionHandle handle, Writer target) {
    return target == null ? null : new Text(handle, target);
  }

  private static void requireOpen(ConnectionHandle handle) throws IOException {
    try {
      handle.requireOpen();
    } catch (SQLException e) {
      throw new IOException(e.getMessage(), e);
    }
  }

  private static final class Input extends FilterInputStream {
    private final ConnectionHandle handle;

    Input(ConnectionHandle handle, InputStream target) {
      super(target);
      this.handle = handle;
    }

    @Override
    public int read() throws IOException {
      requireOpen(handle);
      return super.read();
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      requireOpen(handle);
      return super.read(bytes, offset, length);
    }

    @Override
    public long skip(long count) throws IOException {
      requireOpen(handle);
      return super.skip(count);
    }

    @Override
    public int available() throws IOException {
      requireOpen(handle);
      return super.available();
    }

    @Override
    public void mark(int limit) {
      if (!handle.isOver()) {
        super.mark(limit);
      }
    }

    @Override
    public void reset() throws IOException {
      requireOpen(handle);
      super.reset();
    }

    @Override
    public void close() throws IOException {
      if (!handle.isOver()) {
        super.close();
      }
    }
  }

  private static final class Output extends FilterOutputStream {
    private final ConnectionHandle handle;

    Output(ConnectionHandle handle, OutputStream target) {
      super(target);
      this.handle = handle;
    }

    @Override
    public void write(int value) throws IOException {
      requireOpen(handle);
      out.write(value);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      requireOpen(handle);
      out.write(bytes, offset, length);
    }

    @Override
    public void flush() throws IOException {
      requireOpen(handle);
      out.flush();
    }

    @Override
    public void close() throws IOException {
      if (!handle.isOver()) {
        out.close();
      }
    }
  }

  private static final class Characters extends FilterReader {
    private final ConnectionHandle handle;

    Characters(ConnectionHandle handle, Reader target) {
      super(target);
      this.handle = handle;
    }

    @Override
    public int read() throws IOException {
      requireOpen(handle);
      return super.read();
    }

    @Override
    public int read(char[] characters, int offset, int length) throws IOException {
      requireOpen(handle);
      return super.read(characters, offset, length);
    }

    @Override
    public long skip(long count) throws IOException {
      requireOpen(handle);
      return super.skip(count);
    }

    @Override
    public boolean ready() throws IOException {
      requireOpen(handle);
      return super.ready();
    }

    @Override
    public void mark(int limit) throws IOException {
      requireOpen(handle);
      super.mark(limit);
    }

    @Override
    public void reset() throws IOException {
      requireOpen(handle);
      super.reset();
    }

    @Override
    public void close() throws IOException {
      if (!handle.isOver()) {
        super.close();
      }
    }
  }

  private static final class Text extends FilterWriter {
    private final ConnectionHandle handle;

    Text(ConnectionHandle handle, Writer target) {
      super(target);
      this.handle = handle;
    }

    @Override
    public void write(int character) throws IOException {
      requireOpen(handle);
      super.write(character);
    }

    @Override
    public void write(char[] characters, int offset, int length) throws IOException {
      requireOpen(handle);
      super.write(characters, offset, length);
    }

    @Override
    public void write(String text, int offset, int length) throws IOException {
      requireOpen(handle);
      super.write(text, offset, length);
    }

    @Override
    public void flush() throws IOException {
      requireOpen(handle);
      super.flush();
    }

    @Override
    public void close() throws IOException {
      if (!handle.isOver()) {
        super.close();
      }
    }
  }
}
