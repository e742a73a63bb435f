// SPDX-License-Identifier: MIT
package bench;

import javax.sql.DataSource;

/** Somebody who lends connections as a data source. */
abstract class OfSource extends Contender {
  private final String name;
  final DataSource source;

  OfSource(String name, DataSource source, boolean yields) {
    super(yields);
    this.name = name;
    this.source = source;
  }

  /** One of this type, with a loop for this source alone; the arguments are those of its constructor. */
  static Contender of(Class<? extends OfSource> type, Object... arguments) throws Exception {
    return (Contender) own(type).getDeclaredConstructors()[0].newInstance(arguments);
  }

  @Override
  final String name() {
    return name;
  }

  @Override
  public final void close() throws Exception {
    ((AutoCloseable) source).close();
  }
}
