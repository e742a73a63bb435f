// SPDX-License-Identifier: MIT
package libpool;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;

/**
 * The words of the library by which a connection is lent and put back. Where nothing is unusual a get and a put do what
 * pool_step_begin() and pool_step_end() do, without a call, as pool_view_t in pool/step.h says: one comparison decides, on
 * the word of the slot; then a look at the pool's attention tells whether the library is to be asked.
 *
 * <p>Shared: the words, with the library and all threads; the homes and the hints, without an order. What stands in a
 * home is a guess, which the comparison proves: whatever mixture of writes it holds, it names a slot of this pool or
 * none. A home is that of one thread, so a thread takes what it used last itself, and the library still knows which
 * thread has the connection. Two threads that meet in one home use the one beside it, or the library.
 *
 * <p>A thread may have no stack left for the next call. So nothing is called between the comparison and the return of
 * {@link #take} and {@link #give}, and all that they call was called once before.
 */
final class View {
  private static final VarHandle LONGS = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());
  private static final VarHandle INTS = MethodHandles.byteBufferViewVarHandle(int[].class, ByteOrder.nativeOrder());
  private static final int VERSION = CoreConstants.POOL_VIEW_VERSION;
  private static final int HOME_BITS = 5;
  private static final int HOME_LONGS = 16; // so that no two homes are on one line of a cache
  private static final int THREAD = 0; // in a home: whose it is
  private static final int NEXT = 1; // the lease that it guesses next
  private static final int ASKED = 2; // that lease and the tick at which its connection was asked about, by xor
  private static final long SCATTER = 0x9e3779b97f4a7c15L;
  private static final int HINT_BITS = 4;

  static {
    ByteBuffer word = ByteBuffer.allocateDirect(2 * Long.BYTES).order(ByteOrder.nativeOrder()).alignedSlice(Long.BYTES);
    swap(word, 0, 0, load(word, 0) + loadFixed(word, 0) + loadInt(word, 0) + Step.tick());
  }

  /** Where those that look for an idle connection look: the 64 bits of a block of slots. */
  private record Hint(long block, ByteBuffer bits) {}

  private final ByteBuffer slots;
  private final ByteBuffer attention;
  private final long slotMask;
  private final int slotBytes;
  private final long idle;
  private final long lent;
  private final long plain;
  private final long generation;
  private final long beyond;
  private final long untimed;
  private final int blockAt;
  private final int bitAt;
  private final long hintAt;
  private final int getStops;
  private final int getAsks;
  private final int putAsks;
  private final int putSays; // of the attention, what a put has to do with
  private final int wasTold; // of that, nothing to do
  private final int limits; // of getAsks, what is there because time limits what is lent
  private boolean trusts; // what the library said of these holds as long as the clock stands

  private final long[] homes = new long[HOME_LONGS << HOME_BITS]; // of each: see THREAD, NEXT and ASKED
  private Hint first; // that of the first 64 connections, and the only one of most pools; null: not used yet
  private final Hint[] hints = new Hint[1 << HINT_BITS]; // those that were used last, by their blocks
  private final Map<Long, Hint> allHints = new HashMap<>(); // guarded by this

  private View(ByteBuffer slots, long[] is) {
    this.slots = slots;
    attention = memory(is[2], Integer.BYTES);
    slotMask = is[3];
    slotBytes = (int) is[4];
    idle = is[5];
    lent = is[6];
    plain = is[7];
    generation = is[8];
    beyond = is[9];
    untimed = is[10];
    blockAt = (int) is[11];
    bitAt = (int) is[12];
    hintAt = is[13];
    getStops = (int) is[14];
    getAsks = (int) is[15];
    putAsks = (int) is[16];
    int waits = (int) is[17];
    int told = (int) is[18];
    putSays = putAsks | told | (int) is[19];
    wasTold = waits | told;
    limits = loadInt(attention, 0) & getAsks & ~getStops;
  }

  /** Null: the protocol is another, or the words are out of reach, and all is asked of the library. */
  static View of(long pool) {
    long[] is = new long[20];
    if (!Step.view(pool, is) || is[0] != VERSION) {
      return null;
    }
    long size = (is[3] + 1) * is[4];
    return size > Integer.MAX_VALUE ? null : new View(memory(is[1], (int) size), is);
  }

  private static ByteBuffer memory(long address, int size) {
    return Step.memory(address, size).order(ByteOrder.nativeOrder());
  }

  private static long load(ByteBuffer words, int at) {
    return (long) LONGS.getVolatile(words, at);
  }

  /** What stays as it is while a pool has the slot, so its order is of no interest; an ordered read costs more. */
  private static long loadFixed(ByteBuffer words, int at) {
    return (long) LONGS.get(words, at);
  }

  private static int loadInt(ByteBuffer words, int at) {
    return (int) INTS.getVolatile(words, at);
  }

  private static boolean swap(ByteBuffer words, int at, long old, long wanted) {
    return LONGS.compareAndSet(words, at, old, wanted);
  }

  private int wordAt(long lease) {
    return (int) (lease & slotMask) * slotBytes;
  }

  private long base(long lease) {
    return lease & ~slotMask;
  }

  /** A lease or word, one generation on. */
  private long following(long number) {
    return (number + generation) & ~beyond;
  }

  /** Where this thread's home is, or -1. */
  int home() {
    return home(Thread.currentThread().getId());
  }

  private int home(long thread) {
    int home = first(thread);
    if (homes[home + THREAD] != thread) {
      home ^= HOME_LONGS;
    }
    return homes[home + THREAD] == thread ? home : -1;
  }

  /** Where a thread's home is, if the place is not another's. */
  static int first(long thread) {
    return (int) (thread * SCATTER >>> (Long.SIZE - HOME_BITS)) * HOME_LONGS;
  }

  /**
   * Lends the slot that this thread used last, if it is idle and nobody else used it meanwhile; 0: not so, or the
   * library lends nothing now. Then {@link #asksWhether} the thread may keep it.
   *
   * @param home of this thread
   */
  long take(int home) {
    if (home < 0 || (loadInt(attention, 0) & getStops) != 0) {
      return 0;
    }
    long lease = homes[home + NEXT];
    long next = following(lease);
    if (!swap(slots, wordAt(lease), base(lease) + idle, base(lease) + lent)) {
      return 0;
    }
    homes[home + NEXT] = next;
    return lease;
  }

  /** Whether the library is to be asked if a lease that was taken by this home remains so. */
  boolean asksWhether(int home, long lease) {
    int asks = loadInt(attention, 0) & getAsks;
    return (lease & untimed) == 0 || (asks != 0 && (asks != limits || !wasAsked(home, lease)));
  }

  /**
   * Whether this thread has had this connection before in this tick of the clock, so that the library was asked: it would
   * look at the same clock and say the same. If not, it is asked now.
   */
  private boolean wasAsked(int home, long lease) {
    if (!trusts) {
      return false;
    }
    long tick = Step.tick();
    boolean was = homes[home + ASKED] == (tick ^ lease);
    homes[home + ASKED] = tick ^ following(lease);
    return was;
  }

  /** @param trusts whether all limits are long beside a tick, and a lease is no concern of anything but these */
  void trust(boolean trusts) {
    this.trusts = trusts;
  }

  /** This thread got a lease from the library: next time it looks for that slot first. */
  void expect(long lease) {
    long thread = Thread.currentThread().getId();
    int home = home(thread);
    if (home < 0) {
      home = first(thread);
      home = isLivedIn(home) ? home ^ HOME_LONGS : home;
      if (isLivedIn(home)) {
        return;
      }
    }
    homes[home + THREAD] = thread;
    homes[home + NEXT] = following(lease);
  }

  /** Whether the guess of a home could still come true. If not, its thread is gone, or loses nothing. */
  private boolean isLivedIn(int home) {
    long next = homes[home + NEXT];
    long word = load(slots, wordAt(next));
    return homes[home + THREAD] != 0 && (isAt(word, next) || isAt(following(word), next));
  }

  private boolean isAt(long word, long number) {
    return ((word ^ number) & (beyond - generation)) == 0;
  }

  /** Ends a lease, if nothing was noted of it. Then {@link #asksAfter} it. */
  boolean give(long lease) {
    return (lease & untimed) != 0 && swap(slots, wordAt(lease), base(lease) + plain, following(base(lease)) + idle);
  }

  /** Whether the library is to be asked after a put: somebody waits, say. */
  boolean asksAfter(long lease) {
    if (!isHinted(wordAt(lease))) {
      return true;
    }
    int now = loadInt(attention, 0); // not before
    return (now & putAsks) != 0 && (now & putSays) != wasTold;
  }

  /** Whether those that look for an idle connection look at this slot. */
  private boolean isHinted(int at) {
    long block = loadFixed(slots, at + blockAt);
    Hint hint = first; // a guess, so that the processor need not wait for the block
    if (hint == null || hint.block != block) {
      hint = hint(block);
    }
    return (load(hint.bits, 0) & loadFixed(slots, at + bitAt)) != 0;
  }

  private Hint hint(long block) {
    Hint hint = hints[(int) (block * SCATTER >>> (Long.SIZE - HINT_BITS))];
    return hint == null || hint.block != block ? find(block) : hint;
  }

  private synchronized Hint find(long block) {
    Hint hint = allHints.get(block);
    if (hint == null) {
      hint = new Hint(block, memory(block + hintAt, Long.BYTES));
      allHints.put(block, hint);
      first = first == null ? hint : first;
    }
    hints[(int) (block * SCATTER >>> (Long.SIZE - HINT_BITS))] = hint;
    return hint;
  }
}
