/* SPDX-License-Identifier: MIT */
/* pool_expose() and POOL_EXPOSE: what another process can see and do, and what it cannot. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/expose.h>

#include "base/folder.h"
#include "fork_support.h"
#include "steps.h"

#define NOBODY 65534

#ifdef __SANITIZE_THREAD__
#define MANY 40 /* the sanitizer follows 64 locks of a thread, and a fork takes those of all pools */
#else
#define MANY 300
#endif

/* $XDG_RUNTIME_DIR of this program and its children. */
static char runtime[] = "/tmp/libpool-expose-XXXXXX";

/* ---- a client ---- */

static void path_of(char path[100], pid_t pid)
{
  snprintf(path, 100, "%s/libpool/%ld", runtime, (long)pid);
}

/* A connection to a process, or -1.  It gives up after ten seconds. */
static int client_connect(pid_t pid)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char path[100];
  path_of(path, pid);
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 10}, sizeof(struct timeval)) == 0);
  must(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){.tv_sec = 10}, sizeof(struct timeval)) == 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
    return fd;
  close(fd);
  return -1;
}

static void client_send(int fd, const char *text)
{
  must(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

/* One line, without its end; "" where the other side has left.  free() frees it. */
static char *client_hear(int fd)
{
  size_t room = 1 << 16, size = 0;
  char *line = calloc(1, room);
  must(line);
  for (ssize_t got; (got = recv(fd, line + size, room - size - 1, 0)) > 0;) {
    size += (size_t)got;
    line[size] = 0;
    if (line[size - 1] == '\n')
      break;
    if (room - size < 4096)
      must(line = realloc(line, room *= 2));
  }
  must(errno != EAGAIN || size > 0);
  line[strcspn(line, "\n")] = 0;
  return line;
}

static char *ask(pid_t pid, const char *request)
{
  int fd = client_connect(pid);
  must(fd >= 0);
  client_send(fd, request);
  client_send(fd, "\n");
  errno = 0;
  char *line = client_hear(fd);
  close(fd);
  return line;
}

/* The answer has a text in it. */
#define answers(pid, request, text)                                                                                    \
  do {                                                                                                                 \
    char *line_ = ask(pid, request);                                                                                   \
    if (!strstr(line_, text))                                                                                          \
      fprintf(stderr, "%s: %s is not in %s\n", request, text, line_);                                                  \
    must(strstr(line_, text) != NULL);                                                                                 \
    free(line_);                                                                                                       \
  } while (0)

/* The number of the newest pool of this process that has a name. */
static int64_t number_of(const char *name)
{
  char *line = ask(getpid(), "report"), wanted[80];
  int64_t found = 0;
  snprintf(wanted, sizeof wanted, "\"name\":\"%s\"", name);
  char *at = strstr(line, wanted);
  must(at != NULL);
  for (char *id = line; (id = strstr(id, "{\"id\":")) && id < at; id++)
    found = strtoll(id + strlen("{\"id\":"), NULL, 10);
  free(line);
  return found;
}

static int count_of(const char *text, const char *part)
{
  int count = 0;
  for (const char *at = text; (at = strstr(at, part)); at++)
    count++;
  return count;
}

/* ---- another process: this program with arguments ---- */

struct other {
  pid_t pid;
  int in, out; /* its standard input and output */
};

static void other_start(struct other *other, const char *role, const char *expose)
{
  int in[2], out[2];
  assert_int_equal(pipe2(in, O_CLOEXEC), 0);
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  other->pid = fork_child();
  if (other->pid == 0) {
    must(dup2(in[0], 0) == 0 && dup2(out[1], 1) == 1);
    expose ? setenv("POOL_EXPOSE", expose, 1) : unsetenv("POOL_EXPOSE");
    execl("/proc/self/exe", "expose_test", role, NULL);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  other->in = in[1];
  other->out = out[0];
  char byte = 0;
  assert_int_equal(read(other->out, &byte, 1), 1); /* it is ready */
  assert_int_equal(byte, '+');
}

static void other_end(struct other *other)
{
  close(other->in);
  assert_true(succeeded(other->pid));
  close(other->out);
}

static void ready(void)
{
  char byte = '+';
  must(write(1, &byte, 1) == 1);
  must(read(0, &byte, 1) == 0);
}

static struct fake others_fake;

static pool_t *others_pool(const char *name, pool_log_fn *log)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = fake_vtable();
  pool_t *pool;
  config.name = name;
  config.max_open = 1;
  config.log = log;
  must(pool_create(&config, &vtable, &others_fake, &pool, NULL) == 0);
  return pool;
}

/* Two pools of one name; the first has lent its connection. */
static int be_twins(void)
{
  pool_t *first = others_pool("twins", NULL), *second = others_pool("twins", NULL);
  pool_lease_t lease = pool_get(first);
  must(pool_tag(lease, "quoted \" and \\ \n") == 0);
  ready();
  must(pool_put(lease) == 0);
  pool_free(first);
  pool_free(second);
  return 0;
}

static int lines_heard;

static void hear_line(void *user, int32_t level, const char *line)
{
  (void)user, (void)level;
  lines_heard += strstr(line, "POOL_EXPOSE must be 1") != NULL;
}

static int be_unclear(void)
{
  pool_t *pool = others_pool("unclear", hear_line);
  ready();
  pool_free(pool);
  return lines_heard == 1 ? 0 : 1;
}

static int warned;

static void hear_warning(void *user, int32_t level, const char *line)
{
  (void)user, (void)level;
  warned += strstr(line, "poolctl cannot see this pool: ") != NULL;
}

/* No descriptor can be had, so there is a pool without a socket. */
static int be_poor(void)
{
  int first = open("/dev/null", O_RDONLY | O_CLOEXEC), last = first;
  for (int fd = first; fd >= 0; fd = open("/dev/null", O_RDONLY | O_CLOEXEC))
    last = fd;
  pool_t *pool = others_pool("poor", hear_warning);
  get_and_put_now(pool);
  close_range((unsigned)first, (unsigned)last, 0); /* sanitizers need some */
  ready();
  pool_free(pool);
  return warned == 1 ? 0 : 1;
}

/* ---- nothing ---- */

static void test_expose__without_being_asked_there_is_no_thread_and_no_folder(void **state)
{
  (void)state;
  struct fake fake;
  char path[100];
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 2));
  int alone = thread_count_at_rest();
  get_and_put_now(pool);
  assert_int_equal(thread_count(), alone);
  snprintf(path, sizeof path, "%s/libpool", runtime);
  assert_int_equal(access(path, F_OK), -1);
  fake_finish(&fake, pool);
}

/* ---- seen ---- */

static void test_expose__the_environment_exposes_all_pools_of_a_process(void **state)
{
  (void)state;
  struct other other;
  other_start(&other, "twins", "1");
  char *line = ask(other.pid, "report");
  assert_int_equal(count_of(line, "\"name\":\"twins\""), 2);
  assert_non_null(strstr(line, "{\"id\":1,"));
  assert_non_null(strstr(line, "{\"id\":2,"));
  assert_non_null(strstr(line, "\"leased\":1"));
  assert_non_null(strstr(line, "\"tag\":\"quoted \\\" and \\\\ ?\""));
  free(line);
  other_end(&other);
}

static void test_expose__the_name_of_a_process_is_taken_back_as_it_exits(void **state)
{
  (void)state;
  struct other other;
  char path[100];
  other_start(&other, "twins", "1");
  path_of(path, other.pid);
  assert_int_equal(access(path, F_OK), 0);
  other_end(&other);
  assert_int_equal(access(path, F_OK), -1);
}

static void exposes_nothing(const char *role, const char *expose)
{
  struct other other;
  other_start(&other, role, expose);
  assert_int_equal(client_connect(other.pid), -1);
  other_end(&other);
}

static void test_expose__an_environment_without_it_exposes_nothing(void **state)
{
  (void)state;
  exposes_nothing("twins", NULL);
  exposes_nothing("twins", "");
  exposes_nothing("twins", "0");
}

static void test_expose__an_unclear_environment_exposes_nothing_and_the_log_says_so(void **state)
{
  (void)state;
  exposes_nothing("unclear", "yes");
}

static void test_expose__a_process_without_descriptors_has_its_pools_and_the_log_says_what_is_missing(void **state)
{
  (void)state;
  exposes_nothing("poor", "1");
}

static void *wait_for_lease(void *pool)
{
  pool_lease_t lease = pool_get(pool);
  must(lease > 0 && pool_put(lease) == 0);
  return NULL;
}

static void test_expose__only_what_was_exposed_is_told_with_leases_and_waiters(void **state)
{
  (void)state;
  struct fake fake, other;
  pool_t *pool = fake_start(&fake, PLAN(.config.name = "shown", .config.max_open = 1));
  pool_t *hidden = fake_start(&other, PLAN(.config.name = "hidden"));
  assert_int_equal(pool_expose(pool, NULL), 0);
  assert_int_equal(pool_expose(pool, NULL), 0);
  pool_lease_t lease = pool_get(pool);
  pool_tag(lease, "checkout");
  pthread_t waiter = thread_start(wait_for_lease, pool);
  wait_until(stats_of(pool).waiting == 1);
  char *line = ask(getpid(), "report");
  assert_non_null(strstr(line, "\"name\":\"shown\""));
  assert_non_null(strstr(line, "\"tag\":\"checkout\""));
  assert_non_null(strstr(line, "\"waiters\":[{\"kind\":\"thread\",\"thread\":"));
  assert_null(strstr(line, "hidden"));
  free(line);
  pool_put(lease);
  thread_end(waiter);
  fake_finish(&fake, pool);
  fake_finish(&other, hidden);
  line = ask(getpid(), "report");
  assert_null(strstr(line, "shown"));
  free(line);
}

/* The next pool in its memory is not exposed because of that. */
static void test_expose__a_pool_that_was_freed_leaves_nothing_to_the_next(void **state)
{
  (void)state;
  struct fake fake;
  pool_t *pool = fake_start(&fake, PLAN(.config.name = "first"));
  assert_int_equal(pool_expose(pool, NULL), 0);
  fake_finish(&fake, pool);
  pool = fake_start(&fake, PLAN(.config.name = "second"));
  char *line = ask(getpid(), "report");
  assert_null(strstr(line, "second"));
  free(line);
  fake_finish(&fake, pool);
}

static void test_expose__many_pools_are_all_told_and_those_of_one_name_have_numbers_of_their_own(void **state)
{
  (void)state;
  static struct fake fakes[MANY];
  pool_t *pools[MANY];
  for (int i = 0; i < MANY; i++) {
    pools[i] = fake_start(&fakes[i], PLAN(.config.name = "many"));
    assert_int_equal(pool_expose(pools[i], NULL), 0);
  }
  char *line = ask(getpid(), "report");
  assert_int_equal(count_of(line, "\"name\":\"many\""), MANY);
  int64_t last = 0, count = 0;
  for (char *id = line; (id = strstr(id, "{\"id\":")); id++, count++) {
    int64_t number = strtoll(id + strlen("{\"id\":"), NULL, 10);
    assert_true(number > last);
    last = number;
  }
  assert_int_equal(count, MANY);
  free(line);
  for (int i = 0; i < MANY; i++)
    fake_finish(&fakes[i], pools[i]);
}

/* ---- steered ---- */

static void test_expose__another_process_pauses_resumes_flushes_resizes_and_evicts(void **state)
{
  (void)state;
  struct fake fake;
  char request[80];
  pool_t *pool = fake_start(&fake, PLAN(.config.name = "steered", .config.max_open = 3));
  assert_int_equal(pool_expose(pool, NULL), 0);
  int64_t id = number_of("steered");
#define order(text, ...)                                                                                               \
  snprintf(request, sizeof request, text, (long long)id, ##__VA_ARGS__);                                               \
  answers(getpid(), request, "{\"ok\":true,\"result\":")
  get_and_put_now(pool);
  order("pause %lld");
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  order("evict %lld");
  assert_int_equal(pool_get(pool), POOL_E_EVICTED);
  order("resume %lld");
  get_and_put_now(pool);
  order("flush %lld");
  wait_until(stats_of(pool).closed_flushed == 1);
  pool_lease_t leases[3];
  leases_get(pool, leases, 3);
  leases_put(leases, 3);
  order("resize %lld %d", 1);
  wait_until(stats_of(pool).open == 1);
#undef order
  fake_finish(&fake, pool);
}

static void test_expose__what_is_refused_is_refused_with_a_reason(void **state)
{
  (void)state;
  struct fake fake;
  char request[80];
  pool_t *pool = fake_start(&fake, PLAN(.config.name = "refusing", .config.min_idle = 2, .config.max_open = 3));
  assert_int_equal(pool_expose(pool, NULL), 0);
  snprintf(request, sizeof request, "{\"id\":%lld,\"name\":\"refusing\"}", (long long)number_of("refusing"));
  answers(getpid(), "list", request);
  snprintf(request, sizeof request, "resume %lld", (long long)number_of("refusing"));
  answers(getpid(), request, "\"code\":-1,\"message\":\"refusing: this pool is not paused\"");
  snprintf(request, sizeof request, "resize %lld 1", (long long)number_of("refusing"));
  answers(getpid(), request, "min_idle");
  answers(getpid(), "pause 999999", "no such pool");
  static const char *const wrong[] = {
      "",           "zap",         "report ",    "pause",    "pause x", "pause 1 ",  "pause  1",
      "pause -1",   "resize 1",    "resize 1 x", "paused 1", "REPORT",  "flush 1 1", "pause 99999999999999999999",
      "\xff\xfe\"", "resize 1 2 3"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    answers(getpid(), wrong[i], "no such request");
  fake_finish(&fake, pool);
}

/* ---- programs of the step API ---- */

/* What poolctl is told of the pool of this process that has a name. */
static void order_at(int64_t id, const char *what, const char *answer)
{
  char request[80];
  char *number = strchr(what, ' ');
  snprintf(request, sizeof request, "%.*s %lld%s", (int)(number ? number - what : (ptrdiff_t)strlen(what)), what,
           (long long)id, number ? number : "");
  answers(getpid(), request, answer);
}

/* A pool of the step API, and its descriptor. */
struct stepped {
  pool_t *pool;
  int64_t id;
  int fd;
};

static void stepped_begin(struct stepped *stepped, const struct plan *plan, int32_t abilities)
{
  stepped->pool = step_pool_able(plan, abilities);
  assert_int_equal(pool_expose(stepped->pool, NULL), 0);
  stepped->id = number_of(plan->config.name);
  stepped->fd = pool_event_fd(stepped->pool);
  assert_true(stepped->fd >= 0);
}

/* An order is carried out, and the program hears of it. */
static void stepped_order(struct stepped *stepped, const char *what, const char *answer)
{
  struct pollfd look = {.fd = stepped->fd, .events = POLLIN};
  assert_int_equal(poll(&look, 1, 0), 0);
  order_at(stepped->id, what, answer);
  assert_int_equal(poll(&look, 1, 0), 1);
  assert_true(pool_maintain(stepped->pool) >= 0);
  assert_int_equal(poll(&look, 1, 0), 0);
}

static void nothing_is_left(struct stepped *stepped)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_next(stepped->pool, &step), 0);
}

static void test_expose__a_program_of_the_step_api_that_does_not_listen_is_not_steered(void **state)
{
  (void)state;
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool = step_pool(PLAN(.config.name = "deaf"));
  assert_int_equal(pool_event_fd(pool), POOL_E_UNSUPPORTED);
  pool_failure(&error);
  assert_non_null(strstr(error.message, "pool_expose()"));
  assert_int_equal(pool_expose(pool, NULL), 0);
  answers(getpid(), "report", "\"steerable\":false");
  static const char *const orders[] = {"pause", "resume", "flush", "evict", "resize 3"};
  for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
    order_at(number_of("deaf"), orders[i], "\"code\":-10,\"message\":\"the program of this pool would not hear of it");
  assert_int_equal(pool_resume(pool), POOL_E_INVALID); /* it was not paused */
  int fd = pool_event_fd(pool);
  assert_true(fd >= 0);
  assert_int_equal(pool_event_fd(pool), fd);
  char *line = ask(getpid(), "report");
  assert_null(strstr(line, "\"steerable\":false"));
  free(line);
  order_at(number_of("deaf"), "pause", "{\"ok\":true,\"result\":0}");
  step_finish(pool, 0);
}

static void test_expose__a_program_of_the_step_api_wakes_and_closes_what_an_operator_asks_for(void **state)
{
  (void)state;
  struct stepped stepped;
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t leases[2];
  int conns[2];
  stepped_begin(&stepped, PLAN(.config.name = "stepped", .config.max_open = 2), 0);
  step_open_all(stepped.pool, leases, 2, conns);
  assert_int_equal(step_put(leases[0]), 0);
  stepped_order(&stepped, "pause", "\"result\":1}");
  nothing_is_left(&stepped);
  int64_t first = step_queue(stepped.pool, -1), second = step_queue(stepped.pool, -1);
  stepped_order(&stepped, "resume", "\"result\":0}");
  assert_next_wakes(stepped.pool, first, &step);
  leases[0] = pool_step_begin(stepped.pool, -1, first, &step);
  assert_true(leases[0] > 0);
  stepped_order(&stepped, "evict", "\"result\":1}");
  assert_next_wakes(stepped.pool, second, &step);
  assert_int_equal(pool_step_begin(stepped.pool, -1, second, &step), POOL_E_EVICTED);
  assert_int_equal(step_put(leases[0]), 0);
  stepped_order(&stepped, "flush", "\"result\":2}");
  assert_int_equal(step_close_next(stepped.pool, POOL_REASON_FLUSHED), 1);
  step_close(leases[1], POOL_REASON_FLUSHED);
  nothing_is_left(&stepped);
  step_finish(stepped.pool, 0);
}

static void test_expose__a_program_of_the_step_api_opens_and_closes_for_a_new_size(void **state)
{
  (void)state;
  struct stepped stepped;
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t leases[3];
  int conns[3];
  stepped_begin(&stepped, PLAN(.config.name = "sized", .config.max_open = 1), 0);
  step_open_all(stepped.pool, leases, 1, conns);
  int64_t ticket = step_queue(stepped.pool, -1);
  stepped_order(&stepped, "resize 3", "\"result\":0}");
  assert_next_wakes(stepped.pool, ticket, &step);
  assert_opens(stepped.pool, -1, ticket, &step);
  assert_true((leases[1] = pool_step_done(step.claim, NULL, &conns[1], &step)) > 0);
  leases[2] = step_open(stepped.pool, &conns[2]);
  for (int i = 0; i < 3; i++)
    assert_int_equal(step_put(leases[i]), 0);
  stepped_order(&stepped, "resize 1", "\"result\":0}");
  assert_int_equal(step_close_next(stepped.pool, POOL_REASON_RESIZED), 2);
  step_finish(stepped.pool, 1);
}

/* Events wait to be fetched as well. */
static void test_expose__a_program_of_the_step_api_refills_and_fetches_events_after_a_flush(void **state)
{
  (void)state;
  struct stepped stepped;
  pool_step_t step = POOL_STEP_INIT;
  pool_step_event_t event = POOL_STEP_EVENT_INIT;
  int conn;
  stepped_begin(&stepped,
                PLAN(.config.name = "refilled", .config.min_idle = 1,
                     .config.event_mask = 1 << POOL_EVENT_POOL_FLUSHED | 1 << POOL_EVENT_POOL_PAUSED),
                POOL_STEP_EVENTS);
  assert_int_equal(pool_step_next(stepped.pool, &step), 1);
  assert_int_equal(step.work, POOL_WORK_OPEN);
  assert_int_equal(pool_step_done(step.claim, NULL, &conn, &step), 0);
  stepped_order(&stepped, "flush", "\"result\":1}");
  assert_int_equal(pool_step_next(stepped.pool, &step), 1);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(pool_step_next(stepped.pool, &step), 1);
  assert_int_equal(step.work, POOL_WORK_OPEN);
  assert_int_equal(pool_step_done(step.claim, NULL, &conn, &step), 0);
  assert_int_equal(pool_step_event(stepped.pool, &event), 1);
  assert_int_equal(event.event, POOL_EVENT_POOL_FLUSHED);
  stepped_order(&stepped, "pause", "\"result\":0}");
  assert_int_equal(pool_step_next(stepped.pool, &step), 0);
  assert_int_equal(step.more, 1);
  assert_int_equal(pool_step_event(stepped.pool, &event), 1);
  assert_int_equal(event.event, POOL_EVENT_POOL_PAUSED);
  step_finish(stepped.pool, 1);
}

static void test_expose__a_program_of_the_step_api_that_closes_its_pool_is_steered_in_vain(void **state)
{
  (void)state;
  struct stepped stepped;
  stepped_begin(&stepped, PLAN(.config.name = "closed"), 0);
  int conn;
  pool_lease_t lease = step_open(stepped.pool, &conn);
  assert_int_equal(pool_close(stepped.pool, 0), 1);
  stepped_order(&stepped, "pause", "\"code\":-3");
  stepped_order(&stepped, "resize 3", "\"code\":-3");
  stepped_order(&stepped, "flush", "\"result\":1}");
  stepped_order(&stepped, "evict", "\"result\":0}");
  step_close(lease, POOL_REASON_FLUSHED);
  step_finish(stepped.pool, 0);
  struct pollfd look = {.fd = stepped.fd, .events = POLLIN};
  assert_int_equal(poll(&look, 1, 0), 1);
  assert_int_equal(look.revents, POLLNVAL);
  order_at(stepped.id, "pause", "no such pool");
}

static void test_expose__a_child_of_fork_has_a_descriptor_of_its_own_for_what_steers_it(void **state)
{
  (void)state;
  struct stepped stepped;
  stepped_begin(&stepped, PLAN(.config.name = "steps and forks", .config.max_open = 1), 0);
  order_at(stepped.id, "pause", "\"result\":0}"); /* is heard by the parent */
  pid_t child = fork_child();
  if (child == 0) {
    pool_step_t step = POOL_STEP_INIT;
    struct pollfd look = {.fd = stepped.fd, .events = POLLIN};
    must(poll(&look, 1, 0) == 0 && pool_expose(NULL, NULL) == 0);
    must(pool_event_fd(stepped.pool) == stepped.fd);
    must(pool_step_begin(stepped.pool, -1, 0, &step) == 0);
    int64_t ticket = step.ticket;
    order_at(stepped.id, "resume", "\"result\":0}");
    must(poll(&look, 1, 0) == 1 && pool_maintain(stepped.pool) >= 0 && poll(&look, 1, 0) == 0);
    must(pool_step_next(stepped.pool, &step) == 1 && step.wake == ticket);
    _exit(0);
  }
  assert_true(succeeded(child));
  struct pollfd look = {.fd = stepped.fd, .events = POLLIN};
  assert_int_equal(poll(&look, 1, 0), 1);
  assert_int_equal(pool_resume(stepped.pool), 0);
  step_finish(stepped.pool, 0);
}

/* A program whose threads sleep until they are told, and look at nothing by themselves.  What its own steps say they do
   at once; what an operator does only the keeper hears of. */
enum { SLEEPERS = 4, ROUNDS = 200 };

static struct {
  struct stepped stepped;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int64_t tickets[SLEEPERS]; /* of the threads that are not told yet */
  _Atomic int running;
} program = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void program_enlist(int thread, int64_t ticket)
{
  pthread_mutex_lock(&program.lock);
  program.tickets[thread] = ticket;
  pthread_mutex_unlock(&program.lock);
}

static void program_sleep(int thread)
{
  pthread_mutex_lock(&program.lock);
  while (program.tickets[thread])
    pthread_cond_wait(&program.changed, &program.lock);
  pthread_mutex_unlock(&program.lock);
}

static void program_tell(int64_t ticket)
{
  pthread_mutex_lock(&program.lock);
  for (int i = 0; ticket && i < SLEEPERS; i++)
    if (program.tickets[i] == ticket)
      program.tickets[i] = 0;
  pthread_cond_broadcast(&program.changed);
  pthread_mutex_unlock(&program.lock);
}

static void program_tend(void);

/* What a call of the step API has come to in the end. */
static pool_lease_t program_follow(pool_lease_t result, pool_step_t *step)
{
  for (;;) {
    program_tell(step->wake);
    if (step->more)
      program_tend();
    if (step->work == POOL_WORK_NONE)
      return result;
    result = pool_step_done(step->claim, NULL, &program, step);
  }
}

static void program_tend(void)
{
  pool_step_t step = POOL_STEP_INIT;
  while (pool_step_next(program.stepped.pool, &step) == 1)
    program_follow(0, &step);
}

static pool_lease_t program_get(int thread)
{
  pool_step_t step = POOL_STEP_INIT;
  for (int64_t ticket = 0;; ticket = step.ticket) {
    program_enlist(thread, ticket);
    pool_lease_t result = program_follow(pool_step_begin(program.stepped.pool, -1, ticket, &step), &step);
    if (result)
      return result;
    if (ticket && step.ticket == ticket)
      program_sleep(thread);
  }
}

static void *program_use(void *data)
{
  int thread = (int)(intptr_t)data;
  for (int round = 0; round < ROUNDS;) {
    pool_step_t step = POOL_STEP_INIT;
    pool_lease_t lease = program_get(thread);
    must(lease > 0 || lease == POOL_E_EVICTED);
    if (lease < 0)
      continue;
    must(program_follow(pool_step_end(lease, &step), &step) == 0);
    round++;
  }
  atomic_fetch_sub(&program.running, 1);
  return NULL;
}

static void *program_keep(void *data)
{
  struct pollfd look = {.fd = program.stepped.fd, .events = POLLIN};
  while (atomic_load(&program.running) > 0) {
    must(poll(&look, 1, -1) == 1);
    must(pool_maintain(program.stepped.pool) >= 0);
    program_tend();
  }
  return data;
}

static void test_expose__a_program_of_the_step_api_loses_no_waiter_however_often_it_is_steered(void **state)
{
  (void)state;
  static const char *const orders[] = {"pause", "resume", "flush",  "resize 2", "pause",
                                       "evict", "flush",  "resume", "resize 1", "evict"};
  pthread_t users[SLEEPERS];
  stepped_begin(&program.stepped, PLAN(.config.name = "program", .config.max_open = 1), 0);
  atomic_store(&program.running, SLEEPERS);
  pthread_t keeper = thread_start(program_keep, NULL);
  for (int i = 0; i < SLEEPERS; i++)
    users[i] = thread_start(program_use, (void *)(intptr_t)i);
  do
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
      order_at(program.stepped.id, orders[i], "{\"ok\":true,");
  while (atomic_load(&program.running) > 0);
  order_at(program.stepped.id, "evict", "\"result\":0}"); /* the keeper may have missed that it is the end */
  threads_end(users, SLEEPERS);
  thread_end(keeper);
  step_finish(program.stepped.pool, pool_close(program.stepped.pool, 0));
}

/* ---- callbacks ---- */

static struct gate told;

static void hear_pause(void *user, const pool_event_t *event)
{
  (void)user;
  if (event->event == POOL_EVENT_POOL_PAUSED)
    gate_pass(&told);
}

static void *ask_for_pause(void *data)
{
  answers(getpid(), (const char *)data, "\"ok\":true");
  return NULL;
}

static void test_expose__a_close_waits_until_no_callback_runs_for_a_client(void **state)
{
  (void)state;
  struct fake fake;
  char request[80];
  gate_init(&told, false);
  pool_t *pool = fake_start(&fake, PLAN(.config.name = "telling", .config.events = hear_pause));
  assert_int_equal(pool_expose(pool, NULL), 0);
  snprintf(request, sizeof request, "pause %lld", (long long)number_of("telling"));
  pthread_t client = thread_hold_up(&told, ask_for_pause, request);
  struct closer closer;
  closer_start(&closer, pool, -1);
  wait_until(closer_waits(&closer));
  gate_set(&told, true);
  closer_end(&closer, 0);
  thread_end(client);
  fake_finish(&fake, pool);
}

/* ---- other users ---- */

static void refuses(const char *text)
{
  char problem[512];
  assert_int_equal(folder_open(FOLDER_RUNTIME, true, problem, sizeof problem), -1);
  if (!strstr(problem, text))
    fail_msg("\"%s\" is not in \"%s\"", text, problem);
}

static void test_expose__a_folder_that_is_a_link_a_file_or_open_to_others_is_refused(void **state)
{
  (void)state;
  char folder[64], path[100], elsewhere[256], problem[512];
  snprintf(folder, sizeof folder, "%s/attack-XXXXXX", runtime); /* which goes also if this fails */
  assert_non_null(mkdtemp(folder));
  assert_int_equal(setenv("XDG_RUNTIME_DIR", folder, 1), 0);
  snprintf(path, sizeof path, "%s/libpool", folder);
  snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
  assert_int_equal(mkdir(elsewhere, 0700), 0);
  assert_int_equal(symlink(elsewhere, path), 0);
  refuses("is no folder, or a link to one");
  unlink(path);
  close(open(path, O_CREAT | O_WRONLY, 0600));
  refuses("is no folder, or a link to one");
  unlink(path);
  assert_int_equal(mkdir(path, 0700), 0);
  assert_int_equal(chmod(path, 0750), 0);
  refuses("has mode 0750; it must be 0700");
  assert_int_equal(chmod(path, 0700), 0);
  if (geteuid() == 0) {
    assert_int_equal(chown(path, NOBODY, NOBODY), 0);
    refuses("belongs to user 65534");
    assert_int_equal(chown(path, 0, 0), 0);
  } else
    print_message("only root can give a folder to another user; that part is left out\n");
  int fd = folder_open(FOLDER_RUNTIME, true, problem, sizeof problem);
  assert_true(fd >= 0);
  close(fd);
  rmdir(path);
  rmdir(elsewhere);
  rmdir(folder);
  assert_int_equal(setenv("XDG_RUNTIME_DIR", runtime, 1), 0);
}

static void become_nobody(void)
{
  must(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
}

/* Once with the folder as it is, and once with all doors open: then the server itself refuses the user. */
static void test_expose__another_user_cannot_ask(void **state)
{
  (void)state;
  struct fake fake;
  char folder[100], path[100];
  if (geteuid() != 0) {
    print_message("only root can become another user; this is left out\n");
    skip();
  }
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 1));
  assert_int_equal(pool_expose(pool, NULL), 0);
  pid_t owner = getpid();
  path_of(path, owner);
  snprintf(folder, sizeof folder, "%s/libpool", runtime);
  pid_t child = fork_child();
  if (child == 0) {
    become_nobody();
    _exit(client_connect(owner) == -1 && errno == EACCES ? 0 : 1);
  }
  assert_true(succeeded(child));
  assert_int_equal(chmod(runtime, 0755) | chmod(folder, 0755) | chmod(path, 0666), 0);
  child = fork_child();
  if (child == 0) {
    become_nobody();
    int fd = client_connect(owner);
    char byte;
    must(fd >= 0);
    _exit(recv(fd, &byte, 1, 0) <= 0 && errno != EAGAIN ? 0 : 1);
  }
  assert_true(succeeded(child));
  assert_int_equal(chmod(runtime, 0700) | chmod(folder, 0700) | chmod(path, 0600), 0);
  answers(owner, "report", "\"ok\":true");
  fake_finish(&fake, pool);
}

/* ---- clients that are broken ---- */

static void is_left(int fd, const char *with)
{
  errno = 0;
  char *line = client_hear(fd);
  assert_string_equal(line, with);
  free(line);
  char byte;
  assert_true(recv(fd, &byte, 1, 0) <= 0);
  close(fd);
}

static void test_expose__a_client_that_talks_too_much_is_left(void **state)
{
  (void)state;
  struct fake fake;
  char endless[4096];
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 1));
  assert_int_equal(pool_expose(pool, NULL), 0);
  memset(endless, 'x', sizeof endless - 1);
  endless[sizeof endless - 1] = 0;
  int fd = client_connect(getpid());
  client_send(fd, endless);
  is_left(fd, "{\"ok\":false,\"code\":-1,\"message\":\"a request has at most 127 bytes\"}");
  fd = client_connect(getpid());
  client_send(fd, "report\nreport\n");
  is_left(fd, "{\"ok\":false,\"code\":-1,\"message\":\"the next request must wait for the answer\"}");
  answers(getpid(), "report", "\"ok\":true");
  fake_finish(&fake, pool);
}

static void test_expose__a_crowd_of_clients_that_say_nothing_keeps_nobody_out(void **state)
{
  (void)state;
  enum { CROWD = 60 };
  struct fake fake;
  int crowd[CROWD];
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 1));
  assert_int_equal(pool_expose(pool, NULL), 0);
  for (int i = 0; i < CROWD; i++)
    assert_true((crowd[i] = client_connect(getpid())) >= 0);
  answers(getpid(), "report", "\"ok\":true");
  for (int i = 0; i < CROWD; i++)
    close(crowd[i]);
  answers(getpid(), "report", "\"ok\":true");
  fake_finish(&fake, pool);
}

/* The answers are more than a socket holds. */
static int64_t processor_ns(void)
{
  struct rusage usage;
  must(getrusage(RUSAGE_SELF, &usage) == 0);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000000) +
         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * INT64_C(1000);
}

/* As some do that have opened all that they need: then there can be no wait for the server's descriptors either. */
static void test_expose__a_program_that_forbids_itself_more_descriptors_keeps_its_processor(void **state)
{
  (void)state;
  struct fake fake;
  struct rlimit before, few;
  pool_t *pool = fake_start(&fake, PLAN());
  assert_int_equal(pool_expose(pool, NULL), 0);
  int fd = client_connect(getpid());
  assert_true(fd >= 0);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  few = before;
  few.rlim_cur = 1;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  client_send(fd, "report\n");
  int64_t used_ns = processor_ns();
  poll(NULL, 0, 500);
  used_ns = processor_ns() - used_ns;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_true(used_ns < INT64_C(200000000));
  char *line = client_hear(fd);
  assert_non_null(strstr(line, "\"ok\":true"));
  free(line);
  close(fd);
  fake_finish(&fake, pool);
}

static void test_expose__a_client_that_does_not_read_keeps_nobody_waiting(void **state)
{
  (void)state;
  enum { LEASES = 3000 };
  struct fake fake;
  static pool_lease_t leases[LEASES];
  pool_t *pools[30];
  struct fake fakes[30];
  for (int i = 0; i < 30; i++) {
    pools[i] = fake_start(&fakes[i], PLAN(.config.max_open = 100));
    leases_get(pools[i], leases + i * 100, 100);
    assert_int_equal(pool_expose(pools[i], NULL), 0);
  }
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 1));
  assert_int_equal(pool_expose(pool, NULL), 0);
  int fd = client_connect(getpid());
  assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){1}, sizeof(int)), 0);
  client_send(fd, "report\n");
  for (int i = 0; i < 5; i++)
    answers(getpid(), "report", "\"ok\":true");
  close(fd);
  for (int i = 0; i < 30; i++) {
    leases_put(leases + i * 100, 100);
    fake_finish(&fakes[i], pools[i]);
  }
  fake_finish(&fake, pool);
}

/* ---- forks ---- */

static void use_in_child(struct fake *fake, pool_t *pool)
{
  char number[40];
  renew(fake);
  must(client_connect(getpid()) == -1); /* nothing was used yet */
  pool_lease_t lease = pool_get(pool);
  must(lease > 0);
  snprintf(number, sizeof number, "\"pid\":%ld,", (long)getpid());
  answers(getpid(), "report", number);
  answers(getppid(), "report", "\"leased\":0");
  answers(getpid(), "report", "\"leased\":1");
  must(pool_put(lease) == 0);
  finish_child(fake, pool);
}

static void test_expose__a_child_of_fork_has_a_socket_of_its_own_once_it_uses_a_pool(void **state)
{
  (void)state;
  struct fake fake;
  pool_t *pool = fake_start(&fake, PLAN(.config.name = "forked", .config.max_open = 2));
  assert_int_equal(pool_expose(pool, NULL), 0);
  for (int i = 0; i < 2; i++) {
    pid_t child = fork_child();
    if (child == 0)
      use_in_child(&fake, pool);
    assert_true(succeeded(child));
    answers(getpid(), "report", "\"name\":\"forked\"");
  }
  fake_finish(&fake, pool);
}

/* Otherwise a client of a parent that is gone would wait for a child that does not answer. */
static void test_expose__a_child_that_uses_nothing_keeps_nothing_of_the_parents_socket(void **state)
{
  (void)state;
  int out[2], in[2];
  struct fake fake;
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 2));
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  assert_int_equal(pipe2(in, O_CLOEXEC), 0);
  pid_t parent = fork_child();
  if (parent == 0) {
    renew(&fake);
    must(pool_expose(pool, NULL) == 0);
    must(client_connect(getpid()) >= 0);
    pid_t child = fork();
    if (child == 0) {
      char byte = '+';
      close(in[1]);
      must(write(out[1], &byte, 1) == 1);
      must(read(in[0], &byte, 1) == 0); /* until the test has looked */
    }
    _exit(0);
  }
  assert_true(succeeded(parent));
  char byte;
  assert_int_equal(read(out[0], &byte, 1), 1);
  assert_int_equal(client_connect(parent), -1);
  assert_int_equal(errno, ECONNREFUSED);
  close(in[1]);
  close(in[0]);
  close(out[0]);
  close(out[1]);
  fake_finish(&fake, pool);
}

/* ---- at one time ---- */

static _Atomic bool storm_over;

static int storm_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)error;
  *conn = &storm_over;
  return 0;
}

static int storm_close(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  return 0;
}

static void *make_and_free(void *data)
{
  for (int i = 0; i < 100; i++) {
    pool_vtable_t vtable = POOL_VTABLE_INIT;
    vtable.open = storm_open;
    vtable.close = storm_close;
    pool_config_t config = POOL_CONFIG_INIT;
    pool_t *pool;
    config.name = "storm";
    must(pool_create(&config, &vtable, NULL, &pool, NULL) == 0 && pool_expose(pool, NULL) == 0);
    pool_lease_t lease = pool_get(pool);
    must(lease > 0 && pool_tag(lease, "in the storm") == 0);
    pool_free(pool);
    must(pool_put(lease) == 0);
  }
  return data;
}

static void *ask_again_and_again(void *data)
{
  char request[40];
  for (int64_t i = 0; !atomic_load(&storm_over); i++) {
    snprintf(request, sizeof request, "flush %lld", (long long)i * 3);
    free(ask(getpid(), i % 2 ? "report" : request));
  }
  return data;
}

static void fork_sometimes(void)
{
#ifndef __SANITIZE_ADDRESS__ /* its allocator does not survive a fork while the library's thread allocates */
  for (int i = 0; i < 3; i++) {
    pid_t child = fork_child();
    if (child == 0)
      _exit(client_connect(getpid()) == -1 ? 0 : 1);
    assert_true(succeeded(child));
  }
#endif
}

static void test_expose__pools_come_and_go_while_they_are_told_and_the_process_forks(void **state)
{
  (void)state;
  struct fake fake;
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 1));
  assert_int_equal(pool_expose(pool, NULL), 0);
  pthread_t makers[3], askers[2];
  atomic_store(&storm_over, false);
  threads_start(askers, 2, ask_again_and_again, NULL);
  threads_start(makers, 3, make_and_free, NULL);
  fork_sometimes();
  threads_end(makers, 3);
  atomic_store(&storm_over, true);
  threads_end(askers, 2);
  fake_finish(&fake, pool);
}

static void test_expose__one_thread_serves_all_pools(void **state)
{
  (void)state;
  struct fake fakes[8];
  pool_t *pools[8];
  int before = 0;
  for (int i = 0; i < 8; i++) {
    pools[i] = fake_start(&fakes[i], PLAN(.config.max_open = 1));
    assert_int_equal(pool_expose(pools[i], NULL), 0);
    if (i == 0)
      before = thread_count();
  }
  assert_int_equal(thread_count(), before);
  for (int i = 0; i < 8; i++)
    fake_finish(&fakes[i], pools[i]);
}

/* ---- all ---- */

/* From here on each pool of this process is exposed, so this is the last. */
static void test_expose__no_pool_means_all_of_them(void **state)
{
  (void)state;
  struct fake before, after;
  pool_t *first = fake_start(&before, PLAN(.config.name = "before"));
  assert_int_equal(pool_expose(NULL, NULL), 0);
  pool_t *second = fake_start(&after, PLAN(.config.name = "after"));
  answers(getpid(), "report", "\"name\":\"before\"");
  answers(getpid(), "report", "\"name\":\"after\"");
  fake_finish(&before, first);
  fake_finish(&after, second);
}

static int set_up(void **state)
{
  (void)state;
  return mkdtemp(runtime) && setenv("XDG_RUNTIME_DIR", runtime, 1) == 0 && unsetenv("POOL_EXPOSE") == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
  (void)state;
  char command[256];
  snprintf(command, sizeof command, "rm -r %s", runtime);
  return system(command) == 0 ? 0 : -1;
}

int main(int count, char **arguments)
{
  fake_init(&others_fake);
  if (count == 2)
    return strcmp(arguments[1], "twins") == 0  ? be_twins()
           : strcmp(arguments[1], "poor") == 0 ? be_poor()
                                               : be_unclear();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_expose__without_being_asked_there_is_no_thread_and_no_folder),
      cmocka_unit_test(test_expose__the_environment_exposes_all_pools_of_a_process),
      cmocka_unit_test(test_expose__the_name_of_a_process_is_taken_back_as_it_exits),
      cmocka_unit_test(test_expose__an_environment_without_it_exposes_nothing),
      cmocka_unit_test(test_expose__an_unclear_environment_exposes_nothing_and_the_log_says_so),
      cmocka_unit_test(test_expose__a_process_without_descriptors_has_its_pools_and_the_log_says_what_is_missing),
      cmocka_unit_test(test_expose__only_what_was_exposed_is_told_with_leases_and_waiters),
      cmocka_unit_test(test_expose__a_pool_that_was_freed_leaves_nothing_to_the_next),
      cmocka_unit_test(test_expose__many_pools_are_all_told_and_those_of_one_name_have_numbers_of_their_own),
      cmocka_unit_test(test_expose__another_process_pauses_resumes_flushes_resizes_and_evicts),
      cmocka_unit_test(test_expose__what_is_refused_is_refused_with_a_reason),
      cmocka_unit_test(test_expose__a_program_of_the_step_api_that_does_not_listen_is_not_steered),
      cmocka_unit_test(test_expose__a_program_of_the_step_api_wakes_and_closes_what_an_operator_asks_for),
      cmocka_unit_test(test_expose__a_program_of_the_step_api_opens_and_closes_for_a_new_size),
      cmocka_unit_test(test_expose__a_program_of_the_step_api_refills_and_fetches_events_after_a_flush),
      cmocka_unit_test(test_expose__a_program_of_the_step_api_that_closes_its_pool_is_steered_in_vain),
      cmocka_unit_test(test_expose__a_child_of_fork_has_a_descriptor_of_its_own_for_what_steers_it),
      cmocka_unit_test(test_expose__a_program_of_the_step_api_loses_no_waiter_however_often_it_is_steered),
      cmocka_unit_test(test_expose__a_close_waits_until_no_callback_runs_for_a_client),
      cmocka_unit_test(test_expose__a_folder_that_is_a_link_a_file_or_open_to_others_is_refused),
      cmocka_unit_test(test_expose__another_user_cannot_ask),
      cmocka_unit_test(test_expose__a_client_that_talks_too_much_is_left),
      cmocka_unit_test(test_expose__a_crowd_of_clients_that_say_nothing_keeps_nobody_out),
      cmocka_unit_test(test_expose__a_program_that_forbids_itself_more_descriptors_keeps_its_processor),
      cmocka_unit_test(test_expose__a_client_that_does_not_read_keeps_nobody_waiting),
      cmocka_unit_test(test_expose__a_child_of_fork_has_a_socket_of_its_own_once_it_uses_a_pool),
      cmocka_unit_test(test_expose__a_child_that_uses_nothing_keeps_nothing_of_the_parents_socket),
      cmocka_unit_test(test_expose__one_thread_serves_all_pools),
      cmocka_unit_test(test_expose__pools_come_and_go_while_they_are_told_and_the_process_forks),
      cmocka_unit_test(test_expose__no_pool_means_all_of_them),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
