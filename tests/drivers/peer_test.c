/* SPDX-License-Identifier: MIT */
/* The jsonrpc driver against a server written in Go with its standard library.  argv[1] is that server's program. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/driver.h>

static const char *program;

struct peer {
  pid_t process;
  int input; /* held open: the server ends with it */
  int port;
  char folder[64];
  char path[100];
  char tcp[32];
  char unix_socket[110];
};

/* Runs in the new process: it must end with the test, however that ends. */
static void become_the_server(const char *address, const char *path, pid_t parent, int input, int output)
{
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(126);
  dup2(input, 0);
  dup2(output, 1);
  execl(program, program, address, path, (char *)NULL);
  _exit(127);
}

/* Starts the server, on the port that it had before if there is one, and waits until it listens. */
static void peer_start(struct peer *peer)
{
  int input[2], output[2];
  char address[32];
  pid_t parent = getpid();
  snprintf(address, sizeof address, "127.0.0.1:%d", peer->port);
  assert_int_equal(pipe2(input, O_CLOEXEC), 0);
  assert_int_equal(pipe2(output, O_CLOEXEC), 0);
  peer->process = fork();
  if (peer->process == 0)
    become_the_server(address, peer->path, parent, input[0], output[1]);
  assert_true(peer->process > 0);
  close(input[0]);
  close(output[1]);
  peer->input = input[1];
  FILE *said = fdopen(output[0], "r");
  int found = fscanf(said, "%d", &peer->port);
  fclose(said);
  assert_int_equal(found, 1);
  snprintf(peer->tcp, sizeof peer->tcp, "127.0.0.1:%d", peer->port);
}

static int peer_await_end(struct peer *peer)
{
  int status;
  pid_t process = peer->process;
  peer->process = 0;
  close(peer->input);
  assert_int_equal(waitpid(process, &status, 0), process);
  return status;
}

static int setup(void **state)
{
  struct peer *peer = calloc(1, sizeof *peer);
  strcpy(peer->folder, "/tmp/peer_test.XXXXXX");
  if (!mkdtemp(peer->folder))
    return -1;
  snprintf(peer->path, sizeof peer->path, "%s/socket", peer->folder);
  snprintf(peer->unix_socket, sizeof peer->unix_socket, "unix:%s", peer->path);
  peer_start(peer);
  *state = peer;
  return 0;
}

static int teardown(void **state)
{
  struct peer *peer = *state;
  if (peer->process > 0) {
    kill(peer->process, SIGKILL);
    peer_await_end(peer);
  }
  unlink(peer->path);
  rmdir(peer->folder);
  free(peer);
  return 0;
}

static pool_t *client(const char *address)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool = NULL;
  config.max_open = 2;
  config.call_timeout_ms = 10000;
  if (pool_create_driver(&config, "jsonrpc", address, &pool, &error) != 0)
    fail_msg("pool_create_driver: %s", error.message);
  return pool;
}

static void client_end(pool_t *pool)
{
  assert_int_equal(pool_close(pool, 10000), 0);
  pool_free(pool);
}

static pool_bytes_t text(const char *json)
{
  return (pool_bytes_t){(char *)(uintptr_t)json, strlen(json)};
}

static pool_lease_t get(pool_t *pool)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_lease_t lease = pool_get(pool);
  if (lease <= 0) {
    pool_failure(&error);
    fail_msg("pool_get: %s", error.message);
  }
  return lease;
}

static void call_expect(pool_lease_t lease, const char *method, const char *args, const char *expected)
{
  pool_bytes_t reply = {NULL, 0};
  pool_error_t error = POOL_ERROR_INIT;
  int code = pool_call(lease, method, text(args), &reply, &error);
  if (code)
    fail_msg("%s: %d: %s", method, code, error.message);
  assert_string_equal(reply.data, expected);
  pool_bytes_free(&reply);
}

static void call_fails(pool_lease_t lease, const char *method, const char *args, int code, const char *words)
{
  pool_error_t error = POOL_ERROR_INIT;
  int got = pool_call(lease, method, text(args), NULL, &error);
  if (got != code || !strstr(error.message, words))
    fail_msg("%s: expected %d and '%s', got %d: %s", method, code, words, got, error.message);
}

struct end {
  _Atomic int times;
  int code;
  pool_bytes_t reply;
};

static void on_done(void *user, int32_t code, pool_bytes_t reply)
{
  struct end *end = user;
  end->code = code;
  end->reply = reply;
  atomic_fetch_add(&end->times, 1);
}

static void go(pool_lease_t lease, const char *method, const char *args, struct end *end)
{
  *end = (struct end){0};
  assert_true(pool_go(lease, method, text(args), on_done, end) > 0);
}

static void end_expect(struct end *end, int code, const char *expected)
{
  wait_until(atomic_load(&end->times) == 1);
  assert_int_equal(end->code, code);
  if (expected)
    assert_string_equal(end->reply.data, expected);
  pool_bytes_free(&end->reply);
}

/* ---- the tests, each over TCP and over a Unix socket ---- */

static void both(void **state, void (*test)(struct peer *peer, pool_t *pool))
{
  struct peer *peer = *state;
  pool_t *tcp = client(peer->tcp);
  test(peer, tcp);
  client_end(tcp);
  pool_t *unix_socket = client(peer->unix_socket);
  test(peer, unix_socket);
  client_end(unix_socket);
}

static void call(struct peer *peer, pool_t *pool)
{
  (void)peer;
  struct end end;
  pool_lease_t lease = get(pool);
  call_expect(lease, "Arith.Mul", "{\"A\":6,\"B\":7}", "42");
  call_expect(lease, "Arith.Largest", "", "18446744073709551615");
  go(lease, "Arith.Mul", "{\"A\":-3,\"B\":5}", &end);
  end_expect(&end, 0, "-15");
  pool_put(lease);
}

static void test_peer__call_and_go(void **state)
{
  both(state, call);
}

static void errors(struct peer *peer, pool_t *pool)
{
  (void)peer;
  struct end end;
  pool_lease_t lease = get(pool);
  call_fails(lease, "Arith.Div", "{\"A\":1,\"B\":0}", POOL_E_REMOTE, "divide by zero");
  go(lease, "Arith.Div", "{\"A\":1,\"B\":0}", &end);
  end_expect(&end, POOL_E_REMOTE, "divide by zero");
  call_fails(lease, "Arith.None", "1", POOL_E_REMOTE, "can't find method Arith.None");
  call_fails(lease, "None", "1", POOL_E_REMOTE, "ill-formed");
  call_fails(lease, "Arith.Mul", "\"text\"", POOL_E_REMOTE, "cannot unmarshal");
  call_expect(lease, "Arith.Div", "{\"A\":84,\"B\":2}", "42");
  pool_put(lease);
  assert_int_equal(stats_of(pool).opened, 1);
}

static void test_peer__errors(void **state)
{
  both(state, errors);
}

static void large(struct peer *peer, pool_t *pool)
{
  (void)peer;
  enum { SIZE = 1024 * 1024 };
  struct end end;
  char *expected = malloc(SIZE + 3);
  memset(expected, 'x', SIZE + 2);
  expected[0] = expected[SIZE + 1] = '"';
  expected[SIZE + 2] = 0;
  pool_lease_t lease = get(pool);
  go(lease, "Arith.Text", "1048576", &end);
  call_expect(lease, "Arith.Text", "1048576", expected);
  call_expect(lease, "Arith.Length", expected, "1048576");
  end_expect(&end, 0, expected);
  pool_put(lease);
  free(expected);
}

static void test_peer__large(void **state)
{
  both(state, large);
}

/* Go runs each request in a goroutine of its own, so the later call is answered first. */
static void overtaking(struct peer *peer, pool_t *pool)
{
  (void)peer;
  struct end end;
  pool_lease_t lease = get(pool);
  go(lease, "Arith.Sleep", "300", &end);
  call_expect(lease, "Arith.Sleep", "1", "1");
  assert_int_equal(atomic_load(&end.times), 0);
  end_expect(&end, 0, "300");
  pool_put(lease);
}

static void test_peer__overtaking(void **state)
{
  both(state, overtaking);
}

static void killed(struct peer *peer, pool_t *pool)
{
  struct end end, exiting;
  pool_lease_t idle = get(pool), lease = get(pool);
  call_expect(idle, "Arith.Mul", "{\"A\":1,\"B\":1}", "1");
  pool_put(idle);
  go(lease, "Arith.Sleep", "60000", &end);
  go(lease, "Arith.Exit", "0", &exiting);
  call_fails(lease, "Arith.Sleep", "60000", POOL_E_BROKEN, "");
  end_expect(&end, POOL_E_BROKEN, NULL);
  end_expect(&exiting, POOL_E_BROKEN, NULL);
  call_fails(lease, "Arith.Mul", "{\"A\":1,\"B\":1}", POOL_E_BROKEN, "");
  pool_put(lease);
  int status = peer_await_end(peer);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  wait_until(stats_of(pool).open == 0); /* the dead one is closed in the background */
  peer_start(peer);
  lease = get(pool);
  call_expect(lease, "Arith.Mul", "{\"A\":6,\"B\":7}", "42");
  pool_put(lease);
}

static void test_peer__killed_and_back(void **state)
{
  both(state, killed);
}

int main(int argc, char **argv)
{
  if (argc != 2) {
    fprintf(stderr, "usage: peer_test PROGRAM\n");
    return 2;
  }
  program = argv[1];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_peer__call_and_go, setup, teardown),
      cmocka_unit_test_setup_teardown(test_peer__errors, setup, teardown),
      cmocka_unit_test_setup_teardown(test_peer__large, setup, teardown),
      cmocka_unit_test_setup_teardown(test_peer__overtaking, setup, teardown),
      cmocka_unit_test_setup_teardown(test_peer__killed_and_back, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
