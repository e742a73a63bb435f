/* SPDX-License-Identifier: MIT */
/*
 * Pools by URL, with drivers of the test's own (opened.c) in temporary folders.  A connection is the address that its
 * driver was given.
 */
#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/driver.h>

#include "memory.h"
#include "support.h"

#define SECRET "zq"

static pool_error_t error;
static pool_t *pool;

/* ---- folders with drivers ---- */

enum { FOLDERS = 2, PATH_SIZE = 300 };
static char folders[FOLDERS][PATH_SIZE];

static void path_in(char path[PATH_SIZE], int folder, const char *file)
{
  assert_true(snprintf(path, PATH_SIZE, "%s/%s", folders[folder], file) < PATH_SIZE);
}

static int make_folders(void **state)
{
  char both[2 * PATH_SIZE];
  (void)state;
  for (int i = 0; i < FOLDERS; i++) {
    snprintf(folders[i], PATH_SIZE, "/tmp/pool-open-XXXXXX");
    if (!mkdtemp(folders[i]) || chmod(folders[i], 0755))
      return -1;
  }
  snprintf(both, sizeof both, "%s:%s", folders[0], folders[1]);
  error = (pool_error_t)POOL_ERROR_INIT;
  pool = NULL;
  return setenv("POOL_DRIVER_PATH", both, 1);
}

static int remove_folders(void **state)
{
  (void)state;
  for (int i = 0; i < FOLDERS; i++) {
    DIR *files = opendir(folders[i]);
    for (struct dirent *file; files && (file = readdir(files));)
      unlinkat(dirfd(files), file->d_name, 0);
    if (files)
      closedir(files);
    rmdir(folders[i]);
  }
  return unsetenv("POOL_DRIVER_PATH");
}

static void copy(const char *from, const char *to, mode_t mode)
{
  int input = open(from, O_RDONLY), output = open(to, O_WRONLY | O_CREAT | O_TRUNC, mode);
  struct stat size;
  if (input < 0 || output < 0 || fstat(input, &size))
    fail_msg("cannot copy %s to %s", from, to);
  for (off_t left = size.st_size; left > 0;) {
    ssize_t copied = sendfile(output, input, NULL, (size_t)left);
    assert_true(copied > 0);
    left -= copied;
  }
  close(input);
  close(output);
}

/* Puts a driver of the test's into a folder, as another file where `as` is not NULL. */
static void place(int folder, const char *file, const char *as)
{
  char from[PATH_SIZE], to[PATH_SIZE];
  assert_true(snprintf(from, sizeof from, OPENED_FOLDER "/%s", file) < PATH_SIZE);
  path_in(to, folder, as ? as : file);
  copy(from, to, 0755);
}

static void write_file(int folder, const char *name, const char *text)
{
  char path[PATH_SIZE];
  path_in(path, folder, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
}

/* ---- opening ---- */

/* The driver's address, as a connection of a new pool has it. */
static void opens(const char *url, const char *address)
{
  if (pool_open(url, &pool, &error))
    fail_msg("%s: %s", url, error.message);
  pool_lease_t lease = pool_get(pool);
  assert_string_equal(pool_conn(lease), address);
  assert_int_equal(pool_put(lease), 0);
  pool_free(pool);
  pool = NULL;
}

static void says(const char *part)
{
  if (!strstr(error.message, part))
    fail_msg("\"%s\" does not say \"%s\"", error.message, part);
}

static void does_not_say(const char *part)
{
  if (strstr(error.message, part))
    fail_msg("\"%s\" says \"%s\"", error.message, part);
}

static void fails(const char *url, int code, const char *part)
{
  error = (pool_error_t)POOL_ERROR_INIT;
  int result = pool_open(url, &pool, &error);
  if (result != code)
    fail_msg("%.100s: %d, not %d: %s", url, result, code, error.message);
  assert_null(pool);
  assert_int_equal(error.code, code);
  says(part);
}

/* The message says of a file of a folder what is wrong with it. */
static void says_of(int folder, const char *file, const char *what)
{
  char path[PATH_SIZE], expected[2 * PATH_SIZE];
  path_in(path, folder, file);
  snprintf(expected, sizeof expected, "%s: %s", path, what);
  says(expected);
}

/* Lets the driver understand a URL and forgets what it made; the settings are in *config. */
static int prepare(const char *url, pool_config_t *config)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  void *context = NULL;
  int code = pool_url_prepare(url, config, &vtable, &context, &error);
  if (code == 0)
    vtable.release(context);
  return code;
}

static pool_config_t prepared(const char *url)
{
  pool_config_t config = POOL_CONFIG_INIT;
  if (prepare(url, &config))
    fail_msg("%s: %s", url, error.message);
  return config;
}

/* ---- settings ---- */

static void test_open__parameters_are_settings_of_the_pool_or_the_drivers(void **state)
{
  (void)state;
  place(0, "pool-rec.so", NULL);
  opens("rec://user:pw@host:1,other/path?a=1&pool.max_open=3&b=%20&pool.name=x&&c=",
        "rec://user:pw@host:1,other/path?a=1&b=%20&c=");
  opens("REC:?pool.max_open=3", "rec:");
  pool_config_t config =
      prepared("rec:?pool.max_open=20&pool.queue=shed&pool.get_timeout_ms=1500&pool.keeper=manual&x=pool.initial");
  assert_int_equal(config.max_open, 20);
  assert_int_equal(config.queue, POOL_QUEUE_SHED);
  assert_int_equal(config.get_timeout_ms, 1500);
  assert_int_equal(config.keeper, POOL_KEEPER_MANUAL);
}

static void test_open__a_budget_is_a_setting_of_the_url_too(void **state)
{
  (void)state;
  static const char url[] = "rec:place?pool.budget=process%3Aurl%3Flimit%3D2";
  place(0, "pool-rec.so", NULL);
  pool_config_t config = prepared(url), same = prepared(url);
  assert_string_equal(config.budget, "process:url?limit=2"); /* it is there though the URL was forgotten */
  assert_ptr_equal(config.budget, same.budget);
  assert_int_equal(pool_open(url, &pool, &error), 0);
  assert_int_equal(pool_put(pool_get(pool)), 0);
  assert_int_equal(stats_of(pool).budget_limit, 2);
  pool_free(pool);
  assert_int_equal(pool_open("rec:place?pool.budget=process%3Aurl", &pool, &error), POOL_E_INVALID);
  says("the budget 'url' has no limit");
}

static void test_open__each_setting_that_is_a_number_can_be_set(void **state)
{
  (void)state;
  place(0, "pool-rec.so", NULL);
  pool_setting_t setting = POOL_SETTING_INIT;
  int count = pool_setting(0, &setting), set = 0;
  for (int i = 0; i < count; i++) {
    char url[200];
    int64_t value = -5;
    pool_config_t config = POOL_CONFIG_INIT;
    assert_int_equal(pool_setting(i, &setting), count);
    if (setting.type == POOL_SETTING_TEXT)
      continue;
    snprintf(url, sizeof url, "rec:?pool.%s=%lld", setting.name, (long long)setting.most);
    int code = prepare(url, &config);
    assert_int_equal(pool_config_get_number(&config, setting.name, &value, NULL), 0);
    assert_int_equal(value, code ? setting.standard : setting.most);
    if (code) /* alone it does not make sense */
      says(setting.name);
    set += code == 0;
  }
  assert_true(set > 15);
}

static void test_open__a_wrong_setting_is_refused_by_name(void **state)
{
  (void)state;
  place(0, "pool-rec.so", NULL);
  fails("rec:?pool.max_opne=1", POOL_E_INVALID, "no setting is called \"max_opne\"; did you mean max_open?");
  fails("rec:?pool.max_open=many", POOL_E_INVALID, "max_open is \"many\"; it must be ");
  fails("rec:?pool.max_open=-1", POOL_E_INVALID, "max_open");
  fails("rec:?pool.max_open=99999999999999999999", POOL_E_INVALID, "max_open");
  fails("rec:?pool.queue=lilo", POOL_E_INVALID, "queue is \"lilo\"; it must be ");
  fails("rec:?pool.initial=5&pool.max_open=3", POOL_E_INVALID, "initial");
  fails("rec:?pool.=1", POOL_E_INVALID, "no setting is called \"\"");
  fails("rec:?pool.events=1", POOL_E_INVALID, "no setting is called \"events\"");
  fails("rec:?pool.max_open=a%0Ab", POOL_E_INVALID, "max_open is \"a?b\"");
  fails("rec:?pool.max_open=3&refuse=1", POOL_E_INVALID, "rec: this address is refused");
}

static void test_open__a_setting_that_is_there_twice_is_refused_by_name(void **state)
{
  (void)state;
  place(0, "pool-rec.so", NULL);
  fails("rec:?pool.max_open=1&pool.max_open=2", POOL_E_INVALID, "rec: the URL sets pool.max_open twice");
  fails("rec:?pool.name=orders&pool.name=orders", POOL_E_INVALID, "orders: the URL sets pool.name twice");
  fails("rec:?pool.max_open=1&a=b&p%6Fol.max_open=1", POOL_E_INVALID, "rec: the URL sets pool.max_open twice");
  assert_int_equal(prepared("rec:?max_open=1&pool.max_open=2").max_open, 2);
}

static void test_open__names_are_encoded(void **state)
{
  (void)state;
  place(0, "pool-rec.so", NULL);
  assert_int_equal(prepared("rec:?p%6Fol%2emax%5Fopen=%33&pool.max_idle=2").max_open, 3);
  opens("rec:?p%6Fol.max_open=3&%70=1", "rec:?%70=1");
}

static void test_open__settings_of_the_url_are_set_over_those_of_the_program(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  place(0, "pool-rec.so", NULL);
  config.max_open = 1;
  config.initial = 1;
  config.max_idle = 7;
  assert_int_equal(prepare("rec:?pool.max_open=2&pool.name=given", &config), 0);
  assert_int_equal(config.max_open, 2);
  assert_int_equal(config.max_idle, 7);
  assert_null(config.name); /* the text of the URL is gone */
  assert_int_equal(pool_open_with(&config, "rec:?pool.max_open=9&pool.initial=3", &pool, &error), 0);
  assert_int_equal(pool_len(pool), 3);
  assert_int_equal(config.initial, 1);
  pool_free(pool);
  pool = NULL;
  config.max_open = 1;
  assert_int_equal(pool_open_with(&config, "rec:?pool.initial=3", &pool, &error), POOL_E_INVALID);
  assert_null(pool);
}

static void is_called(const char *name)
{
  pool_bytes_t text = {NULL, 0};
  char expected[100];
  snprintf(expected, sizeof expected, "\"%s\"", name);
  assert_int_equal(pool_report(pool, POOL_FORMAT_JSON, &text), 0);
  if (!strstr(text.data, expected))
    fail_msg("no pool %s in %s", expected, (char *)text.data);
  pool_bytes_free(&text);
  pool_free(pool);
  pool = NULL;
}

static void test_open__a_pool_is_called_as_the_url_the_program_or_the_scheme_says(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  place(0, "pool-rec.so", NULL);
  assert_int_equal(pool_open("Rec+TLS:", &pool, &error), 0);
  is_called("rec+tls");
  config.name = "mine";
  assert_int_equal(pool_open_with(&config, "rec:", &pool, &error), 0);
  is_called("mine");
  assert_int_equal(pool_open_with(&config, "rec:?pool.name=the%20url", &pool, &error), 0);
  is_called("the url");
}

/* The struct of the first release ended with `user`. */
static void test_open__a_setting_for_which_the_program_has_no_room_is_refused(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  place(0, "pool-rec.so", NULL);
  config.size = offsetof(pool_config_t, user) + sizeof config.user;
  assert_int_equal(prepare("rec:?pool.max_open=5&pool.max_uses=5", &config), POOL_E_SIZE);
  says("max_uses");
  assert_int_equal(config.max_open, 0);
  assert_int_equal(prepare("rec:?pool.max_open=5", &config), 0);
  assert_int_equal(config.max_open, 5);
  assert_int_equal(config.max_uses, 0);
}

/* ---- schemes ---- */

static void test_open__a_scheme_is_the_drivers_name_or_among_its_own(void **state)
{
  (void)state;
  place(1, "pool-rec.so", NULL);
  opens("rec://a", "rec://a");
  opens("rec-tls://a", "rec-tls://a");
  opens("rec+tls://a", "rec+tls://a");
  place(0, "pool-rec-tls.so", NULL); /* a name goes before what others say */
  assert_int_equal(pool_open("rec-tls://a?refuse", &pool, &error), POOL_E_INVALID);
  assert_int_equal(pool_open("rec-tls://a?refuse=", &pool, &error), POOL_E_INVALID);
  says("rec-tls: this address is refused");
}

static void test_open__a_description_makes_the_driver_foreign_the_schemes(void **state)
{
  (void)state;
  char expected[2 * PATH_SIZE];
  write_file(1, "shop.pool", "");
  fails("shop://a", POOL_E_DRIVER, "descriptions need the driver 'foreign'");
  says_of(0, "pool-foreign.so", "not found");
  place(0, "pool-foreign.so", NULL);
  snprintf(expected, sizeof expected, "shop://a?description=%s/shop.pool", folders[1]);
  opens("shop://a?pool.max_open=3", expected);
  snprintf(expected, sizeof expected, "shop://a?b=c&description=%s/shop.pool", folders[1]);
  opens("shop://a?b=c", expected);
  opens("any://a?description=x.pool&pool.max_open=1", "any://a?description=x.pool");
}

static void test_open__the_path_of_a_description_is_encoded(void **state)
{
  (void)state;
  char folder[PATH_SIZE], path[2 * PATH_SIZE], expected[2 * PATH_SIZE];
  place(0, "pool-foreign.so", NULL);
  path_in(folder, 1, "a &%#");
  snprintf(path, sizeof path, "%s:%s", folder, folders[0]);
  assert_int_equal(setenv("POOL_DRIVER_PATH", path, 1), 0);
  assert_int_equal(mkdir(folder, 0755), 0);
  write_file(1, "a &%#/shop.pool", "");
  snprintf(expected, sizeof expected, "shop:?description=%s/a%%20%%26%%25%%23/shop.pool", folders[1]);
  opens("shop:", expected);
  path_in(folder, 1, "a &%#/shop.pool");
  unlink(folder);
  path_in(folder, 1, "a &%#");
  rmdir(folder);
}

/* ---- what is wrong with files ---- */

static void test_open__a_failure_names_each_place_and_what_is_wrong_there(void **state)
{
  (void)state;
  write_file(0, "pool-lacking.so", "no program at all");
  place(1, "pool-lacking.so", NULL);
  fails("lacking://a", POOL_E_DRIVER, "no driver for the scheme 'lacking'");
  says_of(0, "pool-lacking.so", "file too short");
  says_of(1, "pool-lacking.so", "libopen_needed.so: cannot open shared object file");
  does_not_say("did you mean");
  place(0, "pool-old.so", NULL);
  fails("old://a", POOL_E_DRIVER, "");
  says_of(0, "pool-old.so", "it does not fit this version of the library");
  says_of(1, "pool-old.so", "not found");
  place(0, "pool-poor.so", NULL);
  fails("poor://a", POOL_E_DRIVER, "");
  says_of(0, "pool-poor.so", "it does not begin: out of memory");
  place(0, "pool-rec.so", "pool-mute.so");
  fails("mute://a", POOL_E_DRIVER, "");
  says_of(0, "pool-mute.so", "it does not export pool_driver_mute");
  assert_int_equal(pool_create_driver(NULL, "lacking", "a", &pool, &error), POOL_E_DRIVER);
  says_of(1, "pool-lacking.so", "libopen_needed.so: cannot open");
}

/* The driver that has the scheme could not say so. */
static void test_open__a_driver_that_might_have_the_scheme_is_named_with_its_problem(void **state)
{
  (void)state;
  place(0, "pool-lacking.so", NULL);
  fails("lackingql://a", POOL_E_DRIVER, "no driver for the scheme 'lackingql'");
  says_of(0, "pool-lackingql.so", "not found");
  says_of(0, "pool-lacking.so", "libopen_needed.so: cannot open");
  does_not_say("did you mean");
}

static void test_open__the_scheme_that_was_meant_is_one_that_works(void **state)
{
  (void)state;
  place(0, "pool-rec-tls.so", NULL);
  place(1, "pool-rec.so", NULL);
  fails("recc://a", POOL_E_DRIVER, "no driver for the scheme 'recc' (did you mean 'rec'?); ");
  fails("rec-tsl://a", POOL_E_DRIVER, "(did you mean 'rec-tls'?); ");
  fails("recording://a", POOL_E_DRIVER, "(did you mean 'recorder'?); ");
  fails("mysql://a", POOL_E_DRIVER, "no driver for the scheme 'mysql'; ");
}

static void test_open__a_good_file_is_used_though_an_earlier_one_is_broken(void **state)
{
  (void)state;
  write_file(0, "pool-rec.so", "no program at all, of more bytes than the head of one has, which are sixty-four");
  place(1, "pool-rec.so", NULL);
  opens("rec://a", "rec://a");
  opens("rec+tls://a", "rec+tls://a");
  assert_int_equal(pool_create_driver(NULL, "rec", "a", &pool, &error), 0);
  pool_free(pool);
}

static void test_open__what_is_no_file_is_not_waited_for(void **state)
{
  (void)state;
  char path[PATH_SIZE];
  path_in(path, 0, "pool-rec.so");
  assert_int_equal(mkfifo(path, 0600), 0);
  fails("rec://a", POOL_E_DRIVER, "/pool-rec.so: not a file");
  place(1, "pool-rec.so", NULL);
  opens("rec://a", "rec://a");
}

/* Whether this holds in a child that is nobody; the superuser may read what nobody may. */
static void holds_for_nobody(bool (*holds)(void))
{
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0)
    _exit((geteuid() == 0 && setresuid(65534, 65534, 65534)) || !holds());
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

static bool is_said_to_be_unreadable(void)
{
  char driver[2 * PATH_SIZE], description[2 * PATH_SIZE];
  snprintf(driver, sizeof driver, "%s/pool-rec.so: not readable", folders[0]);
  snprintf(description, sizeof description, "%s/rec.pool: not readable", folders[1]);
  if (pool_open("rec://a", &pool, &error) == POOL_E_DRIVER && strstr(error.message, driver) &&
      strstr(error.message, description))
    return true;
  fprintf(stderr, "%s\n", error.message);
  return false;
}

static void test_open__a_file_that_may_not_be_read_is_named(void **state)
{
  (void)state;
  char path[PATH_SIZE];
  place(0, "pool-rec.so", NULL);
  write_file(1, "rec.pool", "");
  path_in(path, 0, "pool-rec.so");
  assert_int_equal(chmod(path, 0), 0);
  path_in(path, 1, "rec.pool");
  assert_int_equal(chmod(path, 0), 0);
  holds_for_nobody(is_said_to_be_unreadable);
}

static void test_open__folders_may_be_missing_long_or_none(void **state)
{
  (void)state;
  static char path[20000];
  place(1, "pool-rec.so", NULL);
  memset(path, 'x', 5000);
  snprintf(path + 5000, sizeof path - 5000, "::/nowhere::%s:", folders[1]);
  assert_int_equal(setenv("POOL_DRIVER_PATH", path, 1), 0);
  opens("rec://a", "rec://a");
  fails("none://a", POOL_E_DRIVER, "the path is too long; /nowhere/pool-none.so: not found");
  assert_int_equal(setenv("POOL_DRIVER_PATH", "", 1), 0);
  fails("none://a", POOL_E_DRIVER, "/pool-none.so: not found");
  does_not_say("nowhere");
}

/* ---- what there is ---- */

struct seen {
  char lines[10][2 * PATH_SIZE];
  int count;
  int stop_at;
};

static int see(void *user, const pool_driver_info_t *driver)
{
  struct seen *seen = user;
  assert_int_equal(driver->size, sizeof *driver);
  assert_int_equal(driver->code, driver->problem[0] ? POOL_E_DRIVER : 0);
  if (strncmp(driver->path, "/tmp/pool-open-", 15) != 0)
    return 0;
  const char *file = strrchr(driver->path, '/') + 1;
  snprintf(seen->lines[seen->count++], sizeof *seen->lines, "%s|%s|%s|%s|%s|%s", driver->name, file, driver->schemes,
           driver->version, driver->needs, driver->problem);
  return seen->count == seen->stop_at ? -77 : 0;
}

static void test_open__drivers_are_listed_in_the_order_of_the_search(void **state)
{
  (void)state;
  static struct seen seen;
  seen = (struct seen){0};
  place(1, "pool-rec.so", NULL);
  place(0, "pool-rec.so", NULL);
  place(0, "pool-old.so", NULL);
  write_file(0, "shop.pool", "");
  write_file(0, "pool-.so", "");
  write_file(0, "pool-a b.so", "");
  write_file(0, "pool-budget-shop.so", "");
  write_file(0, ".pool", "");
  write_file(0, "other.so", "");
  assert_int_equal(pool_drivers(see, &seen), 4);
  assert_int_equal(seen.count, 4);
  assert_string_equal(seen.lines[0], "old|pool-old.so|old|||it does not fit this version of the library");
  assert_string_equal(seen.lines[1], "rec|pool-rec.so|rec rec-tls rec+tls recorder|7||");
  assert_string_equal(seen.lines[2], "shop|shop.pool|shop||the driver foreign|");
  assert_string_equal(seen.lines[3], seen.lines[1]);
  seen.count = 0;
  seen.stop_at = 2;
  assert_int_equal(pool_drivers(see, &seen), -77);
  assert_int_equal(seen.count, 2);
}

/* ---- secrets ---- */

static void test_open__nothing_of_a_user_or_password_is_in_a_message(void **state)
{
  (void)state;
  static const char *const urls[] = {"rec://user:zq@h?pool.max_opne=1",
                                     "rec://zq:p@h?pool.max_open=x",
                                     "rec://u:zq@h:99999",
                                     "rec://u:zq@h:0",
                                     "rec://u:zq@",
                                     "rec://u:zq@:1",
                                     "rec://u:zq%00@h",
                                     "rec://u:zq%@h",
                                     "rec://u:zq%4@h",
                                     "rec://u:%zq@h",
                                     "rec://u:p/zq@h",
                                     "rec://u:p?zq@h",
                                     "rec://u:p#zq@h",
                                     "rec://u:p@zq@h",
                                     "rec://u:1?pool.max_open=zq@h",
                                     "rec://u:1?pool.zq=zq@h&pool.x=1",
                                     "rec://u:zq@h refuse",
                                     "rec://u:zq@h?refuse=1",
                                     "rec://u:zq@h?refuse",
                                     "none://u:zq@h",
                                     "no+ne://u:zq@h",
                                     "//u:zq@h",
                                     "u:zq@h",
                                     "u:zq@h/db",
                                     "zq@h",
                                     "rec://u:zq@[::1",
                                     "rec://u:zq@h:1:2",
                                     "mute://u:zq@h",
                                     "lacking://u:zq@h",
                                     "shop://u:zq@h",
                                     "any://u:zq@h?description=/no/where",
                                     "old://u:zq@h",
                                     ":zq@h",
                                     "rec://u:zq@h?pool.initial=2&pool.max_open=1"};
  write_file(0, "shop.pool", "");
  place(0, "pool-rec.so", NULL);
  place(0, "pool-rec.so", "pool-mute.so");
  place(0, "pool-lacking.so", NULL);
  place(0, "pool-old.so", NULL);
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
    pool_error_t failure = POOL_ERROR_INIT;
    error = failure;
    if (pool_open(urls[i], &pool, &error) == 0)
      fail_msg("taken: %s", urls[i]);
    assert_true(strlen(error.message) > 10);
    does_not_say(SECRET);
    pool_failure(&failure);
    assert_string_equal(failure.message, error.message);
    assert_true(prepare(urls[i], NULL) < 0);
    does_not_say(SECRET);
  }
}

static int told;

static void look_at_event(void *user, const pool_event_t *event)
{
  (void)user;
  told++;
  must(!strstr(event->message, SECRET) && !strstr(event->pool, SECRET) && !strstr(event->tag, SECRET));
}

static void look_at_line(void *user, int32_t level, const char *line)
{
  (void)user, (void)level;
  told++;
  must(!strstr(line, SECRET));
}

static void test_open__nothing_of_a_user_or_password_is_in_an_event_or_a_report(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  place(0, "pool-rec.so", NULL);
  config.events = look_at_event;
  config.log = look_at_line;
  told = 0;
  assert_int_equal(pool_open_with(&config, "rec://zq:zq@h/?password=zq", &pool, &error), 0);
  get_and_put_now(pool);
  for (int format = POOL_FORMAT_TEXT; format <= POOL_FORMAT_PROMETHEUS; format++) {
    pool_bytes_t text = {NULL, 0};
    assert_int_equal(pool_report(pool, format, &text), 0);
    assert_null(strstr(text.data, SECRET));
    pool_bytes_free(&text);
  }
  assert_int_equal(pool_close(pool, -1), 0);
  pool_free(pool);
  assert_true(told > 3);
}

/* ---- bad input ---- */

static void test_open__what_is_no_url_is_refused(void **state)
{
  (void)state;
  place(0, "pool-rec.so", NULL);
  fails("", POOL_E_INVALID, "SCHEME:");
  fails("rec", POOL_E_INVALID, "SCHEME:");
  fails("://a", POOL_E_INVALID, "SCHEME:");
  fails("rec://a/%00", POOL_E_INVALID, "%00");
  fails("rec://a?pool.name=%00", POOL_E_INVALID, "%00");
  fails("rec://a:99999", POOL_E_INVALID, "65535");
  fails("rec://:5432/x", POOL_E_INVALID, "needs a host");
  fails("rec://a?pool.max_open", POOL_E_INVALID, "NAME=VALUE");
  fails("a.very+long-scheme.that.no.driver.can.have://a", POOL_E_DRIVER, "'a.very+long-scheme.that.no.drive'");
}

static void test_open__long_urls_are_urls(void **state)
{
  (void)state;
  enum { LONG = 65536 };
  char *url = malloc(LONG + 100);
  assert_non_null(url);
  place(0, "pool-rec.so", NULL);
  memset(url, 'r', LONG);
  strcpy(url + LONG, "://a");
  fails(url, POOL_E_DRIVER, "no driver for the scheme 'rrrr");
  memcpy(url, "rec://u:", 8);
  strcpy(url + LONG, "@h/");
  opens(url, url);
  memcpy(url, "rec:?pool.name=", 15);
  url[LONG] = 0;
  opens(url, "rec:");
  memcpy(url, "rec:?pool.rrrr=", 15);
  fails(url, POOL_E_INVALID, "no setting is called \"rrrr\"");
  memset(url + 15, '%', LONG - 15);
  fails(url, POOL_E_INVALID, "two hexadecimal digits");
  free(url);
}

static void test_open__thousands_of_parameters_are_read(void **state)
{
  (void)state;
  enum { COUNT = 5000, ROOM = COUNT * 40 };
  char *url = malloc(ROOM);
  assert_non_null(url);
  place(0, "pool-rec.so", NULL);
  int used = sprintf(url, "rec:?");
  for (int i = 1; i <= COUNT; i++)
    used += sprintf(url + used, "y%d=%d&x%d=1&&", i, i, i);
  used += sprintf(url + used, "pool.max_open=%d", COUNT);
  assert_true(used < ROOM);
  assert_int_equal(prepared(url).max_open, COUNT);
  free(url);
}

/* ---- without memory ---- */

static _Thread_local bool is_watched;

void __real_free(void *memory);
void __wrap_free(void *memory);

/* What is given back has nothing of a password in it. */
void __wrap_free(void *memory)
{
  must(!is_watched || !memory || !memmem(memory, malloc_usable_size(memory), "opensesame", 10));
  __real_free(memory);
}

static int open_with_little_memory(const char *url, int allocations)
{
  memory_fail_after(allocations);
  is_watched = true;
  int code = pool_open(url, &pool, &error);
  memory_fail_after(-1);
  is_watched = false;
  return code;
}

static void expect_each_failure(const char *url, int last)
{
  int code = POOL_E_NOMEM, failures = 0;
  for (int i = 0; code == POOL_E_NOMEM && i < 100; i++) {
    code = open_with_little_memory(url, i);
    failures += code == POOL_E_NOMEM;
    does_not_say("sesame");
  }
  if (code != last)
    fail_msg("%s: %d after %d failures: %s", url, code, failures, error.message);
  assert_true(failures > 2);
  pool_free(pool);
  pool = NULL;
}

static void test_open__without_memory_it_fails_and_what_it_frees_is_wiped(void **state)
{
  (void)state;
  place(0, "pool-rec.so", NULL);
  place(0, "pool-foreign.so", NULL);
  write_file(0, "shop.pool", "");
  expect_each_failure("rec://u:opensesame@h/x?pool.max_open=3&password=opensesame", 0);
  expect_each_failure("rec+tls://u:opensesame@h/x?password=opensesame&pool.name=orders&a=1", 0);
  expect_each_failure("shop://u:opensesame@h/x?pool.max_open=3&password=opensesame", 0);
  expect_each_failure("none://u:opensesame@h/x?pool.max_open=3&password=opensesame", POOL_E_DRIVER);
  expect_each_failure("rec://u:opensesame@h/refuse?pool.max_open=3&password=opensesame", POOL_E_INVALID);
}

static void test_open__without_memory_nothing_is_prepared(void **state)
{
  (void)state;
  int code = POOL_E_NOMEM, failures = 0;
  place(0, "pool-rec.so", NULL);
  for (int i = 0; code == POOL_E_NOMEM && i < 100; i++) {
    pool_config_t config = POOL_CONFIG_INIT, config_before = config;
    pool_vtable_t vtable = POOL_VTABLE_INIT, vtable_before = vtable;
    void *context = &config;
    memory_fail_after(i);
    code = pool_url_prepare("rec:place?pool.max_open=3&pool.budget=process%3Aprepared%3Flimit%3D2", &config, &vtable,
                            &context, &error);
    memory_fail_after(-1);
    if (code == 0) {
      vtable.release(context);
      break;
    }
    failures++;
    assert_int_equal(code, POOL_E_NOMEM);
    assert_memory_equal(&config, &config_before, sizeof config);
    assert_memory_equal(&vtable, &vtable_before, sizeof vtable);
    assert_ptr_equal(context, &config);
  }
  assert_int_equal(code, 0);
  assert_true(failures > 2);
}

/* ---- with more rights than the user ---- */

/* What the program does where it is started as another user's. */
static int open_as_another(void)
{
  pool_error_t why = POOL_ERROR_INIT;
  int code = pool_open("rec://a", &pool, &why);
  if (code == POOL_E_DRIVER && !strstr(why.message, getenv("POOL_DRIVER_PATH")))
    return 0;
  fprintf(stderr, "%d: %s\n", code, why.message);
  return 1;
}

static void test_open__a_set_uid_program_does_not_look_where_its_user_says(void **state)
{
  (void)state;
  char program[PATH_SIZE];
  struct statvfs filesystem;
  assert_int_equal(statvfs(folders[1], &filesystem), 0);
  if (geteuid() != 0 || (filesystem.f_flag & ST_NOSUID) || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0) {
    print_message("here no program can be started with the rights of another user\n");
    skip();
  }
  place(0, "pool-rec.so", NULL);
  path_in(program, 1, "program");
  copy("/proc/self/exe", program, 0755);
  assert_int_equal(chown(program, 65534, 65534), 0);
  assert_int_equal(chmod(program, 04755), 0);
  assert_int_equal(setenv("POOL_DRIVER_PATH", folders[0], 1), 0);
  pid_t child = fork();
  if (child == 0) {
    execl(program, program, "--as-another", NULL);
    _exit(2);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

#define OPEN_TEST(name) cmocka_unit_test_setup_teardown(test_open__##name, make_folders, remove_folders)

int main(int count, char **arguments)
{
  const struct CMUnitTest tests[] = {
      OPEN_TEST(parameters_are_settings_of_the_pool_or_the_drivers),
      OPEN_TEST(a_budget_is_a_setting_of_the_url_too),
      OPEN_TEST(each_setting_that_is_a_number_can_be_set),
      OPEN_TEST(a_wrong_setting_is_refused_by_name),
      OPEN_TEST(a_setting_that_is_there_twice_is_refused_by_name),
      OPEN_TEST(names_are_encoded),
      OPEN_TEST(settings_of_the_url_are_set_over_those_of_the_program),
      OPEN_TEST(a_pool_is_called_as_the_url_the_program_or_the_scheme_says),
      OPEN_TEST(a_setting_for_which_the_program_has_no_room_is_refused),
      OPEN_TEST(a_scheme_is_the_drivers_name_or_among_its_own),
      OPEN_TEST(a_description_makes_the_driver_foreign_the_schemes),
      OPEN_TEST(the_path_of_a_description_is_encoded),
      OPEN_TEST(a_failure_names_each_place_and_what_is_wrong_there),
      OPEN_TEST(a_driver_that_might_have_the_scheme_is_named_with_its_problem),
      OPEN_TEST(the_scheme_that_was_meant_is_one_that_works),
      OPEN_TEST(a_good_file_is_used_though_an_earlier_one_is_broken),
      OPEN_TEST(what_is_no_file_is_not_waited_for),
      OPEN_TEST(a_file_that_may_not_be_read_is_named),
      OPEN_TEST(folders_may_be_missing_long_or_none),
      OPEN_TEST(drivers_are_listed_in_the_order_of_the_search),
      OPEN_TEST(nothing_of_a_user_or_password_is_in_a_message),
      OPEN_TEST(nothing_of_a_user_or_password_is_in_an_event_or_a_report),
      OPEN_TEST(what_is_no_url_is_refused),
      OPEN_TEST(long_urls_are_urls),
      OPEN_TEST(thousands_of_parameters_are_read),
      OPEN_TEST(without_memory_it_fails_and_what_it_frees_is_wiped),
      OPEN_TEST(without_memory_nothing_is_prepared),
      OPEN_TEST(a_set_uid_program_does_not_look_where_its_user_says),
  };
  if (count == 2 && strcmp(arguments[1], "--as-another") == 0)
    _exit(open_as_another()); /* a sanitizer cannot look for leaks in such a program */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
