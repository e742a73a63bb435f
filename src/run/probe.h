/* SPDX-License-Identifier: MIT */
/*
 * Static probes: what happens in a pool, for bpftrace, perf, gdb and SystemTap, on a running program and without a
 * callback.  For instance, how long gets wait, by pool:
 *
 *   bpftrace -e 'usdt:./libpool.so.1:libpool:waited { @[str(arg1)] = hist(arg3); }' -p PID
 *
 * There is one for each POOL_EVENT_*, with the members of pool_event_t that this event fills in; the provider is
 * `libpool`.  The first argument is the pool, as a number that tells pools apart; `name` is its name, a string.  A
 * lease, a connection, a thread and a duration mean what they mean there.
 *
 * A probe that nobody watches is one nop.  Its arguments must be at hand already, for they are computed in any case:
 * nobody reads a clock for a probe.  `lent` and `returned` are on the fastest paths, where even the address of the name
 * would be a cost, so they have none.
 *
 * Without sys/sdt.h (Debian: systemtap-sdt-dev), or with POOL_PROBES=OFF in CMake, nothing is left of them.
 */
#ifndef PROBE_H
#define PROBE_H

/* Each stands where its event happens, on every path, while the pool is still the caller's. */
#define PROBE_OPENING(pool, connection)             PROBE3(opening, pool, PROBE_NAME(pool), connection)
#define PROBE_OPENED(pool, duration_ns, connection) PROBE4(opened, pool, PROBE_NAME(pool), duration_ns, connection)
#define PROBE_OPEN_FAILED(pool, code, message, connection)                                                             \
  PROBE5(open_failed, pool, PROBE_NAME(pool), code, message, connection)
#define PROBE_CLOSED(pool, reason, connection) PROBE4(closed, pool, PROBE_NAME(pool), reason, connection)
#define PROBE_LENT(pool, lease)                PROBE2(lent, pool, lease)
#define PROBE_RETURNED(pool, lease)            PROBE2(returned, pool, lease)
#define PROBE_WAITED(pool, lease, duration_ns, connection)                                                             \
  PROBE5(waited, pool, PROBE_NAME(pool), lease, duration_ns, connection)
#define PROBE_TIMED_OUT(pool, duration_ns)        PROBE3(timed_out, pool, PROBE_NAME(pool), duration_ns)
#define PROBE_OVERLOADED(pool, duration_ns)       PROBE3(overloaded, pool, PROBE_NAME(pool), duration_ns)
#define PROBE_CANCELLED(pool, duration_ns)        PROBE3(cancelled, pool, PROBE_NAME(pool), duration_ns)
#define PROBE_GET_FAILED(pool, duration_ns, code) PROBE4(get_failed, pool, PROBE_NAME(pool), duration_ns, code)
#define PROBE_LEAKED(pool, lease, thread, duration_ns, tag, connection)                                                \
  PROBE7(leaked, pool, PROBE_NAME(pool), lease, thread, duration_ns, tag, connection)
#define PROBE_LEAK_RETURNED(pool, lease, thread, duration_ns, tag, connection)                                         \
  PROBE7(leak_returned, pool, PROBE_NAME(pool), lease, thread, duration_ns, tag, connection)
#define PROBE_BREAKER_OPENED(pool, message) PROBE3(breaker_opened, pool, PROBE_NAME(pool), message)
#define PROBE_BREAKER_CLOSED(pool)          PROBE2(breaker_closed, pool, PROBE_NAME(pool))
#define PROBE_STARVED(pool)                 PROBE2(starved, pool, PROBE_NAME(pool))
#define PROBE_POOL_CREATED(pool)            PROBE2(pool_created, pool, PROBE_NAME(pool))
#define PROBE_POOL_FLUSHED(pool)            PROBE2(pool_flushed, pool, PROBE_NAME(pool))
#define PROBE_POOL_PAUSED(pool)             PROBE2(pool_paused, pool, PROBE_NAME(pool))
#define PROBE_POOL_RESUMED(pool)            PROBE2(pool_resumed, pool, PROBE_NAME(pool))
#define PROBE_POOL_RESIZED(pool, max_open)  PROBE3(pool_resized, pool, PROBE_NAME(pool), max_open)
#define PROBE_POOL_CLOSED(pool)             PROBE2(pool_closed, pool, PROBE_NAME(pool))
#define PROBE_WARNING(pool, message)        PROBE3(warning, pool, PROBE_NAME(pool), message)
#define PROBE_BUDGET_LOST(pool, message)    PROBE3(budget_lost, pool, PROBE_NAME(pool), message)
#define PROBE_BUDGET_FOUND(pool, message)   PROBE3(budget_found, pool, PROBE_NAME(pool), message)

#define PROBE_NAME(pool) ((const char *)(pool)->name)

#ifdef POOL_HAS_PROBES
#ifdef __clang__ /* sdt.h gives its variadic macros nothing, as only a newer C allows */
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif
#include <sys/sdt.h>
#define PROBE2(probe, a, b)                STAP_PROBE2(libpool, probe, a, b)
#define PROBE3(probe, a, b, c)             STAP_PROBE3(libpool, probe, a, b, c)
#define PROBE4(probe, a, b, c, d)          STAP_PROBE4(libpool, probe, a, b, c, d)
#define PROBE5(probe, a, b, c, d, e)       STAP_PROBE5(libpool, probe, a, b, c, d, e)
#define PROBE7(probe, a, b, c, d, e, f, g) STAP_PROBE7(libpool, probe, a, b, c, d, e, f, g)
#else
/* Not evaluated, but used: what was kept for a probe alone gives no warning. */
#define PROBE2(probe, a, b)       ((void)sizeof(a), (void)sizeof(b))
#define PROBE3(probe, a, b, c)    ((void)sizeof(a), (void)sizeof(b), (void)sizeof(c))
#define PROBE4(probe, a, b, c, d) ((void)sizeof(a), (void)sizeof(b), (void)sizeof(c), (void)sizeof(d))
#define PROBE5(probe, a, b, c, d, e)                                                                                   \
  ((void)sizeof(a), (void)sizeof(b), (void)sizeof(c), (void)sizeof(d), (void)sizeof(e))
#define PROBE7(probe, a, b, c, d, e, f, g)                                                                             \
  ((void)sizeof(a), (void)sizeof(b), (void)sizeof(c), (void)sizeof(d), (void)sizeof(e), (void)sizeof(f),               \
   (void)sizeof(g))
#endif

#endif
