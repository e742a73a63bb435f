/* SPDX-License-Identifier: MIT */
/*
 * The driver "jsonrpc": calls to servers that speak the protocol of Go's package net/rpc/jsonrpc, over TCP or Unix
 * sockets.
 *
 * Addresses.  HOST:PORT, [IPV6]:PORT or unix:/PATH, each optionally followed by ?max_reply_bytes=N: a reply that is
 * larger than N bytes, envelope included, breaks the connection.  Without it the limit is 64 MiB (67108864).  A path
 * cannot contain '?'.  A name is looked up in a thread of its own, since the system's resolver knows no deadline.
 *
 * Arguments and replies.  `args` is the text of one JSON value, or empty for null.  The reply is the text of the result
 * as the server sent it, byte for byte, so that a number loses nothing that JSON can say.  POOL_E_REMOTE comes with the
 * server's error: the string, or if it is no string, its JSON text.
 *
 * Both are checked to be JSON while they come in, without a tree of them, so a text costs no more than its bytes: a
 * reply is held once in the stream and once more for the caller.  Brackets may be nested 2048 deep.  Between two pieces
 * of a text the reader looks at its deadline, and the poller at other connections.
 *
 * Without memory a call ends with POOL_E_NOMEM, and the connection stays good: a reply that there is no room for is
 * skipped, byte by byte, and what the server sends after it is understood.
 *
 * Shared.  A connection is used by any number of threads: callers, and the poller.
 *   - `lock` guards everything in it except what is said below.  It is held for moments, never during a system call
 *     that may wait and never during a callback.
 *   - Who has set `writing` is the writer, and sends one request as a whole.
 *   - Who has set `reading` is the reader: it alone receives, and owns `stream`.
 *   - `descriptor` never changes, and is closed with the last reference, so a number that the system gives out again is
 *     never taken for the connection's.
 * The poller's lock guards what callers leave for the poller.  It may be taken while a connection's lock is held, never
 * the other way round.
 *
 * Who reads.  A call that waits for its reply (a sync call) becomes the reader if there is none, and delivers the
 * replies of others too, until its own is there; the others sleep.  So a program that only uses pool_call() has no
 * thread of the driver, except while a name is looked up.  For calls that nobody waits for (async calls) there is one
 * poller thread in the process, started with the first of them.  It becomes the reader of connections that have async
 * calls under way and no sync call that could read, keeps the deadlines of async calls, and runs all of their
 * callbacks.
 *
 * No reply is left lying.  Whoever stops being the reader, or leaves while there is none, offers the role (offer_role):
 * to a sync call that sleeps, else to a writer that is stuck, else to the poller.  Whoever it is offered to and does
 * not want it any more offers it again.
 *
 * Writers cannot deadlock with a server that itself waits for us to read: a writer that is stuck becomes the reader
 * meanwhile if there is none.  Otherwise it sleeps where an offer can wake it.
 *
 * A call is in the connection's table from before it is sent until its end.  Whoever takes it out ends it, so it ends
 * once: the reader with a reply, the caller or the poller at the deadline, or whoever breaks the connection.
 *
 * Callbacks.  Only the poller runs them, without any lock and without being anybody's reader: a callback may call,
 * wait, put and close.  The last pool_call_done() of a connection may close it from within; the reference of the
 * poller, and of anybody else who is still in a function here, keeps the memory until the last of them is out.
 *
 * Fork.  The child's connections are abandoned by the pool, and nobody there looks at them again.  The poller does not
 * exist in the child; its state is made anew there, so that the child's first async call starts a poller of its own.
 */
#include <pool/driver.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "frame.h"

#define REPLY_LIMIT   ((size_t)64 * 1024 * 1024)
#define BUCKETS_FIRST 16u

/* After so many bytes the reader looks at the clock, and the poller at other connections. */
#define RECEIVE_MOST ((size_t)256 * 1024)
#define CHECK_MOST   ((size_t)256 * 1024)

/* The context: an address that was understood. */
struct address {
  bool is_unix;
  char host[256];
  char port[6];
  char path[sizeof((struct sockaddr_un *)0)->sun_path];
  size_t limit;
};

/* A call under way. */
struct pending {
  uint64_t id;
  int64_t deadline_ns;
  struct pending *next_of_bucket;
  int code; /* how it ended */
  pool_bytes_t reply;
  pool_call_t *call; /* async: the library's name for it; NULL: somebody waits */

  /* sync: on the stack of who waits */
  bool done;
  pthread_cond_t changed; /* done, or the role of the reader is free */

  /* async: neighbours by deadline; sync: among the sleepers */
  struct pending *previous;
  struct pending *next;
  bool sending; /* async: its sender keeps the deadline until it is sent */
};

struct pending_list {
  struct pending *first;
  struct pending *last;
};

struct connection {
  int descriptor;
  _Atomic int references;
  pthread_mutex_t lock;

  bool reading;
  struct frame_stream stream;
  struct pending_list sleepers; /* sync calls that wait without being the reader */

  bool writing;
  pthread_cond_t writable; /* the turn to write is free, or the connection is broken */
  bool stuck;              /* the writer waits without being the reader */
  int unstick;             /* an eventfd that wakes it; -1 before the first time */

  uint64_t last_id;
  struct pending **buckets;
  size_t bucket_count; /* a power of two */
  size_t pending_count;
  struct pending_list async; /* by deadline */

  bool broken;
  int native;
  char why[160];

  /* of the poller: */
  bool watched; /* under the poller's lock */
  struct connection *next_watched;
  bool held; /* the poller is the reader */
};

/* What became of one attempt to wait or to send. */
enum outcome { OK, EXPIRED, FAILED };

/* ---- errors and time ---- */

static __attribute__((format(printf, 4, 5))) int fail(pool_error_t *error, int code, int native, const char *format,
                                                      ...)
{
  va_list arguments;
  va_start(arguments, format);
  error->code = code;
  error->native = native;
  vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  return code;
}

/* How much of a text can be shown in so many bytes without half a character at the end. */
static int whole_characters(const char *text, size_t size, size_t most)
{
  if (size <= most)
    return (int)size;
  while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
    most--;
  return (int)most;
}

static int64_t clock_now(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool is_past(int64_t deadline_ns)
{
  return deadline_ns != POOL_NO_DEADLINE && clock_now() >= deadline_ns;
}

/* For poll(); rounded up, for who wakes too early would go round without sleeping. */
static int poll_timeout(int64_t deadline_ns)
{
  if (deadline_ns == POOL_NO_DEADLINE)
    return -1;
  int64_t left_ns = deadline_ns - clock_now();
  int64_t left_ms = left_ns > 0 ? (left_ns - 1) / 1000000 + 1 : 0;
  return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

static struct timespec timespec_of(int64_t deadline_ns)
{
  int64_t seconds = deadline_ns / 1000000000;
  if (sizeof(time_t) < sizeof seconds && seconds > INT32_MAX)
    seconds = INT32_MAX; /* the last moment of a time_t of 32 bits: too early is no harm */
  return (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)(deadline_ns % 1000000000)};
}

/* Waits under a lock.  False when the deadline has passed. */
static bool wait_changed(pthread_cond_t *changed, pthread_mutex_t *lock, int64_t deadline_ns)
{
  if (deadline_ns == POOL_NO_DEADLINE)
    return pthread_cond_wait(changed, lock) == 0;
  struct timespec until = timespec_of(deadline_ns);
  return pthread_cond_timedwait(changed, lock, &until) != ETIMEDOUT || !is_past(deadline_ns);
}

static void condition_init(pthread_cond_t *condition)
{
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
}

/* Waits for an event of one descriptor. */
static enum outcome wait_ready(int descriptor, short events, int64_t deadline_ns)
{
  struct pollfd set = {.fd = descriptor, .events = events};
  for (;;) {
    int ready = poll(&set, 1, poll_timeout(deadline_ns));
    if (ready > 0)
      return OK;
    if (ready < 0 && errno != EINTR)
      return FAILED;
    if (is_past(deadline_ns))
      return EXPIRED;
  }
}

/* ---- calls in a connection's table: all of these under its lock ---- */

static void list_append_after(struct pending_list *list, struct pending *before, struct pending *pending)
{
  pending->previous = before;
  pending->next = before ? before->next : list->first;
  *(pending->next ? &pending->next->previous : &list->last) = pending;
  *(before ? &before->next : &list->first) = pending;
}

static void list_remove(struct pending_list *list, struct pending *pending)
{
  *(pending->previous ? &pending->previous->next : &list->first) = pending->next;
  *(pending->next ? &pending->next->previous : &list->last) = pending->previous;
  pending->previous = pending->next = NULL;
}

/* Deadlines of one pool's calls come nearly in order, so this looks at few. */
static void async_insert(struct pending_list *list, struct pending *pending)
{
  struct pending *before = list->last;
  while (before && before->deadline_ns > pending->deadline_ns)
    before = before->previous;
  list_append_after(list, before, pending);
}

static struct pending **bucket_of(struct connection *connection, uint64_t id)
{
  return &connection->buckets[id & (connection->bucket_count - 1)];
}

/* More buckets, before there are many calls in each.  False without memory; that only costs time, except the first
 * time. */
static bool table_grow(struct connection *connection)
{
  size_t old_count = connection->bucket_count;
  struct pending **old = connection->buckets;
  size_t count = old_count ? old_count * 2 : BUCKETS_FIRST;
  struct pending **buckets = calloc(count, sizeof(struct pending *));
  if (!buckets)
    return false;
  connection->buckets = buckets;
  connection->bucket_count = count;
  for (size_t i = 0; i < old_count; i++)
    for (struct pending *pending = old[i], *next; pending; pending = next) {
      next = pending->next_of_bucket;
      struct pending **bucket = bucket_of(connection, pending->id);
      pending->next_of_bucket = *bucket;
      *bucket = pending;
    }
  free(old);
  return true;
}

static bool table_add(struct connection *connection, struct pending *pending)
{
  if (connection->pending_count >= connection->bucket_count && !table_grow(connection) && !connection->buckets)
    return false;
  pending->id = ++connection->last_id;
  struct pending **bucket = bucket_of(connection, pending->id);
  pending->next_of_bucket = *bucket;
  *bucket = pending;
  connection->pending_count++;
  if (pending->call)
    async_insert(&connection->async, pending);
  return true;
}

static struct pending *table_find(struct connection *connection, uint64_t id)
{
  struct pending *pending = *bucket_of(connection, id);
  while (pending && pending->id != id)
    pending = pending->next_of_bucket;
  return pending;
}

static void table_remove(struct connection *connection, struct pending *pending)
{
  struct pending **link = bucket_of(connection, pending->id);
  while (*link != pending)
    link = &(*link)->next_of_bucket;
  *link = pending->next_of_bucket;
  connection->pending_count--;
  if (pending->call)
    list_remove(&connection->async, pending);
}

static struct pending *table_any(struct connection *connection)
{
  for (size_t i = 0; i < connection->bucket_count; i++)
    if (connection->buckets[i])
      return connection->buckets[i];
  return NULL;
}

/* ---- what callers leave for the poller ---- */

static struct {
  pthread_mutex_t lock;
  bool started;
  bool signalled;   /* there is something to look at */
  bool asleep;      /* it needs a byte in the pipe to wake */
  int64_t until_ns; /* how long it sleeps; while it is awake, POOL_NO_DEADLINE, so that no new deadline is overlooked */
  int wake[2];
  struct connection *incoming; /* to be watched */
  struct pending *finished;    /* whose callbacks are due, in order */
  struct pending **finished_end;
  unsigned forks; /* the poller of another count is gone */
} poller = {.lock = PTHREAD_MUTEX_INITIALIZER, .until_ns = POOL_NO_DEADLINE, .finished_end = &poller.finished};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* In the child, where the locks may be in any state and the poller is missing. */
static void after_fork_in_child(void)
{
  if (poller.started) {
    close(poller.wake[0]);
    close(poller.wake[1]);
  }
  pthread_mutex_init(&poller.lock, NULL);
  poller.started = poller.signalled = poller.asleep = false;
  poller.until_ns = POOL_NO_DEADLINE;
  poller.incoming = NULL;
  poller.finished = NULL;
  poller.finished_end = &poller.finished;
  poller.forks++;
}

static void watch_forks(void)
{
  pthread_atfork(NULL, NULL, after_fork_in_child);
}

/* Under the poller's lock. */
static void wake_locked(void)
{
  if (!poller.signalled && poller.asleep) {
    ssize_t written = write(poller.wake[1], "", 1);
    (void)written; /* a pipe that is full wakes as well */
  }
  poller.signalled = true;
}

static void poller_wake(void)
{
  pthread_mutex_lock(&poller.lock);
  wake_locked();
  pthread_mutex_unlock(&poller.lock);
}

/* The connection has async calls under way, one of them new with this deadline. */
static void poller_watch(struct connection *connection, int64_t deadline_ns)
{
  pthread_mutex_lock(&poller.lock);
  if (!connection->watched) {
    connection->watched = true;
    atomic_fetch_add(&connection->references, 1);
    connection->next_watched = poller.incoming;
    poller.incoming = connection;
    wake_locked();
  } else if (deadline_ns < poller.until_ns) {
    wake_locked();
  }
  pthread_mutex_unlock(&poller.lock);
}

static void poller_finish(struct pending *pending)
{
  pending->next = NULL;
  pthread_mutex_lock(&poller.lock);
  *poller.finished_end = pending;
  poller.finished_end = &pending->next;
  wake_locked();
  pthread_mutex_unlock(&poller.lock);
}

/* ---- ends of calls and connections ---- */

static void release(struct connection *connection)
{
  if (atomic_fetch_sub(&connection->references, 1) > 1)
    return;
  close(connection->descriptor);
  if (connection->unstick >= 0)
    close(connection->unstick);
  frame_free(&connection->stream);
  pthread_cond_destroy(&connection->writable);
  pthread_mutex_destroy(&connection->lock);
  free(connection->buckets);
  free(connection);
}

/* Under the lock: ends a call that is in the table. */
static void end_call(struct connection *connection, struct pending *pending, int code, pool_bytes_t reply)
{
  table_remove(connection, pending);
  pending->code = code;
  pending->reply = reply;
  if (pending->call) {
    poller_finish(pending);
  } else {
    pending->done = true;
    pthread_cond_signal(&pending->changed);
  }
}

/* Under the lock: the role of the reader, if nobody has it, goes to somebody who needs it. */
static void offer_role(struct connection *connection)
{
  if (connection->reading)
    return;
  if (connection->sleepers.first) {
    pthread_cond_signal(&connection->sleepers.first->changed);
  } else if (connection->stuck) {
    eventfd_write(connection->unstick, 1);
  } else if (connection->async.first) {
    poller_wake();
  }
}

/* Under the lock. */
static void end_calls_locked(struct connection *connection, int code)
{
  for (struct pending *pending; (pending = table_any(connection));)
    end_call(connection, pending, code, (pool_bytes_t){NULL, 0});
}

static void end_calls(struct connection *connection, int code)
{
  pthread_mutex_lock(&connection->lock);
  end_calls_locked(connection, code);
  pthread_mutex_unlock(&connection->lock);
}

/* Ends the connection and all calls on it; only the first reason counts. */
static __attribute__((format(printf, 3, 4))) void break_connection(struct connection *connection, int native,
                                                                   const char *format, ...)
{
  pthread_mutex_lock(&connection->lock);
  if (!connection->broken) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(connection->why, sizeof connection->why, format, arguments);
    va_end(arguments);
    connection->native = native;
    connection->broken = true;
    /* Wakes everybody who waits for the socket, and tells the server. */
    shutdown(connection->descriptor, SHUT_RDWR);
    end_calls_locked(connection, POOL_E_BROKEN);
    pthread_cond_broadcast(&connection->writable);
  }
  pthread_mutex_unlock(&connection->lock);
}

/* Under the lock. */
static int say_broken(struct connection *connection, pool_error_t *error)
{
  return fail(error, POOL_E_BROKEN, connection->native, "%s", connection->why);
}

/* ---- replies ---- */

/* A reply that was understood. */
struct reply {
  uint64_t id;
  int code;
  pool_bytes_t bytes;
};

/* 0: it is not a number that can have been given to a call. */
static uint64_t read_id(const char *text, struct frame_span span)
{
  uint64_t id = 0;
  for (size_t i = span.begin; i < span.end; i++) {
    if (text[i] < '0' || text[i] > '9' || id > UINT64_MAX / 10 - 1)
      return 0;
    id = id * 10 + (uint64_t)(text[i] - '0');
  }
  return id;
}

static bool is_null(const char *text, struct frame_span span)
{
  size_t size = span.end - span.begin;
  return size == 0 || (size == 4 && memcmp(text + span.begin, "null", 4) == 0);
}

static int copy_bytes(const char *text, size_t size, pool_bytes_t *bytes)
{
  int code = pool_bytes_new(size, bytes);
  if (code == 0)
    memcpy(bytes->data, text, size);
  return code;
}

/* The text of the server's error. */
static int copy_error(const char *text, struct frame_span span, pool_bytes_t *bytes)
{
  size_t size = span.end - span.begin;
  if (text[span.begin] != '"')
    return copy_bytes(text + span.begin, size, bytes);
  int code = pool_bytes_new(size - 2, bytes);
  if (code)
    return code;
  char *said = bytes->data;
  bytes->size = json_unescape(said, text + span.begin + 1, size - 2);
  said[bytes->size] = 0;
  return 0;
}

static int copy_reply(const struct frame *frame, bool failed, pool_bytes_t *bytes)
{
  if (failed)
    return copy_error(frame->text, frame->error, bytes);
  return copy_bytes(frame->text + frame->result.begin, frame->result.end - frame->result.begin, bytes);
}

/* Understands a frame.  Returns NULL, or what is wrong with it. */
static const char *read_reply(const struct frame *frame, struct reply *reply)
{
  if (frame->problem)
    return frame->problem;
  bool failed = !is_null(frame->text, frame->error);
  if (!failed && frame->result.begin == frame->result.end)
    return "it has neither result nor error";
  reply->id = read_id(frame->text, frame->id);
  reply->code = failed ? POOL_E_REMOTE : 0;
  int code = copy_reply(frame, failed, &reply->bytes);
  if (code)
    reply->code = code;
  return NULL;
}

/* Ends the call that a reply belongs to.  False: it belongs to none that ever was. */
static bool deliver(struct connection *connection, struct reply *reply)
{
  pthread_mutex_lock(&connection->lock);
  bool known = reply->id > 0 && reply->id <= connection->last_id;
  struct pending *pending = known && !connection->broken ? table_find(connection, reply->id) : NULL;
  if (pending)
    end_call(connection, pending, reply->code, reply->bytes);
  pthread_mutex_unlock(&connection->lock);
  if (!pending)
    pool_bytes_free(&reply->bytes); /* of a call that timed out, or nobody's */
  return known;
}

/* Breaks the connection because of a frame; shows its beginning. */
static void refuse(struct connection *connection, const struct frame *frame, const char *why)
{
  int size = whole_characters(frame->text, frame->size, 80);
  break_connection(connection, 0, "what the server sent is not a reply, %s: %.*s", why, size, frame->text);
}

static bool dispatch(struct connection *connection, const struct frame *frame)
{
  struct reply reply = {0};
  const char *wrong = read_reply(frame, &reply);
  if (!wrong && !deliver(connection, &reply))
    wrong = "no call had this id";
  if (wrong)
    refuse(connection, frame, wrong);
  return !wrong;
}

static void dispatch_all(struct connection *connection)
{
  struct frame frame;
  enum frame_outcome outcome;
  while ((outcome = frame_next(&connection->stream, &frame)) == FRAME_FOUND)
    if (!dispatch(connection, &frame))
      return;
  if (outcome == FRAME_GARBAGE)
    break_connection(connection, 0, "what the server sent is not JSON objects");
  else if (outcome == FRAME_TOO_LARGE)
    break_connection(connection, 0, "a reply is larger than max_reply_bytes=%zu", connection->stream.limit);
}

/* Where to receive.  Without memory for more of a reply the calls under way end, and the reply, which is that of one of
   them or of an earlier one, is skipped; the connection stays good. */
static void make_space(struct connection *connection, char **space, size_t *size)
{
  if (frame_space(&connection->stream, space, size))
    return;
  end_calls(connection, POOL_E_NOMEM);
  frame_skip(&connection->stream);
  frame_space(&connection->stream, space, size);
}

/* Receives a part of what is there and delivers it.  Only the reader may do this. */
static void receive(struct connection *connection)
{
  char *space;
  size_t size;
  make_space(connection, &space, &size);
  ssize_t received = recv(connection->descriptor, space, size < RECEIVE_MOST ? size : RECEIVE_MOST, 0);
  if (received > 0) {
    frame_received(&connection->stream, (size_t)received);
    dispatch_all(connection);
    frame_trim(&connection->stream);
  } else if (received == 0) {
    break_connection(connection, 0, "the server closed the connection%s",
                     frame_is_inside(&connection->stream) ? " in the middle of a reply" : "");
  } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
    break_connection(connection, errno, "receiving: %s", strerror(errno));
  }
}

/* ---- requests ---- */

/* The bytes of a request: head, the caller's args, tail. */
struct request {
  struct iovec parts[3];
  int first; /* of the parts that are not sent yet */
  bool begun;
  char *head;
  char tail[40];
};

static const char null_text[] = "null";

/* jansson says NULL both when a name is not UTF-8 and when there is no memory, so it is asked only for the latter. */
static bool is_utf8(const char *text)
{
  struct json_check check;
  json_check_start(&check);
  bool good = json_check_feed(&check, "\"", 1);
  for (; *text && good; text++) {
    bool special = *text == '"' || *text == '\\' || (unsigned char)*text < ' ';
    good = json_check_feed(&check, special ? " " : text, 1);
  }
  return good && json_check_feed(&check, "\"", 1);
}

static int say_expired(pool_error_t *error)
{
  return fail(error, POOL_E_TIMEOUT, 0, "the deadline passed before the request was sent");
}

static int check_args(pool_bytes_t args, int64_t deadline_ns, pool_error_t *error)
{
  struct json_check check;
  const char *text = args.data;
  json_check_start(&check);
  for (size_t left = args.size; left > 0;) {
    size_t part = left < CHECK_MOST ? left : CHECK_MOST;
    if (!json_check_feed(&check, text, part))
      break;
    text += part;
    left -= part;
    if (left > 0 && is_past(deadline_ns))
      return say_expired(error);
  }
  if (args.size == 0 || json_check_end(&check))
    return 0;
  return fail(error, POOL_E_INVALID, 0, "not sent: args are not one JSON value, %s; byte %zu of %zu is wrong",
              check.problem, check.size + 1, args.size);
}

/* Puts together everything but the id. */
static int request_make(struct request *request, const char *method, pool_bytes_t args, int64_t deadline_ns,
                        pool_error_t *error)
{
  *request = (struct request){0};
  int code = check_args(args, deadline_ns, error);
  if (code)
    return code;
  if (!is_utf8(method))
    return fail(error, POOL_E_INVALID, 0, "not sent: the name of the method is not UTF-8");
  json_t *name = json_string_nocheck(method);
  char *quoted = name ? json_dumps(name, JSON_ENCODE_ANY) : NULL;
  json_decref(name);
  int size = quoted ? asprintf(&request->head, "{\"method\":%s,\"params\":[", quoted) : -1;
  free(quoted);
  if (size < 0) {
    request->head = NULL;
    return fail(error, POOL_E_NOMEM, 0, "not sent: no memory for the request");
  }
  request->parts[0] = (struct iovec){request->head, (size_t)size};
  request->parts[1] = args.size > 0 ? (struct iovec){args.data, args.size}
                                    : (struct iovec){(char *)(uintptr_t)null_text, sizeof null_text - 1};
  return 0;
}

static void request_set_id(struct request *request, uint64_t id)
{
  int size = snprintf(request->tail, sizeof request->tail, "],\"id\":%" PRIu64 "}\n", id);
  request->parts[2] = (struct iovec){request->tail, (size_t)size};
}

static void request_free(struct request *request)
{
  free(request->head);
}

/* So many more bytes are sent.  True: these were the last. */
static bool request_advance(struct request *request, size_t sent)
{
  request->begun = true;
  while (request->first < 3 && sent >= request->parts[request->first].iov_len)
    sent -= request->parts[request->first++].iov_len;
  if (request->first == 3)
    return true;
  struct iovec *part = &request->parts[request->first];
  part->iov_base = (char *)part->iov_base + sent;
  part->iov_len -= sent;
  return false;
}

/* Under the lock: the writer, who is not the reader, will wait; makes sure that an offer can wake it. */
static bool get_stuck(struct connection *connection)
{
  if (connection->unstick < 0)
    connection->unstick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  connection->stuck = connection->unstick >= 0;
  return connection->stuck;
}

static void get_unstuck(struct connection *connection)
{
  eventfd_t count;
  connection->stuck = false;
  eventfd_read(connection->unstick, &count);
}

/* The socket takes no more: waits until it does, and reads meanwhile unless another does. */
static enum outcome wait_writable(struct connection *connection, int64_t deadline_ns)
{
  pthread_mutex_lock(&connection->lock);
  bool reads = !connection->reading;
  bool can_wait = reads || get_stuck(connection);
  if (reads)
    connection->reading = true;
  int wake = reads ? -1 : connection->unstick; /* poll() overlooks a descriptor of -1 */
  pthread_mutex_unlock(&connection->lock);
  if (!can_wait)
    return FAILED;
  struct pollfd set[2] = {{.fd = connection->descriptor, .events = reads ? POLLOUT | POLLIN : POLLOUT},
                          {.fd = wake, .events = POLLIN}};
  int ready = poll(set, 2, poll_timeout(deadline_ns));
  int native = errno;
  /* Also when the socket is ready: it may take a few bytes each time, and the request is long. */
  enum outcome outcome = ready < 0 && errno != EINTR ? FAILED : is_past(deadline_ns) ? EXPIRED : OK;
  if (reads && ready > 0 && (set[0].revents & ~POLLOUT))
    receive(connection);
  pthread_mutex_lock(&connection->lock);
  if (reads)
    connection->reading = false;
  else
    get_unstuck(connection);
  offer_role(connection);
  pthread_mutex_unlock(&connection->lock);
  errno = native;
  return outcome;
}

/* Sends a request as a whole.  Only the writer may do this. */
static enum outcome request_send(struct connection *connection, struct request *request, int64_t deadline_ns)
{
  for (;;) {
    struct msghdr message = {.msg_iov = request->parts + request->first, .msg_iovlen = (size_t)(3 - request->first)};
    ssize_t sent = sendmsg(connection->descriptor, &message, MSG_NOSIGNAL);
    if (sent >= 0 && request_advance(request, (size_t)sent))
      return OK;
    if (sent >= 0 || errno == EINTR)
      continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
      return FAILED;
    enum outcome outcome = wait_writable(connection, deadline_ns);
    if (outcome != OK)
      return outcome;
  }
}

/* Under the lock: waits for the turn to write. */
static int take_turn(struct connection *connection, int64_t deadline_ns, pool_error_t *error)
{
  bool in_time = !is_past(deadline_ns);
  while (in_time && !connection->broken && connection->writing)
    in_time = wait_changed(&connection->writable, &connection->lock, deadline_ns);
  if (connection->broken)
    return say_broken(connection, error);
  if (connection->writing || !in_time) {
    if (!connection->writing)
      pthread_cond_signal(&connection->writable); /* it may be that the wake-up was ours */
    return say_expired(error);
  }
  connection->writing = true;
  return 0;
}

static void leave_turn(struct connection *connection)
{
  connection->writing = false;
  pthread_cond_signal(&connection->writable);
}

/* Takes the turn and puts the call into the table.  From then on an async call may end, and its memory with it, as soon
   as the lock is left: its id is all that the sender keeps. */
static int begin_send(struct connection *connection, struct request *request, struct pending *pending, uint64_t *id,
                      pool_error_t *error)
{
  pthread_mutex_lock(&connection->lock);
  int code = take_turn(connection, pending->deadline_ns, error);
  if (code == 0 && !table_add(connection, pending)) {
    leave_turn(connection);
    code = fail(error, POOL_E_NOMEM, 0, "not sent: no memory for one more call");
  }
  if (code == 0)
    request_set_id(request, *id = pending->id);
  pthread_mutex_unlock(&connection->lock);
  return code;
}

/* Says why a request was not sent. */
static int say_unsent(const struct request *request, enum outcome outcome, int native, pool_error_t *error)
{
  if (outcome == FAILED)
    return fail(error, POOL_E_BROKEN, native, "sending: %s", strerror(native));
  if (request->begun)
    return fail(error, POOL_E_BROKEN, 0, "the deadline passed when a part of the request was sent");
  return say_expired(error);
}

/* Leaves the turn.  A call that was sent is watched now; one that was not is taken back, unless it has ended. */
static bool end_send(struct connection *connection, uint64_t id, bool sent)
{
  pthread_mutex_lock(&connection->lock);
  struct pending *pending = table_find(connection, id); /* an async call that has ended may be freed */
  if (pending && !sent)
    table_remove(connection, pending);
  if (pending && sent && pending->call) {
    pending->sending = false;
    poller_watch(connection, pending->deadline_ns);
  }
  leave_turn(connection);
  offer_role(connection);
  pthread_mutex_unlock(&connection->lock);
  return pending && !sent;
}

/* Sends a call.  0: it has ended or will be ended by somebody; else it was taken back, and *error says why. */
static int send_call(struct connection *connection, struct request *request, struct pending *pending,
                     pool_error_t *error)
{
  int64_t deadline_ns = pending->deadline_ns;
  uint64_t id;
  int code = begin_send(connection, request, pending, &id, error);
  if (code)
    return code;
  enum outcome outcome = request_send(connection, request, deadline_ns);
  int native = errno;
  if (end_send(connection, id, outcome == OK))
    code = say_unsent(request, outcome, native, error);
  if (outcome == FAILED || (outcome == EXPIRED && request->begun)) {
    pool_error_t why;
    say_unsent(request, outcome, native, &why);
    break_connection(connection, why.native, "%s", why.message);
  }
  return code;
}

/* ---- sync calls ---- */

/* Under the lock: reads until the call is done or its deadline passes.  False when that is past. */
static bool lead(struct connection *connection, struct pending *pending)
{
  enum outcome outcome = OK;
  connection->reading = true;
  while (!pending->done && outcome == OK) {
    pthread_mutex_unlock(&connection->lock);
    outcome = wait_ready(connection->descriptor, POLLIN, pending->deadline_ns);
    if (outcome == OK)
      receive(connection);
    else if (outcome == FAILED)
      break_connection(connection, errno, "waiting for a reply: %s", strerror(errno));
    pthread_mutex_lock(&connection->lock);
    if (outcome == OK && !pending->done && is_past(pending->deadline_ns))
      outcome = EXPIRED; /* there is always something to read for others */
  }
  connection->reading = false;
  return outcome != EXPIRED;
}

/* Under the lock: sleeps until the call is done, nobody reads, or the deadline passes.  False when that is past. */
static bool follow(struct connection *connection, struct pending *pending)
{
  bool in_time = true;
  list_append_after(&connection->sleepers, connection->sleepers.last, pending);
  while (in_time && !pending->done && connection->reading)
    in_time = wait_changed(&pending->changed, &connection->lock, pending->deadline_ns);
  list_remove(&connection->sleepers, pending);
  return in_time;
}

static void await_reply(struct connection *connection, struct pending *pending)
{
  bool in_time = true;
  pthread_mutex_lock(&connection->lock);
  while (!pending->done && in_time)
    in_time = connection->reading ? follow(connection, pending) : lead(connection, pending);
  if (!pending->done) {
    table_remove(connection, pending);
    pending->code = POOL_E_TIMEOUT;
  }
  offer_role(connection);
  pthread_mutex_unlock(&connection->lock);
}

/* Passes on how a call ended. */
static int conclude(struct connection *connection, struct pending *pending, pool_bytes_t *reply, pool_error_t *error)
{
  int size;
  switch (pending->code) {
  case 0:
    *reply = pending->reply;
    return 0;
  case POOL_E_REMOTE:
    size = whole_characters(pending->reply.data, pending->reply.size, sizeof error->message - 1);
    fail(error, POOL_E_REMOTE, 0, "%.*s", size, (const char *)pending->reply.data);
    pool_bytes_free(&pending->reply);
    return POOL_E_REMOTE;
  case POOL_E_TIMEOUT:
    return fail(error, POOL_E_TIMEOUT, 0, "the deadline passed while waiting for the reply");
  case POOL_E_BROKEN:
    pthread_mutex_lock(&connection->lock);
    say_broken(connection, error);
    pthread_mutex_unlock(&connection->lock);
    return POOL_E_BROKEN;
  default:
    return fail(error, pending->code, 0, "no memory for the reply");
  }
}

static int jsonrpc_call(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                        int64_t deadline_ns, pool_error_t *error)
{
  struct connection *connection = conn;
  struct request request;
  struct pending pending = {.deadline_ns = deadline_ns};
  (void)context;
  int code = request_make(&request, method, args, deadline_ns, error);
  if (code)
    return code;
  condition_init(&pending.changed);
  atomic_fetch_add(&connection->references, 1);
  code = send_call(connection, &request, &pending, error);
  if (code == 0) {
    await_reply(connection, &pending);
    code = conclude(connection, &pending, reply, error);
  }
  release(connection);
  pthread_cond_destroy(&pending.changed);
  request_free(&request);
  return code;
}

/* ---- the poller: all of its own state is here, and needs no lock ---- */

struct watch {
  struct connection *first;
  struct pollfd *set;              /* the pipe, then the sockets of which the poller is the reader */
  struct connection **connections; /* of the sockets */
  size_t capacity;
  size_t count;
  int64_t until_ns;
  int wake; /* the end of the pipe to read from */
};

static bool watch_reserve(struct watch *watch)
{
  if (watch->count < watch->capacity)
    return true;
  size_t capacity = watch->capacity ? watch->capacity * 2 : 16;
  struct pollfd *set = realloc(watch->set, capacity * sizeof *set);
  if (set)
    watch->set = set;
  struct connection **connections = set ? realloc(watch->connections, capacity * sizeof(struct connection *)) : NULL;
  if (!connections)
    return false;
  watch->connections = connections;
  watch->capacity = capacity;
  return true;
}

static void watch_add(struct watch *watch, struct connection *connection, int descriptor)
{
  watch->set[watch->count] = (struct pollfd){.fd = descriptor, .events = POLLIN};
  watch->connections[watch->count++] = connection;
}

/* Under the connection's lock: ends async calls that are past their deadlines, and notes the next deadline. */
static void expire(struct watch *watch, struct connection *connection, int64_t now)
{
  for (struct pending *pending = connection->async.first, *next; pending; pending = next) {
    next = pending->next;
    if (pending->sending)
      continue;
    if (pending->deadline_ns > now) {
      if (pending->deadline_ns < watch->until_ns)
        watch->until_ns = pending->deadline_ns;
      return;
    }
    end_call(connection, pending, POOL_E_TIMEOUT, (pool_bytes_t){NULL, 0});
  }
}

/* Under the connection's lock: becomes or remains the reader, if nobody else is or will be. */
static void hold(struct connection *connection)
{
  if (connection->held || connection->reading || connection->sleepers.first || connection->stuck)
    return;
  connection->reading = connection->held = true;
}

/* Under the connection's lock. */
static void let_go(struct connection *connection)
{
  if (!connection->held)
    return;
  connection->reading = connection->held = false;
  offer_role(connection);
}

/* Looks after one connection.  False: it has no async calls, and is not watched any more. */
static bool look_after(struct watch *watch, struct connection *connection, int64_t now)
{
  bool helpless = false;
  pthread_mutex_lock(&connection->lock);
  expire(watch, connection, now);
  bool needed = connection->async.first != NULL;
  if (needed) {
    hold(connection);
    helpless = connection->held && !watch_reserve(watch);
    if (connection->held && !helpless)
      watch_add(watch, connection, connection->descriptor);
  } else {
    let_go(connection);
    pthread_mutex_lock(&poller.lock);
    connection->watched = false;
    pthread_mutex_unlock(&poller.lock);
  }
  pthread_mutex_unlock(&connection->lock);
  if (helpless)
    end_calls(connection, POOL_E_NOMEM);
  return needed;
}

static void look_after_all(struct watch *watch)
{
  int64_t now = clock_now();
  watch->until_ns = POOL_NO_DEADLINE;
  watch->count = 0;
  watch_add(watch, NULL, watch->wake);
  for (struct connection **link = &watch->first, *connection; (connection = *link);) {
    struct connection *next = connection->next_watched;
    if (look_after(watch, connection, now)) {
      link = &connection->next_watched;
    } else {
      *link = next;
      release(connection);
    }
  }
}

static void let_all_go(struct watch *watch)
{
  for (struct connection *connection = watch->first; connection; connection = connection->next_watched) {
    pthread_mutex_lock(&connection->lock);
    let_go(connection);
    pthread_mutex_unlock(&connection->lock);
  }
}

/* Takes what callers have left. */
static struct pending *take_over(struct watch *watch)
{
  pthread_mutex_lock(&poller.lock);
  poller.signalled = false;
  for (struct connection *connection; (connection = poller.incoming);) {
    poller.incoming = connection->next_watched;
    connection->next_watched = watch->first;
    watch->first = connection;
  }
  struct pending *finished = poller.finished;
  poller.finished = NULL;
  poller.finished_end = &poller.finished;
  pthread_mutex_unlock(&poller.lock);
  return finished;
}

/* False: a callback forked, and this is the child. */
static bool call_back(struct pending *finished)
{
  unsigned forks = poller.forks;
  while (finished && forks == poller.forks) {
    struct pending *pending = finished;
    finished = pending->next;
    pool_call_done(pending->call, pending->code, pending->reply);
    free(pending);
  }
  return forks == poller.forks;
}

/* False: there is something to look at first. */
static bool fall_asleep(const struct watch *watch)
{
  pthread_mutex_lock(&poller.lock);
  poller.asleep = !poller.signalled;
  if (poller.asleep)
    poller.until_ns = watch->until_ns;
  bool asleep = poller.asleep;
  pthread_mutex_unlock(&poller.lock);
  return asleep;
}

static void wake_up(void)
{
  pthread_mutex_lock(&poller.lock);
  poller.asleep = false;
  poller.until_ns = POOL_NO_DEADLINE;
  pthread_mutex_unlock(&poller.lock);
}

static void drain(int wake)
{
  char bytes[16];
  while (read(wake, bytes, sizeof bytes) > 0)
    ;
}

static void sleep_and_receive(struct watch *watch)
{
  int ready = poll(watch->set, (nfds_t)watch->count, poll_timeout(watch->until_ns));
  wake_up();
  if (ready <= 0)
    return;
  if (watch->set[0].revents)
    drain(watch->set[0].fd);
  for (size_t i = 1; i < watch->count; i++)
    if (watch->set[i].revents)
      receive(watch->connections[i]);
}

static void *poller_main(void *data)
{
  struct watch *watch = data;
  bool here = true;
  while (here) {
    struct pending *finished = take_over(watch);
    if (finished) {
      let_all_go(watch);
      here = call_back(finished);
      continue;
    }
    look_after_all(watch);
    if (fall_asleep(watch))
      sleep_and_receive(watch);
  }
  return NULL;
}

static bool thread_start(void *(*run)(void *), void *data)
{
  pthread_attr_t attributes;
  pthread_t thread;
  /* Signals are the program's business and go to its own threads; but what the thread itself does wrong, in a callback
     of the program, is for the handler that the program has for that. */
  static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
  sigset_t others, before;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  sigfillset(&others);
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    sigdelset(&others, own[i]);
  pthread_sigmask(SIG_SETMASK, &others, &before);
  bool started = pthread_create(&thread, &attributes, run, data) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return started;
}

static void watch_free(struct watch *watch)
{
  free(watch->set);
  free(watch->connections);
  free(watch);
}

/* Under the poller's lock. */
static bool poller_start_locked(void)
{
  struct watch *watch = calloc(1, sizeof *watch);
  if (!watch)
    return false;
  if (!watch_reserve(watch) || pipe2(poller.wake, O_CLOEXEC | O_NONBLOCK) != 0) {
    watch_free(watch);
    return false;
  }
  watch->wake = poller.wake[0];
  if (thread_start(poller_main, watch))
    return true;
  close(poller.wake[0]);
  close(poller.wake[1]);
  watch_free(watch);
  return false;
}

/* Makes sure that there is a poller. */
static bool poller_start(void)
{
  pthread_mutex_lock(&poller.lock);
  if (!poller.started)
    poller.started = poller_start_locked();
  bool started = poller.started;
  pthread_mutex_unlock(&poller.lock);
  return started;
}

/* ---- async calls ---- */

static struct pending *pending_new(pool_call_t *call)
{
  struct pending *pending = calloc(1, sizeof *pending);
  if (!pending)
    return NULL;
  pending->call = call;
  pending->deadline_ns = pool_call_deadline(call);
  pending->sending = true;
  return pending;
}

static int jsonrpc_go(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call)
{
  struct connection *connection = conn;
  struct request request;
  pool_error_t error = POOL_ERROR_INIT;
  (void)context;
  int code = request_make(&request, method, args, pool_call_deadline(call), &error);
  if (code)
    return code;
  struct pending *pending = poller_start() ? pending_new(call) : NULL;
  if (pending) {
    /* The call may be done and the connection closed before this returns. */
    atomic_fetch_add(&connection->references, 1);
    code = send_call(connection, &request, pending, &error);
    release(connection);
  }
  if (code)
    free(pending);
  request_free(&request);
  return pending ? code : POOL_E_NOMEM;
}

/* ---- opening and closing ---- */

static struct connection *connection_new(size_t limit)
{
  struct connection *connection = calloc(1, sizeof *connection);
  if (!connection)
    return NULL;
  if (!frame_init(&connection->stream, limit)) {
    free(connection);
    return NULL;
  }
  connection->descriptor = connection->unstick = -1;
  atomic_store(&connection->references, 1);
  pthread_mutex_init(&connection->lock, NULL);
  condition_init(&connection->writable);
  return connection;
}

/* A connect() that was not finished at once ends in an error or in 0. */
static int finish_connect(int descriptor, int64_t deadline_ns)
{
  int number = 0;
  socklen_t size = sizeof number;
  enum outcome outcome = wait_ready(descriptor, POLLOUT, deadline_ns);
  if (outcome == EXPIRED)
    return ETIMEDOUT;
  if (outcome == FAILED || getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &size) != 0)
    return errno;
  return number;
}

/* Whether the socket is connected to itself, which happens if nobody listens on a port that the system gives out. */
static bool is_own_peer(int descriptor)
{
  struct sockaddr_storage own = {0}, peer = {0};
  socklen_t own_size = sizeof own, peer_size = sizeof peer;
  return getsockname(descriptor, (struct sockaddr *)&own, &own_size) == 0 &&
         getpeername(descriptor, (struct sockaddr *)&peer, &peer_size) == 0 && own_size == peer_size &&
         memcmp(&own, &peer, own_size) == 0;
}

/* Returns 0 or why it failed. */
static int connect_tcp_to(const struct addrinfo *info, int64_t deadline_ns, int *descriptor)
{
  int on = 1;
  int made = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, info->ai_protocol);
  if (made < 0)
    return errno;
  int number = connect(made, info->ai_addr, info->ai_addrlen) == 0 ? 0 : errno;
  if (number == EINPROGRESS || number == EINTR)
    number = finish_connect(made, deadline_ns);
  if (number == 0 && is_own_peer(made))
    number = ECONNREFUSED;
  if (number) {
    close(made);
    return number;
  }
  setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(made, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  *descriptor = made;
  return 0;
}

/* The part of the time that is left that the first of so many addresses may use, so that a dead one leaves some to the
   others. */
static int64_t share_of_time(int64_t deadline_ns, int addresses)
{
  int64_t now = clock_now();
  if (deadline_ns == POOL_NO_DEADLINE || deadline_ns < now)
    return deadline_ns;
  return now + (deadline_ns - now) / addresses;
}

static int say_not_connected(const struct address *address, int number, int64_t deadline_ns, pool_error_t *error)
{
  const char *where = address->is_unix ? address->path : address->host;
  const char *colon = address->is_unix ? "" : ":";
  int code = number == ENOMEM                              ? POOL_E_NOMEM
             : number == ETIMEDOUT && is_past(deadline_ns) ? POOL_E_TIMEOUT
                                                           : POOL_E_OPEN;
  return fail(error, code, number, "connecting to %.100s%s%s: %s", where, colon, address->port, strerror(number));
}

static int say_not_found(const struct address *address, int problem, int number, pool_error_t *error)
{
  bool no_memory = problem == EAI_MEMORY || (problem == EAI_SYSTEM && number == ENOMEM);
  return fail(error, no_memory ? POOL_E_NOMEM : POOL_E_OPEN, problem == EAI_SYSTEM ? number : 0,
              "looking up %.100s: %s", address->host, gai_strerror(problem));
}

/* A name that is being looked up by a thread, for a caller that waits.  The last of the two frees it. */
struct lookup {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool done;
  bool given_up; /* nobody waits any more */
  char host[256];
  char port[6];
  int problem;
  int number; /* the errno of EAI_SYSTEM */
  struct addrinfo *found;
};

static int look_up_now(const char *host, const char *port, int flags, struct addrinfo **found)
{
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
  *found = NULL;
  return getaddrinfo(host, port, &hints, found);
}

static struct lookup *lookup_new(const struct address *address)
{
  struct lookup *lookup = calloc(1, sizeof *lookup);
  if (!lookup)
    return NULL;
  memcpy(lookup->host, address->host, sizeof lookup->host);
  memcpy(lookup->port, address->port, sizeof lookup->port);
  pthread_mutex_init(&lookup->lock, NULL);
  condition_init(&lookup->changed);
  return lookup;
}

static void lookup_free(struct lookup *lookup)
{
  if (lookup->found)
    freeaddrinfo(lookup->found);
  pthread_cond_destroy(&lookup->changed);
  pthread_mutex_destroy(&lookup->lock);
  free(lookup);
}

static void *lookup_main(void *data)
{
  struct lookup *lookup = data;
  struct addrinfo *found;
  int problem = look_up_now(lookup->host, lookup->port, 0, &found);
  int number = errno;
  pthread_mutex_lock(&lookup->lock);
  lookup->problem = problem;
  lookup->number = number;
  lookup->found = problem ? NULL : found;
  lookup->done = true;
  bool given_up = lookup->given_up;
  pthread_cond_signal(&lookup->changed);
  pthread_mutex_unlock(&lookup->lock);
  if (given_up)
    lookup_free(lookup);
  return NULL;
}

/* Waits for the thread.  False: it goes on without us, and frees the lookup. */
static bool lookup_await(struct lookup *lookup, int64_t deadline_ns)
{
  bool in_time = true;
  pthread_mutex_lock(&lookup->lock);
  while (!lookup->done && in_time)
    in_time = wait_changed(&lookup->changed, &lookup->lock, deadline_ns);
  bool done = lookup->done;
  lookup->given_up = !done;
  pthread_mutex_unlock(&lookup->lock);
  return done;
}

static int look_up_by(const struct address *address, int64_t deadline_ns, struct addrinfo **found, pool_error_t *error)
{
  struct lookup *lookup = lookup_new(address);
  if (!lookup || !thread_start(lookup_main, lookup)) {
    if (lookup)
      lookup_free(lookup);
    return fail(error, POOL_E_NOMEM, 0, "looking up %.100s: no memory for a thread", address->host);
  }
  if (!lookup_await(lookup, deadline_ns))
    return fail(error, POOL_E_TIMEOUT, 0, "looking up %.100s: the deadline passed", address->host);
  int code = lookup->problem ? say_not_found(address, lookup->problem, lookup->number, error) : 0;
  *found = lookup->found;
  lookup->found = NULL;
  lookup_free(lookup);
  return code;
}

/* A number needs no resolver; and without a deadline there is nothing that a thread could keep. */
static int look_up(const struct address *address, int64_t deadline_ns, struct addrinfo **found, pool_error_t *error)
{
  if (look_up_now(address->host, address->port, AI_NUMERICHOST, found) == 0)
    return 0;
  if (deadline_ns != POOL_NO_DEADLINE)
    return look_up_by(address, deadline_ns, found, error);
  int problem = look_up_now(address->host, address->port, 0, found);
  return problem ? say_not_found(address, problem, errno, error) : 0;
}

static int connect_tcp(const struct address *address, int64_t deadline_ns, int *descriptor, pool_error_t *error)
{
  struct addrinfo *found;
  int code = look_up(address, deadline_ns, &found, error);
  if (code)
    return code;
  int left = 0, number = EADDRNOTAVAIL;
  for (const struct addrinfo *info = found; info; info = info->ai_next)
    left++;
  for (const struct addrinfo *info = found; info && number; info = info->ai_next)
    number = connect_tcp_to(info, share_of_time(deadline_ns, left--), descriptor);
  freeaddrinfo(found);
  return number ? say_not_connected(address, number, deadline_ns, error) : 0;
}

/* A non-blocking connect() to a Unix socket whose queue is full fails at once; a blocking one waits as long as a send
   may. */
static int connect_unix_in_time(int descriptor, const struct sockaddr_un *name, int64_t deadline_ns)
{
  for (;;) {
    int64_t left_us = deadline_ns == POOL_NO_DEADLINE ? 0 : (deadline_ns - clock_now()) / 1000;
    if (deadline_ns != POOL_NO_DEADLINE && left_us <= 0)
      return ETIMEDOUT;
    struct timeval timeout = {.tv_sec = left_us / 1000000, .tv_usec = left_us % 1000000};
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(descriptor, (const struct sockaddr *)name, sizeof *name) == 0)
      return 0;
    if (errno != EINTR && errno != EAGAIN)
      return errno;
  }
}

static int connect_unix(const struct address *address, int64_t deadline_ns, int *descriptor, pool_error_t *error)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  memcpy(name.sun_path, address->path, sizeof name.sun_path);
  int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int number = made < 0 ? errno : connect_unix_in_time(made, &name, deadline_ns);
  if (number == 0 && fcntl(made, F_SETFL, O_NONBLOCK) != 0)
    number = errno;
  if (number == 0) {
    *descriptor = made;
    return 0;
  }
  if (made >= 0)
    close(made);
  return say_not_connected(address, number, deadline_ns, error);
}

static int jsonrpc_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  const struct address *address = context;
  int descriptor = -1;
  int code = address->is_unix ? connect_unix(address, deadline_ns, &descriptor, error)
                              : connect_tcp(address, deadline_ns, &descriptor, error);
  if (code)
    return code;
  struct connection *connection = connection_new(address->limit);
  if (!connection) {
    close(descriptor);
    return fail(error, POOL_E_NOMEM, ENOMEM, "no memory for a connection");
  }
  connection->descriptor = descriptor;
  *conn = connection;
  return 0;
}

static int jsonrpc_close(void *context, void *conn, pool_error_t *error)
{
  struct connection *connection = conn;
  (void)context, (void)error;
  break_connection(connection, 0, "the connection was closed");
  pthread_mutex_lock(&poller.lock);
  if (connection->watched)
    wake_locked(); /* to give up its reference */
  pthread_mutex_unlock(&poller.lock);
  release(connection);
  return 0;
}

static int jsonrpc_check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  struct connection *connection = conn;
  char byte;
  (void)context, (void)deadline_ns;
  pthread_mutex_lock(&connection->lock);
  bool broken = connection->broken;
  pthread_mutex_unlock(&connection->lock);
  if (broken)
    return fail(error, POOL_E_BROKEN, 0, "the connection broke while nobody used it");
  ssize_t seen = recv(connection->descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (seen > 0 || (seen < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)))
    return 0;
  return fail(error, POOL_E_BROKEN, seen < 0 ? errno : 0, "%s",
              seen < 0 ? strerror(errno) : "the server closed the connection");
}

static void jsonrpc_abandon(void *context, void *conn)
{
  struct connection *connection = conn;
  (void)context;
  close(connection->descriptor);
  if (connection->unstick >= 0)
    close(connection->unstick);
}

static void jsonrpc_release(void *context)
{
  free(context);
}

/* ---- addresses ---- */

static int say_address(pool_error_t *error, const char *problem)
{
  return fail(error, POOL_E_INVALID, 0, "%s; an address is HOST:PORT, [IPV6]:PORT or unix:/PATH", problem);
}

/* A decimal number from 1 to `most`, or 0. */
static size_t read_number(const char *text, size_t length, size_t most)
{
  size_t number = 0;
  for (size_t i = 0; i < length; i++) {
    if (text[i] < '0' || text[i] > '9')
      return 0;
    size_t digit = (size_t)(text[i] - '0');
    if (number > (most - digit) / 10)
      return 0;
    number = number * 10 + digit;
  }
  return number;
}

static int read_option(struct address *address, const char *text, size_t length, pool_error_t *error)
{
  static const char name[] = "max_reply_bytes=";
  size_t skip = sizeof name - 1;
  if (length < skip || memcmp(text, name, skip) != 0)
    return fail(error, POOL_E_INVALID, 0, "unknown option '%.*s'; the only one is max_reply_bytes=N",
                (int)(length < 60 ? length : 60), text);
  address->limit = read_number(text + skip, length - skip, SIZE_MAX / 4);
  if (address->limit == 0)
    return fail(error, POOL_E_INVALID, 0, "max_reply_bytes must be a number from 1, such as max_reply_bytes=1000000");
  return 0;
}

static int read_options(struct address *address, const char *text, pool_error_t *error)
{
  for (;;) {
    size_t length = strcspn(text, "&");
    int code = read_option(address, text, length, error);
    if (code || text[length] == 0)
      return code;
    text += length + 1;
  }
}

static int read_path(struct address *address, const char *text, size_t length, pool_error_t *error)
{
  if (length == 0 || text[0] != '/')
    return say_address(error, "the path of a Unix socket begins with '/'");
  if (length >= sizeof address->path)
    return fail(error, POOL_E_INVALID, 0, "the path of a Unix socket has at most %zu bytes, this one has %zu",
                sizeof address->path - 1, length);
  address->is_unix = true;
  memcpy(address->path, text, length);
  return 0;
}

static int read_host_and_port(struct address *address, const char *host, size_t host_length, const char *port,
                              size_t port_length, pool_error_t *error)
{
  if (host_length == 0)
    return say_address(error, "the host is empty");
  if (host_length >= sizeof address->host)
    return say_address(error, "the host is too long");
  if (read_number(port, port_length, 65535) == 0 || port_length >= sizeof address->port)
    return say_address(error, "the port must be a number from 1 to 65535");
  memcpy(address->host, host, host_length);
  memcpy(address->port, port, port_length);
  return 0;
}

static int read_bracketed(struct address *address, const char *text, size_t length, pool_error_t *error)
{
  const char *close_bracket = memchr(text, ']', length);
  size_t host_length = close_bracket ? (size_t)(close_bracket - text) - 1 : 0;
  if (!close_bracket || host_length + 3 > length || close_bracket[1] != ':')
    return say_address(error, "'[' must be followed by an IPv6 address, ']:' and a port");
  if (!memchr(text + 1, ':', host_length))
    return say_address(error, "what stands in brackets is not an IPv6 address");
  return read_host_and_port(address, text + 1, host_length, close_bracket + 2, length - host_length - 3, error);
}

static int read_plain(struct address *address, const char *text, size_t length, pool_error_t *error)
{
  const char *colon = memchr(text, ':', length);
  if (!colon)
    return say_address(error, "the port is missing");
  size_t host_length = (size_t)(colon - text);
  const char *port = colon + 1;
  size_t port_length = length - host_length - 1;
  if (memchr(port, ':', port_length))
    return say_address(error, "there is more than one ':'; an IPv6 address stands in brackets");
  return read_host_and_port(address, text, host_length, port, port_length, error);
}

static int read_address(struct address *address, const char *text, pool_error_t *error)
{
  size_t length = strcspn(text, "?");
  address->limit = REPLY_LIMIT;
  int code = text[length] ? read_options(address, text + length + 1, error) : 0;
  if (code)
    return code;
  if (length >= 5 && memcmp(text, "unix:", 5) == 0)
    return read_path(address, text + 5, length - 5, error);
  return text[0] == '[' ? read_bracketed(address, text, length, error) : read_plain(address, text, length, error);
}

static int jsonrpc_prepare(const char *text, pool_vtable_t *vtable, void **context, pool_error_t *error)
{
  struct address *address = calloc(1, sizeof *address);
  if (!address)
    return fail(error, POOL_E_NOMEM, 0, "no memory for an address");
  int code = read_address(address, text, error);
  if (code) {
    free(address);
    return code;
  }
  vtable->open = jsonrpc_open;
  vtable->close = jsonrpc_close;
  vtable->check = jsonrpc_check;
  vtable->abandon = jsonrpc_abandon;
  vtable->call = jsonrpc_call;
  vtable->go = jsonrpc_go;
  vtable->release = jsonrpc_release;
  vtable->flags = POOL_VTABLE_MULTIPLEXED;
  *context = address;
  return 0;
}

POOL_API pool_driver_fn pool_driver_jsonrpc;

int pool_driver_jsonrpc(uint32_t version, pool_driver_t *driver)
{
  if (version != POOL_DRIVER_VERSION || driver->size < sizeof *driver)
    return POOL_E_UNSUPPORTED;
  pthread_once(&once, watch_forks);
  driver->name = "jsonrpc";
  driver->prepare = jsonrpc_prepare;
  return 0;
}
