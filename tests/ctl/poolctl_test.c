/* SPDX-License-Identifier: MIT */
/* poolctl as people and scripts meet it: what it prints where, and how it ends. */
#include "steps.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>
#include <pool/expose.h>

#include "arith_server.h"

static const char *poolctl; /* its path */
static char runtime[] = "/tmp/libpool-ctl-XXXXXX";
static char server_url[80];

/* ---- running it ---- */

struct run {
  int code;
  char *out, *err;
};

static char *read_all(FILE *file)
{
  char *text = NULL;
  size_t size = 0;
  FILE *memory = open_memstream(&text, &size);
  rewind(file);
  for (int byte; (byte = fgetc(file)) != EOF;)
    fputc(byte, memory);
  fclose(memory);
  fclose(file);
  return text;
}

static pid_t start(int out, int err, const char *const *words)
{
  const char *argv[16] = {poolctl};
  for (int i = 0; i < 14 && words[i]; i++)
    argv[i + 1] = words[i];
  pid_t child = fork();
  if (child == 0) {
    if (dup2(out, 1) < 0)
      close(1); /* -1: there is no standard output */
    dup2(err, 2);
    execv(poolctl, (char *const *)argv);
    _exit(127);
  }
  return child;
}

static int wait_for(pid_t child)
{
  int status;
  while (waitpid(child, &status, 0) < 0)
    assert_int_equal(errno, EINTR);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static struct run run_words(const char *const *words)
{
  FILE *out = tmpfile(), *err = tmpfile();
  assert_true(out && err);
  struct run run = {.code = wait_for(start(fileno(out), fileno(err), words))};
  run.out = read_all(out);
  run.err = read_all(err);
  return run;
}

#define RUN(...) run_words((const char *const[]){__VA_ARGS__, NULL})

static void run_free(struct run *run)
{
  free(run->out);
  free(run->err);
}

static void has(const char *text, const char *part)
{
  if (!strstr(text, part))
    fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static void has_not(const char *text, const char *part)
{
  if (strstr(text, part))
    fail_msg("\"%s\" is in \"%s\"", part, text);
}

/* It ends with a code, and says something on stderr alone. */
static void refuses(int code, const char *part, const char *const *words)
{
  struct run run = run_words(words);
  if (run.code != code)
    fail_msg("%s %s ended with %d, not %d: %s", words[0], words[1] ? words[1] : "", run.code, code, run.err);
  has(run.err, part);
  has_not(run.out, part);
  has_not(run.err, "\033");
  run_free(&run);
}

#define REFUSES(code, part, ...) refuses(code, part, (const char *const[]){__VA_ARGS__, NULL})

/* It ends well and its output is a document, which the caller frees. */
static json_t *document_of(int code, const char *const *words)
{
  struct run run = run_words(words);
  json_t *document = json_loads(run.out, 0, NULL);
  if (run.code != code || !document)
    fail_msg("%s ended with %d: %s%s", words[0], run.code, run.out, run.err);
  has_not(run.out, "\033");
  run_free(&run);
  return document;
}

#define JSON(code, ...) document_of(code, (const char *const[]){__VA_ARGS__, NULL})

/* ---- help ---- */

static void test_ctl__help_and_version_are_on_standard_output(void **state)
{
  (void)state;
  struct run run = RUN("--help");
  assert_int_equal(run.code, 0);
  has(run.out, "Usage: poolctl COMMAND");
  assert_string_equal(run.err, "");
  run_free(&run);
  run = RUN("--version");
  assert_int_equal(run.code, 0);
  has(run.out, pool_version());
  run_free(&run);
  static const char *const commands[] = {"call",  "bench",  "check", "drivers", "settings", "top",
                                         "pause", "resume", "flush", "evict",   "resize"};
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    run = RUN(commands[i], "--help");
    assert_int_equal(run.code, 0);
    has(run.out, "--json");
    assert_string_equal(run.err, "");
    run_free(&run);
  }
}

static void test_ctl__a_wrong_command_line_ends_with_2_and_says_what_would_be_right(void **state)
{
  (void)state;
  refuses(2, "Usage: poolctl COMMAND", (const char *const[]){NULL, NULL});
  REFUSES(2, "there is no command \"chek\"; did you mean check", "chek");
  REFUSES(2, "there is no command \"zap\"; `poolctl --help` lists them", "zap");
  REFUSES(2, "unrecognized option '--zap'", "drivers", "--zap");
  REFUSES(2, "unrecognized option '--threads", "top", "--threads=3");
  REFUSES(2, "\"zap\" is one argument too many", "drivers", "zap");
  REFUSES(2, "a URL is missing", "check");
  REFUSES(2, "an argument is missing", "call", "jsonrpc://localhost:1");
  REFUSES(2, "--threads is \"many\"; it must be a number from 1 to 1024", "bench", "--threads", "many", "x://y");
  REFUSES(2, "--threads is \"0\"", "bench", "--threads=0", "x://y");
  REFUSES(2, "--duration is \"1e3\"", "bench", "-d", "1e3", "x://y");
  REFUSES(2, "--sort is \"size\"; it must be pid, program", "top", "--once", "--sort", "size");
  REFUSES(2, "no setting is called \"maxopen\"; did you mean max_open?", "settings", "maxopen");
  REFUSES(2, "is no PID or PID/POOL", "pause", "prices");
  REFUSES(2, "is no PID or PID/POOL", "pause", "12/");
  REFUSES(2, "invalid option", "pause", "-3");
  REFUSES(2, "is no PID or PID/POOL", "pause", "--", "-3");
  REFUSES(2, "is no number of connections", "resize", "12", "many");
  REFUSES(2, "is no number of connections", "resize", "12", "99999999999");
}

static void test_ctl__a_wrong_url_ends_with_2_and_a_missing_driver_with_3(void **state)
{
  (void)state;
  static const char *const commands[] = {"check", "bench"};
  for (int i = 0; i < 2; i++) {
    REFUSES(2, "a URL begins with SCHEME:", commands[i], "foo");
    REFUSES(2, "no setting is called \"max_opn\"; did you mean max_open?", commands[i],
            "jsonrpc://localhost:1?pool.max_opn=3");
    REFUSES(3, "no driver for the scheme 'zap'", commands[i], "zap://localhost");
  }
  REFUSES(2, "a URL begins with SCHEME:", "call", "foo", "Arith.Mul");
  REFUSES(3, "no driver for the scheme 'zap'", "call", "zap://localhost", "Arith.Mul");
}

/* ---- without a server ---- */

static void test_ctl__drivers_are_listed(void **state)
{
  (void)state;
  json_t *document = JSON(0, "drivers", "--json"), *driver;
  size_t i;
  bool found = false;
  json_array_foreach(json_object_get(document, "drivers"), i, driver)
  {
    const char *name = json_string_value(json_object_get(driver, "name"));
    found = found || (strcmp(name, "jsonrpc") == 0 && json_is_true(json_object_get(driver, "usable")));
  }
  assert_true(found);
  json_decref(document);
  struct run run = RUN("drivers");
  assert_int_equal(run.code, 0);
  has(run.out, "pool-jsonrpc.so");
  run_free(&run);
}

static void test_ctl__settings_are_those_of_the_library(void **state)
{
  (void)state;
  pool_setting_t setting = POOL_SETTING_INIT;
  json_t *document = JSON(0, "settings", "--json"), *list = json_object_get(document, "settings");
  int count = pool_setting(0, &setting);
  assert_int_equal(json_array_size(list), count);
  for (int i = 0; i < count; i++) {
    json_t *one = json_array_get(list, (size_t)i);
    assert_true(pool_setting(i, &setting) > 0);
    assert_string_equal(json_string_value(json_object_get(one, "name")), setting.name);
    if (setting.type != POOL_SETTING_TEXT)
      assert_int_equal(json_integer_value(json_object_get(one, "default")), setting.standard);
  }
  json_decref(document);
  struct run run = RUN("settings", "max_open");
  has(run.out, "max_open = 0 (1 to 1048568 connections); 0: no hard cap\n");
  has_not(run.out, "max_idle");
  run_free(&run);
}

/* ---- with a server ---- */

static void test_ctl__check_times_each_step(void **state)
{
  (void)state;
  static const char *const names[] = {"prepare", "connect", "open", "check", "reset", "close"};
  json_t *document = JSON(0, "check", "--json", server_url), *steps = json_object_get(document, "steps");
  assert_true(json_is_true(json_object_get(document, "ok")));
  assert_int_equal(json_array_size(steps), 6);
  for (size_t i = 0; i < 6; i++) {
    json_t *step = json_array_get(steps, i);
    assert_string_equal(json_string_value(json_object_get(step, "step")), names[i]);
    assert_true(json_is_true(json_object_get(step, "ok")));
    /* The driver has no reset, so there is nothing to time. */
    assert_int_equal(json_integer_value(json_object_get(step, "ns")) > 0, strcmp(names[i], "reset") != 0);
  }
  json_t *connect = json_array_get(steps, 1), *open = json_array_get(steps, 2);
  assert_string_equal(json_string_value(json_object_get(connect, "of")), "open");
  assert_ptr_equal(strstr(server_url, json_string_value(json_object_get(connect, "note"))), strchr(server_url, '1'));
  assert_true(json_integer_value(json_object_get(connect, "ns")) <= json_integer_value(json_object_get(open, "ns")));
  json_decref(document);
  struct run run = RUN("check", server_url);
  assert_int_equal(run.code, 0);
  for (size_t i = 0; i < 6; i++)
    has(run.out, names[i]);
  has(run.out, "127.0.0.1");
  has_not(run.out, "\033");
  run_free(&run);
}

/* Counts what the first client sends. */
static void *count_bytes(void *data)
{
  char bytes[512];
  intptr_t count = 0;
  int client = accept4(*(int *)data, NULL, NULL, SOCK_CLOEXEC);
  for (ssize_t got; (got = recv(client, bytes, sizeof bytes, 0)) > 0;)
    count += got;
  close(client);
  return (void *)count;
}

static void test_ctl__what_a_closed_output_does_not_take_goes_to_no_server(void **state)
{
  (void)state;
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof name;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&name, size), 0);
  assert_int_equal(listen(listener, 1), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &size), 0);
  char url[80];
  snprintf(url, sizeof url, "jsonrpc://127.0.0.1:%d", ntohs(name.sin_port));
  pthread_t server;
  void *count;
  assert_int_equal(pthread_create(&server, NULL, count_bytes, &listener), 0);
  FILE *err = tmpfile();
  int code = wait_for(start(-1, fileno(err), (const char *const[]){"check", url, NULL}));
  assert_int_equal(pthread_join(server, &count), 0);
  char *text = read_all(err);
  has(text, "the output cannot be written");
  free(text);
  assert_int_equal(code, 1);
  assert_ptr_equal(count, NULL);
  close(listener);
}

static void test_ctl__check_says_which_step_failed(void **state)
{
  (void)state;
  REFUSES(1, "poolctl: connect: connecting to 127.0.0.1:1: ", "check", "jsonrpc://127.0.0.1:1");
  REFUSES(1, "poolctl: resolve: looking up no-such-host.invalid: ", "check", "jsonrpc://no-such-host.invalid:1");
  json_t *document = JSON(1, "check", "--json", "jsonrpc://127.0.0.1:1");
  json_t *steps = json_object_get(document, "steps"), *open = json_array_get(steps, 2);
  assert_true(json_is_false(json_object_get(json_array_get(steps, 1), "ok")));
  assert_string_equal(json_string_value(json_object_get(open, "phase")), "connect");
  assert_true(json_is_false(json_object_get(document, "ok")));
  assert_int_equal(json_array_size(steps), 3);
  assert_true(json_is_false(json_object_get(open, "ok")));
  assert_int_equal(json_integer_value(json_object_get(open, "code")), POOL_E_OPEN);
  json_decref(document);
}

/* The lines are shown without their times. */
static void expect_lines(struct run *run, const char *const *expected)
{
  for (char *line = strtok(run->out, "\n"); line; line = strtok(NULL, "\n")) {
    char shown[200], step[64], result[64];
    int end = 0;
    assert_non_null(*expected);
    assert_int_equal(sscanf(line, "%63s %63s %*s %*s %n", step, result, &end), 2);
    snprintf(shown, sizeof shown, "%s %s %s", step, result, line + end);
    assert_string_equal(shown, *expected++);
  }
  assert_null(*expected);
}

static void test_ctl__what_a_driver_says_of_its_phases_steers_no_terminal(void **state)
{
  (void)state;
  struct run run = RUN("check", "rude:late");
  assert_int_equal(run.code, 1);
  has_not(run.out, "\033");
  assert_string_equal(run.err, "poolctl: login: ?[2J late\n");
  expect_lines(&run, (const char *const[]){"prepare ok ", "con?[31mnect failed ?]0;title?: no?answer?[2J",
                                           "login failed ", "open failed in all", NULL});
  run_free(&run);
}

static void test_ctl__a_driver_that_says_no_phases_has_one_step(void **state)
{
  (void)state;
  json_t *document = JSON(0, "check", "--json", "rude:mute"), *steps = json_object_get(document, "steps");
  assert_int_equal(json_array_size(steps), 5); /* prepare, open, check, reset, close */
  assert_string_equal(json_string_value(json_object_get(json_array_get(steps, 1), "step")), "open");
  assert_null(json_object_get(json_array_get(steps, 1), "note"));
  json_decref(document);
}

static void test_ctl__call_prints_the_reply(void **state)
{
  (void)state;
  struct run run = RUN("call", server_url, "Arith.Mul", "{\"A\":7,\"B\":8}");
  assert_int_equal(run.code, 0);
  assert_string_equal(run.out, "56\n");
  assert_string_equal(run.err, "");
  run_free(&run);
  json_t *document = JSON(0, "call", "--json", server_url, "Arith.Mul", "{\"A\":7,\"B\":8}");
  assert_int_equal(json_integer_value(json_object_get(document, "reply")), 56);
  json_decref(document);
  REFUSES(1, "divide by zero", "call", server_url, "Arith.Div", "{\"A\":7,\"B\":0}");
  document = JSON(1, "call", "--json", server_url, "Arith.Div", "{\"A\":7,\"B\":0}");
  assert_true(json_is_false(json_object_get(document, "ok")));
  assert_string_equal(json_string_value(json_object_get(document, "message")), "divide by zero");
  json_decref(document);
  REFUSES(1, "refused", "call", "jsonrpc://127.0.0.1:1", "Arith.Mul", "{}");
}

static void test_ctl__bench_measures_with_and_without_a_pool(void **state)
{
  (void)state;
  json_t *document =
      JSON(0, "bench", "--json", "-T2", "-d100", "-m", "Arith.Mul", "-w", "{\"A\":7,\"B\":8}", server_url);
  json_t *runs = json_object_get(document, "runs");
  assert_int_equal(json_array_size(runs), 2);
  for (size_t i = 0; i < 2; i++) {
    json_t *run = json_array_get(runs, i), *wait = json_object_get(run, "wait_ns");
    assert_true(json_integer_value(json_object_get(run, "uses")) > 0);
    assert_int_equal(json_integer_value(json_object_get(run, "failures")), 0);
    int64_t p50 = json_integer_value(json_object_get(wait, "p50")),
            max = json_integer_value(json_object_get(wait, "max"));
    int64_t p99 = json_integer_value(json_object_get(wait, "p99")),
            p999 = json_integer_value(json_object_get(wait, "p99.9"));
    assert_true(0 < p50 && p50 <= p99 && p99 <= p999 && p999 <= max);
    assert_true(json_array_size(json_object_get(run, "histogram")) > 0);
  }
  json_decref(document);
  struct run run = RUN("bench", "-T2", "-d50", "-H100", server_url);
  assert_int_equal(run.code, 0);
  has(run.out, "p99.9");
  has(run.out, "times as fast");
  has(run.out, "###");
  assert_string_equal(run.err, "");
  run_free(&run);
  run = RUN("bench", "-d50", "--pool-only", server_url);
  has_not(run.out, "no pool");
  run_free(&run);
  REFUSES(1, "uses failed; the first: ", "bench", "-d20", "jsonrpc://127.0.0.1:1");
}

/* ---- the URL ---- */

static void write_file(const char *path, const char *text)
{
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static void test_ctl__a_url_comes_from_a_file_or_from_the_environment(void **state)
{
  (void)state;
  char path[100], text[100];
  snprintf(path, sizeof path, "%s/url", runtime);
  snprintf(text, sizeof text, "%s\nanother line\n", server_url);
  write_file(path, text);
  struct run run = RUN("call", "--url-file", path, "Arith.Mul", "{\"A\":6,\"B\":7}");
  assert_string_equal(run.out, "42\n");
  run_free(&run);
  assert_int_equal(setenv("POOL_URL", server_url, 1), 0);
  run = RUN("call", "Arith.Mul", "{\"A\":6,\"B\":7}");
  assert_string_equal(run.out, "42\n");
  run_free(&run);
  run = RUN("check");
  assert_int_equal(run.code, 0);
  run_free(&run);
  assert_int_equal(setenv("POOL_URL", "jsonrpc://127.0.0.1:1", 1), 0);
  run = RUN("check", server_url); /* the command line comes first */
  assert_int_equal(run.code, 0);
  run_free(&run);
  assert_int_equal(unsetenv("POOL_URL"), 0);
  write_file(path, "");
  REFUSES(1, "has no line", "check", "--url-file", path);
  unlink(path);
  REFUSES(1, "cannot be read", "check", "--url-file", path);
}

static void test_ctl__no_password_is_printed(void **state)
{
  (void)state;
  static const char *const urls[] = {"jsonrpc://user:geheim@127.0.0.1:1", "zap://user:geheim@localhost",
                                     "://user:geheim@x", "jsonrpc://127.0.0.1:1?password=geheim"};
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
    for (int json = 0; json < 2; json++) {
      struct run run = RUN("check", urls[i], json ? "--json" : NULL);
      assert_int_not_equal(run.code, 0);
      has_not(run.out, "geheim");
      has_not(run.err, "geheim");
      run_free(&run);
    }
}

/* Asserts that a command line is refused without a part of the URL in it, but for its scheme. */
static void refuses_a_url(const char *const *words)
{
  struct run run = run_words(words);
  assert_int_not_equal(run.code, 0);
  has_not(run.err, "anna");
  has_not(run.err, "geheim");
  run_free(&run);
}

static void test_ctl__a_url_in_the_place_of_another_word_is_not_quoted(void **state)
{
  (void)state;
#define URL "jsonrpc://anna:geheim@127.0.0.1:1"
  static const char *const lines[][5] = {{URL},
                                         {"top", URL},
                                         {"check", URL, URL},
                                         {"check", "--timeout", URL},
                                         {"check", "--url-file", URL},
                                         {"check", "--url-file=zap:anna:geheim@h"},
                                         {"top", "--once", "--sort", URL},
                                         {"settings", URL},
                                         {"pause", URL},
                                         {"resize", "1", URL},
                                         {"health", URL}};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    refuses_a_url(lines[i]);
  REFUSES(2, "there is no command \"jsonrpc:...\"", URL);
#undef URL
}

static bool command_line_has(pid_t pid, const char *part)
{
  char path[40], line[1024];
  snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)pid);
  int fd = open(path, O_RDONLY);
  ssize_t size = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
  if (fd >= 0)
    close(fd);
  return size > 0 && memmem(line, (size_t)size, part, strlen(part));
}

/* A server that never answers. */
static void test_ctl__the_command_line_of_the_process_loses_the_url(void **state)
{
  (void)state;
  char url[100];
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%.60s/mute", runtime);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(listener, 4), 0);
  snprintf(url, sizeof url, "jsonrpc://%%2Ftmp%%2F%.40s%%2Fmute", runtime + strlen("/tmp/"));
  FILE *out = tmpfile();
  pid_t child = start(fileno(out), fileno(out), (const char *const[]){"call", url, "Arith.Mul", "{}", NULL});
  wait_until(command_line_has(child, "xxxxxxxx"));
  assert_false(command_line_has(child, "mute"));
  assert_true(command_line_has(child, "Arith.Mul"));
  kill(child, SIGKILL);
  wait_for(child);
  fclose(out);
  close(listener);
  unlink(address.sun_path);
}

/* ---- pools of this process ---- */

static char own[24]; /* its number */

static void target(char text[64], const char *pool)
{
  snprintf(text, 64, "%s/%s", own, pool);
}

static json_t *pool_named(json_t *document, const char *name)
{
  json_t *processes = json_object_get(document, "processes"), *process, *pool;
  size_t i, j;
  json_array_foreach(processes, i, process)
      json_array_foreach(json_object_get(process, "pools"), j,
                         pool) if (strcmp(json_string_value(json_object_get(pool, "name")), name) == 0) return pool;
  return NULL;
}

static void test_ctl__without_a_process_top_ends_with_3(void **state)
{
  (void)state;
  REFUSES(3, "start one with POOL_EXPOSE=1", "top", "--once");
  json_t *document = JSON(3, "top", "--once", "--json");
  assert_int_equal(json_array_size(json_object_get(document, "processes")), 0);
  json_decref(document);
  REFUSES(3, "no process 999999999 of this user exposes pools", "pause", "999999999");
  REFUSES(3, "`poolctl top --once` lists", "flush", own);
}

static void test_ctl__top_shows_what_is_lent_and_by_whom(void **state)
{
  (void)state;
  struct fake fake;
  pool_t *pool = fake_start(&fake, PLAN(.config.name = "prices", .config.max_open = 3));
  assert_int_equal(pool_expose(pool, NULL), 0);
  pool_lease_t lease = pool_get(pool);
  pool_tag(lease, "checkout");
  struct run run = RUN("top", "--once");
  assert_int_equal(run.code, 0);
  has(run.out, "LENT");
  has(run.out, "prices");
  has(run.out, "checkout");
  has(run.out, own);
  has_not(run.out, "\033");
  assert_string_equal(run.err, "");
  run_free(&run);
  json_t *document = JSON(0, "top", "--once", "--json"), *shown = pool_named(document, "prices");
  assert_non_null(shown);
  assert_int_equal(json_integer_value(json_object_get(shown, "leased")), 1);
  assert_int_equal(json_integer_value(json_object_get(shown, "max_open")), 3);
  json_t *leases = json_object_get(shown, "leases");
  assert_string_equal(json_string_value(json_object_get(json_array_get(leases, 0), "tag")), "checkout");
  json_decref(document);
  run = RUN("top", "--once", "--rows", "0");
  has_not(run.out, "checkout");
  run_free(&run);
  pool_put(lease);
  fake_finish(&fake, pool);
}

static void test_ctl__budget_shows_its_members(void **state)
{
  (void)state;
  char url[80], named[64];
  snprintf(named, sizeof named, "host:ctl-%s", own);
  snprintf(url, sizeof url, "%s?limit=7", named);
  REFUSES(3, "has a pool with the budget", "budget", "--once", named);
  REFUSES(2, "a budget is a URL", "budget", "--once", "orders");
  REFUSES(3, "no budget is kept by 'oracle:'", "budget", "--once", "oracle://u:secret@host/orders");
#ifdef HAS_BUDGET_REDIS
  REFUSES(1, "Connection refused", "budget", "--once", "redis://127.0.0.1:1/0/orders");
#endif
  struct fake fake;
  pool_t *pool = fake_start(&fake, PLAN(.config.name = "pri\033ces", .config.budget = url));
  pool_lease_t lease = pool_get(pool);
  struct run run = RUN("budget", "--once", named);
  assert_int_equal(run.code, 0);
  has(run.out, "1 of 7 permits granted");
  has(run.out, "pri?ces");
  has(run.out, own);
  run_free(&run);
  json_t *document = JSON(0, "budget", "--once", "--json", named), *members = json_object_get(document, "members");
  assert_int_equal(json_array_size(members), 1);
  assert_int_equal(json_integer_value(json_object_get(json_array_get(members, 0), "granted")), 1);
  assert_int_equal(json_integer_value(json_object_get(json_array_get(members, 0), "share")), 1);
  assert_string_equal(json_string_value(json_object_get(json_array_get(members, 0), "language")), "c");
  json_decref(document);
  pool_put(lease);
  fake_finish(&fake, pool);
}

static void test_ctl__top_sorts_by_a_column(void **state)
{
  (void)state;
  struct fake fakes[2];
  pool_t *first = fake_start(&fakes[0], PLAN(.config.name = "zebra"));
  pool_t *second = fake_start(&fakes[1], PLAN(.config.name = "aard"));
  assert_int_equal(pool_expose(first, NULL), 0);
  assert_int_equal(pool_expose(second, NULL), 0);
  pool_lease_t lease = pool_get(first);
  struct run run = RUN("top", "--once", "--rows=0", "--sort=pool");
  assert_true(strstr(run.out, "aard") < strstr(run.out, "zebra"));
  run_free(&run);
  run = RUN("top", "--once", "--rows=0", "--sort=lent");
  assert_true(strstr(run.out, "zebra") < strstr(run.out, "aard"));
  run_free(&run);
  pool_put(lease);
  fake_finish(&fakes[0], first);
  fake_finish(&fakes[1], second);
}

/* Reads until a text has come so many times.  free() frees what was read. */
static char *read_until(int fd, const char *text, int times)
{
  size_t size = 0, room = 1 << 20;
  char *read_ = calloc(1, room);
  for (int64_t began = now_ns();;) {
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    int count = 0;
    for (const char *at = read_; (at = strstr(at, text)); at++)
      count++;
    if (count >= times)
      return read_;
    if (now_ns() - began > INT64_C(20000000000) || poll(&polled, 1, 20000) != 1)
      fail_msg("\"%s\" did not come in %s", text, read_);
    ssize_t got = read(fd, read_ + size, room - size - 1);
    if (got <= 0)
      fail_msg("it ended before \"%s\": %s", text, read_);
    size += (size_t)got;
  }
}

static void test_ctl__top_goes_on_with_plain_lines_where_there_is_no_terminal(void **state)
{
  (void)state;
  struct fake fake;
  int ends[2];
  pool_t *pool = fake_start(&fake, PLAN(.config.name = "again"));
  assert_int_equal(pool_expose(pool, NULL), 0);
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  pid_t child = start(ends[1], 2, (const char *const[]){"top", "--interval", "50", NULL});
  close(ends[1]);
  char *text = read_until(ends[0], "again", 3);
  has_not(text, "\033");
  free(text);
  close(ends[0]); /* its reader goes away, and so does it */
  assert_int_equal(wait_for(child), 1);
  fake_finish(&fake, pool);
}

/* top on a terminal of the test's own, until q is pressed. */
static char *on_terminal(const char *no_color)
{
  int fd;
  struct winsize size = {.ws_row = 24, .ws_col = 132};
  pid_t child = forkpty(&fd, NULL, NULL, &size);
  assert_true(child >= 0);
  if (child == 0) {
    setenv("TERM", "xterm-256color", 1);
    no_color ? setenv("NO_COLOR", no_color, 1) : unsetenv("NO_COLOR");
    execl(poolctl, poolctl, "top", "--interval", "50", NULL);
    _exit(127);
  }
  char *text = read_until(fd, "waits", 1); /* the tag of the lease */
  assert_int_equal(write(fd, "q", 1), 1);
  char rest[4096];
  while (read(fd, rest, sizeof rest) > 0)
    ;
  assert_int_equal(wait_for(child), 0);
  close(fd);
  return text;
}

static void *get_and_put(void *pool)
{
  pool_lease_t lease = pool_get(pool);
  must(lease > 0 && pool_put(lease) == 0);
  return NULL;
}

static void test_ctl__top_on_a_terminal_is_a_screen_in_colours_unless_there_shall_be_none(void **state)
{
  (void)state;
  struct fake fake;
  pool_t *pool = fake_start(&fake, PLAN(.config.name = "live", .config.max_open = 1));
  assert_int_equal(pool_expose(pool, NULL), 0);
  pool_lease_t lease = pool_get(pool);
  pool_tag(lease, "somebody waits");
  pthread_t waiter = thread_start(get_and_put, pool);
  wait_until(stats_of(pool).waiting == 1);
  char *text = on_terminal(NULL);
  has(text, "poolctl top");
  has(text, "live");
  has(text, "\033[?1049h"); /* a screen of its own */
  has(text, "33m");         /* yellow, for somebody waits */
  free(text);
  text = on_terminal("1");
  has(text, "live");
  has_not(text, "33m");
  free(text);
  pool_put(lease);
  thread_end(waiter);
  fake_finish(&fake, pool);
}

/* ---- steering ---- */

static void test_ctl__pools_are_paused_resumed_flushed_resized_and_evicted(void **state)
{
  (void)state;
  struct fake fake;
  char name[64];
  pool_t *pool = fake_start(&fake, PLAN(.config.name = "steered", .config.max_open = 3));
  assert_int_equal(pool_expose(pool, NULL), 0);
  target(name, "steered");
  get_and_put_now(pool);
  struct run run = RUN("pause", name);
  assert_int_equal(run.code, 0);
  has(run.out, "steered: paused; 0 connections are still in use\n");
  run_free(&run);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  json_t *document = JSON(0, "evict", "--json", own);
  json_decref(document);
  assert_int_equal(pool_get(pool), POOL_E_EVICTED);
  document = JSON(0, "resume", "--json", own);
  json_t *result = json_array_get(json_object_get(document, "results"), 0);
  assert_string_equal(json_string_value(json_object_get(result, "pool")), "steered");
  assert_int_equal(json_integer_value(json_object_get(result, "pid")), getpid());
  assert_int_equal(json_integer_value(json_object_get(result, "result")), 0);
  json_decref(document);
  get_and_put_now(pool);
  REFUSES(1, "steered: this pool is not paused", "resume", name);
  run = RUN("flush", own);
  assert_int_equal(run.code, 0);
  run_free(&run);
  wait_until(stats_of(pool).closed_flushed == 1);
  run = RUN("resize", name, "1");
  has(run.out, "steered: resized");
  run_free(&run);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  pool_put(lease);
  fake_finish(&fake, pool);
}

/* A pool's name is enough: who writes a probe does not know the number of the process. */
static void test_ctl__health_is_a_word_and_an_exit_code(void **state)
{
  (void)state;
  struct fake fake;
  char name[64];
  pool_t *pool = fake_start(&fake, PLAN(.config.name = "probed", .config.max_open = 1, .config.get_timeout_ms = 50));
  assert_int_equal(pool_expose(pool, NULL), 0);
  target(name, "probed");
  struct run run = RUN("health", "probed");
  assert_int_equal(run.code, 0);
  has(run.out, "probed: healthy; 0 of 1 are open, 0 leased, 0 idle, 0 wait\n");
  run_free(&run);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_get(pool), POOL_E_TIMEOUT);
  json_t *document = JSON(0, "health", "--json", "--stuck-after", "86400000", name);
  json_t *result = json_array_get(json_object_get(document, "results"), 0);
  assert_string_equal(json_string_value(json_object_get(result, "health")), "busy");
  assert_int_equal(json_integer_value(json_object_get(result, "pid")), getpid());
  json_decref(document);
  wait_until(pool_health(pool, 50, NULL) == POOL_HEALTH_STUCK);
  run = RUN("health", own); /* all that this process exposes */
  assert_int_equal(run.code, 4);
  has(run.out, "probed: stuck: nothing came back for ");
  run_free(&run);
  pool_put(lease);
  run = RUN("health", "probed");
  assert_int_equal(run.code, 0);
  run_free(&run);
  REFUSES(3, "no process of this user exposes \"nosuch\"", "health", "nosuch");
  fake_finish(&fake, pool);
}

#define NO_MOUNT 77

/* Where the other folder of sockets is one that poolctl must not use. */
static int look_beside_another_folder(void)
{
  char folder[60];
  snprintf(folder, sizeof folder, "/tmp/libpool-%lu", (unsigned long)geteuid());
  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      (mkdir(folder, 0700) != 0 && errno != EEXIST) || mount("none", folder, "tmpfs", 0, "mode=0755") != 0)
    return NO_MOUNT;
  struct run health = RUN("health", "seen"), top = RUN("top", "--once");
  must(health.code == 0 && strstr(health.out, "seen: healthy") && strstr(health.err, "has mode 0755"));
  must(top.code == 0 && strstr(top.out, "seen") && strstr(top.err, "has mode 0755"));
  struct run absent = RUN("health", "nosuch");
  must(absent.code == 1 && strstr(absent.err, "has mode 0755"));
  return 0;
}

/* Anybody may have made a folder of that name in /tmp: no probe fails for that. */
static void test_ctl__a_folder_that_is_not_used_does_not_matter_where_the_pool_is_found(void **state)
{
  (void)state;
  struct fake fake;
  int status;
  pool_t *pool = fake_start(&fake, PLAN(.config.name = "seen"));
  assert_int_equal(pool_expose(pool, NULL), 0);
  pid_t child = fork();
  if (child == 0)
    _exit(look_beside_another_folder());
  assert_int_equal(waitpid(child, &status, 0), child);
  fake_finish(&fake, pool);
  if (WIFEXITED(status) && WEXITSTATUS(status) == NO_MOUNT)
    skip();
  assert_int_equal(status, 0);
}

static void ends_well(const char *verb, const char *name, const char *number, const char *said)
{
  struct run run = RUN(verb, name, number);
  has(run.out, said);
  assert_int_equal(run.code, 0);
  run_free(&run);
}

static void test_ctl__a_pool_of_the_step_api_is_steered_if_its_program_listens(void **state)
{
  (void)state;
  char name[64];
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = step_pool(PLAN(.config.name = "stepped", .config.max_open = 1));
  assert_int_equal(pool_expose(pool, NULL), 0);
  target(name, "stepped");
  REFUSES(1, "the program of this pool would not hear of it", "pause", name);
  struct pollfd look = {.fd = pool_event_fd(pool), .events = POLLIN};
  pool_lease_t lease = step_open(pool, &look);
  ends_well("pause", name, NULL, "stepped: paused; 1 connections are still in use\n");
  assert_int_equal(step_put(lease), 0);
  int64_t ticket = step_queue(pool, -1);
  pool_maintain(pool);
  assert_int_equal(poll(&look, 1, 0), 0);
  ends_well("resume", name, NULL, "stepped: ");
  assert_int_equal(poll(&look, 1, 0), 1);
  assert_next_wakes(pool, ticket, &step);
  lease = pool_step_begin(pool, -1, ticket, &step);
  assert_true(lease > 0);
  ticket = step_queue(pool, -1);
  ends_well("evict", name, NULL, "stepped: evicted; 1 waits were ended\n");
  assert_next_wakes(pool, ticket, &step);
  assert_int_equal(pool_step_begin(pool, -1, ticket, &step), POOL_E_EVICTED);
  assert_int_equal(step_put(lease), 0);
  ends_well("resize", name, "2", "stepped: resized");
  ends_well("flush", name, NULL, "stepped: ");
  assert_int_equal(step_close_next(pool, POOL_REASON_FLUSHED), 1);
  step_finish(pool, 0);
}

static void test_ctl__pools_of_one_name_are_told_apart_by_their_numbers(void **state)
{
  (void)state;
  struct fake fakes[2];
  char name[64];
  pool_t *first = fake_start(&fakes[0], PLAN(.config.name = "twins"));
  pool_t *second = fake_start(&fakes[1], PLAN(.config.name = "twins"));
  assert_int_equal(pool_expose(first, NULL), 0);
  assert_int_equal(pool_expose(second, NULL), 0);
  target(name, "twins");
  REFUSES(2, "has 2 pools that are meant; name one by its number:", "pause", name);
  REFUSES(2, "has 2 pools that are meant; name one by its number:", "resize", own, "3");
  target(name, "triplets");
  REFUSES(3, "exposes no pool \"triplets\"", "pause", name);
  target(name, "999999");
  REFUSES(3, "exposes no pool \"999999\"", "pause", name);
  json_t *document = JSON(0, "top", "--once", "--json");
  json_t *one = pool_named(document, "twins");
  char number[24];
  snprintf(number, sizeof number, "%lld", (long long)json_integer_value(json_object_get(one, "id")));
  json_decref(document);
  target(name, number);
  struct run run = RUN("pause", name);
  assert_int_equal(run.code, 0);
  run_free(&run);
  assert_int_equal(pool_get_for(first, 0), POOL_E_TIMEOUT);
  get_and_put_now(second);
  assert_int_equal(pool_resume(first), 0);
  fake_finish(&fakes[0], first);
  fake_finish(&fakes[1], second);
}

/* ---- processes that are broken ---- */

/* A socket under the number of a process; it listens unless that is gone. */
static int listen_as(const char *name, bool listens)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%.40s/libpool", runtime);
  mkdir(address.sun_path, 0700); /* unless another test's pool has made it */
  snprintf(address.sun_path, sizeof address.sun_path, "%.40s/libpool/%.20s", runtime, name);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
  if (listens)
    assert_int_equal(listen(fd, 4), 0);
  return fd;
}

static void forget(const char *name)
{
  char path[100];
  snprintf(path, sizeof path, "%s/libpool/%s", runtime, name);
  unlink(path);
}

static void test_ctl__the_socket_of_a_process_that_is_gone_is_removed(void **state)
{
  (void)state;
  struct run run;
  char path[100];
  close(listen_as("999999991", false));
  snprintf(path, sizeof path, "%s/libpool/999999991", runtime);
  assert_int_equal(access(path, F_OK), 0);
  run = RUN("top", "--once");
  assert_int_equal(run.code, 3);
  run_free(&run);
  assert_int_equal(access(path, F_OK), -1);
}

static void test_ctl__a_process_that_does_not_answer_is_not_waited_for(void **state)
{
  (void)state;
  int fd = listen_as("999999992", true);
  REFUSES(1, "1 process did not answer in time; stopped, perhaps?", "top", "--once");
  REFUSES(1, "process 999999992 does not answer; is it stopped?", "pause", "999999992");
  REFUSES(1, "1 did not answer in time; stopped, perhaps?", "health", "prices");
  close(fd);
  forget("999999992");
}

/* Connections that a process has not accepted, as those of poolctl that have given it up, until it has room for no
   more. */
static int crowd_as(const char *name, int *fds, int room)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%.40s/libpool/%.20s", runtime, name);
  for (int count = 0; count < room; count++) {
    fds[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connect(fds[count], (struct sockaddr *)&address, sizeof address) != 0)
      return count + 1;
  }
  fail_msg("%d connections, and it takes more", room);
  return 0;
}

static void test_ctl__a_process_that_was_often_asked_in_vain_is_not_gone(void **state)
{
  (void)state;
  int fd = listen_as("999999994", true), fds[16], count = crowd_as("999999994", fds, 16);
  REFUSES(1, "1 process did not answer in time; stopped, perhaps?", "top", "--once");
  REFUSES(1, "process 999999994 does not answer; is it stopped?", "pause", "999999994");
  REFUSES(1, "process 999999994: it does not answer; is it stopped?", "health", "999999994");
  while (count > 0)
    close(fds[--count]);
  close(fd);
  forget("999999994");
}

/* What a program answers whose names would steer a terminal. */
struct liar {
  int fd;
  const char *text;
};

static void *answer_once(void *data)
{
  const struct liar *liar = data;
  int fd = accept(liar->fd, NULL, NULL);
  char request[128];
  must(fd >= 0 && recv(fd, request, sizeof request, 0) > 0);
  must(send(fd, liar->text, strlen(liar->text), MSG_NOSIGNAL) == (ssize_t)strlen(liar->text));
  close(fd);
  return NULL;
}

static struct run run_against(const char *text)
{
  struct liar liar = {.fd = listen_as("999999993", true), .text = text};
  pthread_t thread = thread_start(answer_once, &liar);
  struct run run = RUN("top", "--once");
  thread_end(thread);
  close(liar.fd);
  forget("999999993");
  return run;
}

/* A process whose pools are too many for a report in time: it lists them, and does what it is told. */
static void *answer_all_but_reports(void *data)
{
  static const struct {
    const char *request, *answer;
  } known[] = {{"list\n", "{\"ok\":true,\"pools\":[{\"id\":1,\"name\":\"a\"},{\"id\":2,\"name\":\"b\"}]}\n"},
               {"pause 2\n", "{\"ok\":true,\"result\":0}\n"},
               {"health 2 0\n", "{\"ok\":true,\"result\":0,\"message\":\"b: healthy\"}\n"}};
  const int *listener = data;
  for (int fd; (fd = accept(*listener, NULL, NULL)) >= 0; close(fd)) {
    char request[128] = "";
    must(recv(fd, request, sizeof request - 1, 0) >= 0);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
      if (strcmp(request, known[i].request) == 0)
        must(send(fd, known[i].answer, strlen(known[i].answer), MSG_NOSIGNAL) > 0);
  }
  return NULL;
}

static void test_ctl__one_of_many_pools_is_steered_without_a_report_of_all(void **state)
{
  (void)state;
  int listener = listen_as("999999995", true);
  pthread_t thread = thread_start(answer_all_but_reports, &listener);
  struct run run = RUN("pause", "999999995/b");
  assert_string_equal(run.err, "");
  has(run.out, "999999995/2 b: paused");
  run_free(&run);
  run = RUN("health", "b");
  assert_string_equal(run.err, "");
  has(run.out, "b: healthy");
  run_free(&run);
  assert_int_equal(shutdown(listener, SHUT_RDWR), 0);
  thread_end(thread);
  close(listener);
  forget("999999995");
}

static void test_ctl__names_of_others_do_not_steer_the_terminal(void **state)
{
  (void)state;
  struct run run =
      run_against("{\"ok\":true,\"program\":\"a\\u001b[2Jb\",\"pools\":[{\"id\":1,\"name\":\"c\\u001b]0;x\\u0007"
                  "d\\n\",\"leases\":[{\"tag\":\"e\\u001b[31mf\"}]}]}\n");
  assert_int_equal(run.code, 0);
  has_not(run.out, "\033");
  has(run.out, "a?[2Jb");
  has(run.out, "e?[31mf");
  run_free(&run);
}

static void test_ctl__answers_that_are_none_are_no_answers(void **state)
{
  (void)state;
  static const char *const answers[] = {"\n", "zap\n", "[]\n", "{}\n", "{\"pools\":7}\n", "{\"pools\":[", "\xff\xfe\n"};
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    struct run run = run_against(answers[i]);
    assert_int_equal(run.code, 1);
    has(run.err, "did not answer");
    run_free(&run);
  }
  static const char *const odd[] = {
      "{\"pools\":[7,null,[],{}]}\n",
      "{\"program\":7,\"pools\":[{\"id\":\"x\",\"name\":[],\"leases\":7,\"wait\":[]}]}\n"};
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    struct run run = run_against(odd[i]);
    assert_int_equal(run.code, 0);
    run_free(&run);
  }
}

static void test_ctl__a_folder_that_others_can_enter_is_not_used(void **state)
{
  (void)state;
  char folder[100];
  snprintf(folder, sizeof folder, "%s/libpool", runtime);
  assert_int_equal(chmod(folder, 0755), 0);
  REFUSES(1, "has mode 0755; it must be 0700", "top", "--once");
  REFUSES(1, "has mode 0755; it must be 0700", "pause", "1234");
  assert_int_equal(chmod(folder, 0700), 0);
}

/* ---- all ---- */

static struct arith_server *server;

static int set_up(void **state)
{
  (void)state;
  char address[ARITH_SERVER_ADDRESS_SIZE];
  unsetenv("POOL_URL");
  unsetenv("POOL_EXPOSE");
  unsetenv("NO_COLOR");
  snprintf(own, sizeof own, "%ld", (long)getpid());
  if (!mkdtemp(runtime) || setenv("XDG_RUNTIME_DIR", runtime, 1) != 0 ||
      arith_server_start(&server, 0, address, sizeof address) != 0)
    return -1;
  snprintf(server_url, sizeof server_url, "jsonrpc://%s", address);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  char command[100];
  arith_server_stop(server);
  snprintf(command, sizeof command, "rm -r %s", runtime);
  return system(command) == 0 ? 0 : -1;
}

int main(int count, char **arguments)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ctl__help_and_version_are_on_standard_output),
      cmocka_unit_test(test_ctl__a_wrong_command_line_ends_with_2_and_says_what_would_be_right),
      cmocka_unit_test(test_ctl__a_wrong_url_ends_with_2_and_a_missing_driver_with_3),
      cmocka_unit_test(test_ctl__drivers_are_listed),
      cmocka_unit_test(test_ctl__settings_are_those_of_the_library),
      cmocka_unit_test(test_ctl__check_times_each_step),
      cmocka_unit_test(test_ctl__check_says_which_step_failed),
      cmocka_unit_test(test_ctl__what_a_driver_says_of_its_phases_steers_no_terminal),
      cmocka_unit_test(test_ctl__a_driver_that_says_no_phases_has_one_step),
      cmocka_unit_test(test_ctl__what_a_closed_output_does_not_take_goes_to_no_server),
      cmocka_unit_test(test_ctl__call_prints_the_reply),
      cmocka_unit_test(test_ctl__bench_measures_with_and_without_a_pool),
      cmocka_unit_test(test_ctl__a_url_comes_from_a_file_or_from_the_environment),
      cmocka_unit_test(test_ctl__no_password_is_printed),
      cmocka_unit_test(test_ctl__a_url_in_the_place_of_another_word_is_not_quoted),
      cmocka_unit_test(test_ctl__the_command_line_of_the_process_loses_the_url),
      cmocka_unit_test(test_ctl__without_a_process_top_ends_with_3), /* before any pool is exposed */
      cmocka_unit_test(test_ctl__top_shows_what_is_lent_and_by_whom),
      cmocka_unit_test(test_ctl__budget_shows_its_members),
      cmocka_unit_test(test_ctl__top_sorts_by_a_column),
      cmocka_unit_test(test_ctl__top_goes_on_with_plain_lines_where_there_is_no_terminal),
      cmocka_unit_test(test_ctl__top_on_a_terminal_is_a_screen_in_colours_unless_there_shall_be_none),
      cmocka_unit_test(test_ctl__pools_are_paused_resumed_flushed_resized_and_evicted),
      cmocka_unit_test(test_ctl__health_is_a_word_and_an_exit_code),
      cmocka_unit_test(test_ctl__a_folder_that_is_not_used_does_not_matter_where_the_pool_is_found),
      cmocka_unit_test(test_ctl__a_pool_of_the_step_api_is_steered_if_its_program_listens),
      cmocka_unit_test(test_ctl__pools_of_one_name_are_told_apart_by_their_numbers),
      cmocka_unit_test(test_ctl__the_socket_of_a_process_that_is_gone_is_removed),
      cmocka_unit_test(test_ctl__a_process_that_does_not_answer_is_not_waited_for),
      cmocka_unit_test(test_ctl__a_process_that_was_often_asked_in_vain_is_not_gone),
      cmocka_unit_test(test_ctl__one_of_many_pools_is_steered_without_a_report_of_all),
      cmocka_unit_test(test_ctl__names_of_others_do_not_steer_the_terminal),
      cmocka_unit_test(test_ctl__answers_that_are_none_are_no_answers),
      cmocka_unit_test(test_ctl__a_folder_that_others_can_enter_is_not_used),
  };
  if (count != 2) {
    fprintf(stderr, "usage: poolctl_test POOLCTL\n");
    return 2;
  }
  poolctl = arguments[1];
  signal(SIGPIPE, SIG_IGN);
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
