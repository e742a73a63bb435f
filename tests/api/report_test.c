/* SPDX-License-Identifier: MIT */
/* Each format says what pool_stats() says, whatever the names of the pools and the program's locale. */
#include "support.h"

#include <jansson.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "decide/pool.h"

static pool_t *named_pool(struct fake *fake, const char *name)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.name = name;
  return fake_pool(fake, &config, NULL);
}

/* A report that is well-formed as a string; freed with pool_bytes_free(). */
static pool_bytes_t report_of(pool_t *pool, int32_t format)
{
  pool_bytes_t text = {NULL, 0};
  assert_int_equal(pool_report(pool, format, &text), 0);
  assert_non_null(text.data);
  assert_int_equal(strlen(text.data), text.size);
  assert_true(text.size == 0 || ((const char *)text.data)[text.size - 1] == '\n');
  return text;
}

static json_t *json_of(pool_t *pool)
{
  pool_bytes_t text = report_of(pool, POOL_FORMAT_JSON);
  json_error_t error;
  json_t *root = json_loads(text.data, JSON_REJECT_DUPLICATES, &error);
  if (!root)
    fail_msg("%s: %s", error.text, (const char *)text.data);
  pool_bytes_free(&text);
  return root;
}

/* Gives every count another value, so that none can be taken for another. */
static void set_counts(pool_t *pool)
{
  pthread_mutex_lock(&pool->lock);
  int64_t value = 1000;
#define KEPT(name, ...) pool->counts.name = value++;
#include "decide/counts.def"
  pool->counts.closed = INT64_C(9007199254740993); /* no double has that value */
  pool->counts.wait_ns = 5000000007;
  pthread_mutex_unlock(&pool->lock);
}

static void add_samples(pool_t *pool, struct histogram *histogram, const int64_t *samples, size_t count)
{
  pthread_mutex_lock(&pool->lock);
  for (size_t i = 0; i < count; i++)
    histogram_add(histogram, samples[i]);
  pthread_mutex_unlock(&pool->lock);
}

static void forget_samples(pool_t *pool)
{
  pthread_mutex_lock(&pool->lock);
  histogram_clear(&pool->wait);
  histogram_clear(&pool->check_time);
  pthread_mutex_unlock(&pool->lock);
}

/* ---- JSON ---- */

static void test_report__refuses_what_it_cannot_do(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = fake_pool(&fake, NULL, NULL);
  pool_bytes_t text = {(void *)"untouched", 9};
  pool_error_t error = POOL_ERROR_INIT;
  const int32_t wrong[] = {-1, 3, INT32_MIN, INT32_MAX};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(pool_report(pool, wrong[i], &text), POOL_E_INVALID);
    assert_int_equal(pool_failure(&error), POOL_E_INVALID);
    assert_non_null(strstr(error.message, "format"));
  }
  assert_int_equal(text.size, 9);
  assert_int_equal(pool_report(pool, POOL_FORMAT_JSON, NULL), POOL_E_INVALID);
  fake_finish(&fake, pool);
}

static int64_t integer_of(json_t *object, const char *name)
{
  json_t *value = json_object_get(object, name);
  if (!json_is_integer(value))
    fail_msg("%s is no integer", name);
  return json_integer_value(value);
}

static void times_are(json_t *object, const char *name, const pool_times_t *times)
{
  json_t *told = json_object_get(object, name);
  assert_int_equal(json_object_size(told), 7);
  assert_int_equal(integer_of(told, "count"), times->count);
  assert_int_equal(integer_of(told, "sum_ns"), times->sum_ns);
  assert_int_equal(integer_of(told, "p50_ns"), times->p50_ns);
  assert_int_equal(integer_of(told, "p90_ns"), times->p90_ns);
  assert_int_equal(integer_of(told, "p99_ns"), times->p99_ns);
  assert_int_equal(integer_of(told, "p999_ns"), times->p999_ns);
  assert_int_equal(integer_of(told, "max_ns"), times->max_ns);
}

static void test_report__json_has_each_member_of_the_stats(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = named_pool(&fake, "orders");
  pool_lease_t first = pool_get(pool), second = pool_get(pool);
  pool_put(second);
  set_counts(pool);
  const int64_t waits[] = {1000, 2000, 3000, 1000000}, checks[] = {7};
  add_samples(pool, &pool->wait, waits, 4);
  add_samples(pool, &pool->check_time, checks, 1);
  pool_stats_t stats = stats_of(pool);
  assert_int_equal(stats.wait.count, 4);
  assert_int_equal(stats.wait.max_ns, 1000000);
  assert_int_equal(stats.check_time.p50_ns, 7);
  json_t *root = json_of(pool);
  assert_string_equal(json_string_value(json_object_get(root, "name")), "orders");
  size_t members = 1;
  stats.oldest_lease_ns = integer_of(root, "oldest_lease_ns"); /* goes on */
#define COUNT(name, ...) assert_int_equal(integer_of(root, #name), stats.name), members++;
#define TIME(name, ...)  times_are(root, #name, &stats.name), members++;
#include "decide/counts.def"
  assert_int_equal(stats.closed, INT64_C(9007199254740993));
  assert_int_equal(json_object_size(root), members); /* and no other */
  json_decref(root);
  forget_samples(pool);
  pool_put(first);
  fake_finish(&fake, pool);
}

static void test_report__one_document_of_all_pools(void **state)
{
  (void)state;
  enum { POOLS = 50 };
  struct fake fake[POOLS];
  pool_t *pools[POOLS];
  json_t *root = json_of(NULL);
  assert_int_equal(json_array_size(json_object_get(root, "pools")), 0);
  assert_int_equal(json_object_size(root), 1);
  json_decref(root);
  for (int i = POOLS - 1; i >= 0; i--) {
    char name[32];
    snprintf(name, sizeof name, "pool %02d", i);
    fake_init(&fake[i]);
    pools[i] = named_pool(&fake[i], name);
    for (int j = 0; j < i % 3; j++)
      assert_true(pool_put(pool_get(pools[i])) == 0);
  }
  root = json_of(NULL);
  json_t *list = json_object_get(root, "pools");
  assert_int_equal(json_array_size(list), POOLS);
  for (int i = 0; i < POOLS; i++) {
    char name[32];
    snprintf(name, sizeof name, "pool %02d", i);
    json_t *told = json_array_get(list, (size_t)i);
    assert_string_equal(json_string_value(json_object_get(told, "name")), name);
    assert_int_equal(integer_of(told, "lent"), i % 3);
  }
  json_decref(root);
  for (int i = 0; i < POOLS; i++)
    fake_finish(&fake[i], pools[i]);
}

static size_t pools_told(void)
{
  json_t *root = json_of(NULL);
  size_t count = json_array_size(json_object_get(root, "pools"));
  json_decref(root);
  return count;
}

static void test_report__tells_of_a_pool_until_its_last_connection_is_closed(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = fake_pool(&fake, NULL, NULL);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pools_told(), 1);
  pool_free(pool);
  assert_int_equal(pools_told(), 1);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pools_told(), 0);
  assert_int_equal(fake.closed, 1);
}

/* In the child, what the lease held open is gone, and the pool with it; nobody owns it who could say so. */
static void test_report__in_a_child_of_fork(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *freed = fake_pool(&fake, NULL, NULL);
  pool_lease_t lease = pool_get(freed);
  pool_free(freed);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    alarm(60); /* a deadlock ends the child, and the test that waits for it goes on */
    pool_bytes_t text;
    must(pool_report(NULL, POOL_FORMAT_JSON, &text) == 0);
    must(strcmp(text.data, "{\"pools\":[]}\n") == 0);
    pool_bytes_free(&text);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_int_equal(pool_put(lease), 0);
}

/* ---- Prometheus ---- */

struct sample {
  char series[512]; /* the metric with its labels */
  char family[128];
  char value[64];
};

#define SAMPLE_LIMIT 2048

struct metrics {
  size_t count;
  struct sample samples[SAMPLE_LIMIT];
};

/* The family of a series: its metric, without what a histogram adds; one of OpenTelemetry's ends so by itself. */
static void family_of(const char *series, char *family, size_t size)
{
  static const char *const ends[] = {"_bucket", "_sum", "_count"};
  int length = (int)strcspn(series, "{ ");
  bool adds = strncmp(series, "db_client_connection_count{", 27) != 0;
  for (size_t i = 0; adds && i < sizeof ends / sizeof *ends; i++) {
    int end = (int)strlen(ends[i]);
    if (length > end && strncmp(series + length - end, ends[i], (size_t)end) == 0) {
      length -= end;
      break;
    }
  }
  assert_true((size_t)length < size);
  memcpy(family, series, (size_t)length);
  family[length] = 0;
}

static bool ends_in(const char *name, const char *end)
{
  return strlen(name) >= strlen(end) && strcmp(name + strlen(name) - strlen(end), end) == 0;
}

/* A family has one TYPE, right after its HELP, and its name tells the type. */
static void type_is_told_once(const char *helped, const char *typed, const char *type, char *seen, size_t room)
{
  char once[160];
  snprintf(once, sizeof once, " %s ", typed);
  assert_string_equal(typed, helped);
  assert_null(strstr(seen, once));
  assert_true(strlen(seen) + strlen(once) < room);
  strcat(seen, once);
  if (strcmp(type, "histogram") == 0)
    assert_true(ends_in(typed, "_seconds"));
  else
    assert_string_equal(type, ends_in(typed, "_total") ? "counter" : "gauge");
}

/* A sample belongs to the family that was announced last, and there is no other with the same labels. */
static void read_sample(const char *line, const char *family, struct metrics *metrics)
{
  assert_true(metrics->count < SAMPLE_LIMIT);
  struct sample *sample = &metrics->samples[metrics->count];
  const char *value = strrchr(line, ' ');
  assert_non_null(value);
  snprintf(sample->series, sizeof sample->series, "%.*s", (int)(value - line), line);
  snprintf(sample->value, sizeof sample->value, "%s", value + 1);
  family_of(sample->series, sample->family, sizeof sample->family);
  assert_string_equal(sample->family, family);
  assert_true(strncmp(family, "libpool_", 8) == 0 || strncmp(family, "db_client_connection_", 21) == 0);
  for (size_t i = 0; i < metrics->count; i++)
    assert_string_not_equal(metrics->samples[i].series, sample->series);
  metrics->count++;
}

/* Reads a document. */
static void read_metrics(pool_t *pool, struct metrics *metrics)
{
  pool_bytes_t text = report_of(pool, POOL_FORMAT_PROMETHEUS);
  char helped[128] = "", typed[128] = "", type[32], seen[8192] = "";
  char *rest = NULL;
  metrics->count = 0;
  for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
    if (sscanf(line, "# TYPE %127s %31s", typed, type) == 2)
      type_is_told_once(helped, typed, type, seen, sizeof seen);
    else if (sscanf(line, "# HELP %127s", helped) != 1)
      read_sample(line, typed, metrics);
  pool_bytes_free(&text);
}

static const char *value_of(const struct metrics *metrics, const char *series)
{
  for (size_t i = 0; i < metrics->count; i++)
    if (strcmp(metrics->samples[i].series, series) == 0)
      return metrics->samples[i].value;
  fail_msg("there is no %s", series);
  return NULL;
}

static int64_t number_of(const struct metrics *metrics, const char *series)
{
  const char *value = value_of(metrics, series);
  char *end;
  int64_t number = strtoll(value, &end, 10);
  assert_true(*value && !*end);
  return number;
}

/* Too large for a stack. */
static struct metrics metrics;

static void test_report__prometheus_tells_the_counts(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = named_pool(&fake, "p");
  pool_lease_t lease = pool_get(pool);
  set_counts(pool);
  pool_stats_t stats = stats_of(pool);
  read_metrics(pool, &metrics);
  assert_int_equal(number_of(&metrics, "libpool_connections_open{pool=\"p\"}"), 1);
  assert_int_equal(number_of(&metrics, "libpool_connections_leased{pool=\"p\"}"), 1);
  assert_int_equal(number_of(&metrics, "libpool_connections_opened_total{pool=\"p\"}"), stats.opened);
  assert_int_equal(number_of(&metrics, "libpool_checks_total{pool=\"p\"}"), stats.checks);
  assert_int_equal(number_of(&metrics, "libpool_starved_total{pool=\"p\"}"), stats.starved);
  assert_string_equal(value_of(&metrics, "libpool_queue_seconds_total{pool=\"p\"}"), "5.000000007");
  assert_int_equal(number_of(&metrics, "libpool_connections_closed_total{pool=\"p\",reason=\"idle\"}"),
                   stats.closed_idle);
  assert_int_equal(number_of(&metrics, "libpool_connections_closed_total{pool=\"p\",reason=\"resized\"}"),
                   stats.closed_resized);
  int64_t closed = 0;
  for (size_t i = 0; i < metrics.count; i++)
    if (strcmp(metrics.samples[i].family, "libpool_connections_closed_total") == 0)
      closed += strtoll(metrics.samples[i].value, NULL, 10);
  assert_true(closed == stats.closed);
  pool_put(lease);
  fake_finish(&fake, pool);
}

static void test_report__prometheus_histograms_are_cumulative_and_exact(void **state)
{
  (void)state;
  enum { SAMPLES = 3000 };
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = named_pool(&fake, "p");
  int64_t samples[SAMPLES], sum = 0;
  uint64_t random = 5;
  for (int i = 0; i < SAMPLES; i++) {
    samples[i] = (int64_t)random_next(&random) << 8 >> random_next(&random) % 36;
    if (i % 7 == 0)
      samples[i] = (int64_t)1 << random_next(&random) % 40; /* a nanosecond above a bound */
    sum += samples[i];
  }
  add_samples(pool, &pool->wait, samples, SAMPLES);
  read_metrics(pool, &metrics);
  int buckets = 0;
  double before = 0;
  for (size_t i = 0; i < metrics.count; i++) {
    char bound[64];
    if (sscanf(metrics.samples[i].series, "libpool_wait_seconds_bucket{pool=\"p\",le=\"%63[^\"]\"}", bound) != 1)
      continue;
    double seconds = strtod(bound, NULL);
    assert_true(seconds > before);
    before = seconds;
    int64_t count = 0;
    for (int j = 0; j < SAMPLES; j++)
      count += (double)samples[j] / 1e9 <= seconds;
    assert_int_equal(number_of(&metrics, metrics.samples[i].series), count);
    if (buckets == 0)
      assert_true(seconds < 2e-6);
    buckets++;
    if (strcmp(bound, "+Inf") != 0)
      assert_true(seconds < 150);
    else
      assert_int_equal(count, SAMPLES);
  }
  assert_true(buckets > 8 && before > 1e300);
  assert_int_equal(number_of(&metrics, "libpool_wait_seconds_count{pool=\"p\"}"), SAMPLES);
  char total[64];
  snprintf(total, sizeof total, "%lld.%09lld", (long long)(sum / 1000000000), (long long)(sum % 1000000000));
  assert_string_equal(value_of(&metrics, "libpool_wait_seconds_sum{pool=\"p\"}"), total);
  assert_int_equal(number_of(&metrics, "libpool_check_time_seconds_bucket{pool=\"p\",le=\"+Inf\"}"), 0);
  forget_samples(pool);
  fake_finish(&fake, pool);
}

/* Without a number the series of the two would be the same, which read_metrics() refuses. */
static void test_report__pools_of_one_name_are_told_apart(void **state)
{
  (void)state;
  struct fake fake[3];
  pool_t *pools[3];
  const char *names[3] = {"twin", "other", "twin"};
  for (int i = 0; i < 3; i++) {
    fake_init(&fake[i]);
    pools[i] = named_pool(&fake[i], names[i]);
  }
  read_metrics(NULL, &metrics);
  assert_int_equal(number_of(&metrics, "libpool_connections_open{pool=\"other\"}"), 0);
  assert_int_equal(number_of(&metrics, "libpool_connections_open{pool=\"twin\"}"), 0);
  assert_int_equal(number_of(&metrics, "libpool_connections_open{pool=\"twin\",number=\"2\"}"), 0);
  for (int i = 0; i < 3; i++)
    fake_finish(&fake[i], pools[i]);
}

/* ---- names ---- */

/* What Prometheus reads from a label's text. */
static void unescape(const char *label, char *name)
{
  for (; *label && *label != '"'; label++) {
    assert_int_not_equal(*label, '\n');
    if (*label == '\\') {
      label++;
      assert_non_null(strchr("\\\"n", *label));
      *name++ = *label == 'n' ? '\n' : *label;
    } else {
      *name++ = *label;
    }
  }
  *name = 0;
  assert_int_equal(*label, '"');
}

/* A pool of this name is told with that one. */
static void name_becomes(const char *name, const char *expected)
{
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = named_pool(&fake, name);
  json_t *root = json_of(pool);
  assert_string_equal(json_string_value(json_object_get(root, "name")), expected);
  json_decref(root);
  pool_bytes_t text = report_of(pool, POOL_FORMAT_PROMETHEUS);
  const char *label = strstr(text.data, "libpool_connections_open{pool=\"");
  assert_non_null(label);
  char read[256];
  unescape(strchr(label, '"') + 1, read);
  assert_string_equal(read, expected);
  pool_bytes_free(&text);
  text = report_of(pool, POOL_FORMAT_TEXT);
  for (const char *at = text.data; *at; at++)
    assert_true((unsigned char)*at >= ' ' || *at == '\n');
  const char *line = strchr(text.data, '\n'); /* the name has not begun another line */
  assert_non_null(line);
  assert_memory_equal(line + 1, "open ", 5);
  pool_bytes_free(&text);
  fake_finish(&fake, pool);
}

#define WRONG "?"

static void test_report__names_of_all_bytes(void **state)
{
  (void)state;
  for (int byte = 1; byte < 256; byte++) {
    const char alone[] = {'<', (char)byte, '>', 0};
    name_becomes(alone, byte >= ' ' && byte < 127 ? alone : "<" WRONG ">");
  }
  name_becomes("\"\\\n\r\t\b\f\"", "\"\\" WRONG WRONG WRONG WRONG WRONG "\"");
  name_becomes("\\n\\\\\"", "\\n\\\\\"");
  name_becomes("", "pool"); /* an empty label is none to Prometheus */
  name_becomes("{pool=\"x\"} 1 # %s %d %n", "{pool=\"x\"} 1 # %s %d %n");
}

static void test_report__names_of_good_and_bad_utf8(void **state)
{
  (void)state;
  name_becomes("\xc3\xbc \xe2\x82\xac \xf0\x9f\x90\x9f", "\xc3\xbc \xe2\x82\xac \xf0\x9f\x90\x9f");
  name_becomes("\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
               "\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
  name_becomes("\xc0\xaf", WRONG WRONG);           /* too long a form of / */
  name_becomes("\xe0\x9f\xbf", WRONG WRONG WRONG); /* of another */
  name_becomes("\xf0\x8f\xbf\xbf", WRONG WRONG WRONG WRONG);
  name_becomes("\xed\xa0\x80", WRONG WRONG WRONG);           /* half of a pair */
  name_becomes("\xf4\x90\x80\x80", WRONG WRONG WRONG WRONG); /* beyond the last character */
  name_becomes("\xe2\x82", WRONG WRONG);                     /* ends too early */
  name_becomes("\xe2\x82\"", WRONG WRONG "\"");
  name_becomes("\xe2\xe2\x82\xac", WRONG "\xe2\x82\xac");
  name_becomes("\xc2\x80 \xc2\x85 \xc2\x9f", WRONG " " WRONG " " WRONG); /* control characters of more than a byte */
  name_becomes("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", "\xe2\x80\xa7" WRONG WRONG "\xe2\x80\xaa");
  /* 47 bytes are kept, and no half of a character; and 47 wrong ones. */
  char name[100], expected[200] = "";
  memset(name, 'x', 46);
  strcpy(name + 46, "\xc3\xbc");
  memset(expected, 'x', 46);
  name_becomes(name, expected);
  memset(name, 0xff, 60);
  name[60] = 0;
  expected[0] = 0;
  for (int i = 0; i < 47; i++)
    strcat(expected, WRONG);
  name_becomes(name, expected);
}

/* ---- text ---- */

static void test_report__text_is_a_table(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = named_pool(&fake, "for people");
  set_counts(pool);
  const int64_t waits[] = {1500, 1500, 1500, 61000000000};
  add_samples(pool, &pool->wait, waits, 4);
  pool_bytes_t text = report_of(pool, POOL_FORMAT_TEXT);
  pool_stats_t stats = stats_of(pool);
  assert_true(strncmp(text.data, "pool \"for people\"\n", 18) == 0);
  char line[128];
  snprintf(line, sizeof line, "\nchecks         %16lld  Checks made\n", (long long)stats.checks);
  assert_non_null(strstr(text.data, line));
  snprintf(line, sizeof line, "\nclosed_resized %16lld  ", (long long)stats.closed_resized);
  assert_non_null(strstr(text.data, line));
  assert_non_null(strstr(text.data, "  5.000 s   Sum of all waits in the queue\n"));
  assert_non_null(strstr(text.data, "\nwait                          4     61.000 s "));
  assert_non_null(strstr(text.data, " 61.000 s \nopen_time "));
  assert_null(strstr(text.data, "_ns"));
  pool_bytes_free(&text);
  forget_samples(pool);
  fake_finish(&fake, pool);
}

static void test_report__does_not_depend_on_the_locale(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = named_pool(&fake, "B\xc3\xbc"
                                   "cher \xff");
  set_counts(pool);
  const int64_t waits[] = {1234567, 987654321987};
  add_samples(pool, &pool->wait, waits, 2);
  pool_bytes_t plain[3], german[3];
  for (int32_t format = 0; format < 3; format++)
    plain[format] = report_of(pool, format);
  assert_non_null(setlocale(LC_ALL, "de_DE.UTF-8"));
  char decimal[32];
  snprintf(decimal, sizeof decimal, "%.1f", 1.5);
  assert_string_equal(decimal, "1,5");
  for (int32_t format = 0; format < 3; format++)
    german[format] = report_of(pool, format);
  setlocale(LC_ALL, "C");
  for (int32_t format = 0; format < 3; format++) {
    assert_string_equal(german[format].data, plain[format].data);
    pool_bytes_free(&german[format]);
    pool_bytes_free(&plain[format]);
  }
  forget_samples(pool);
  fake_finish(&fake, pool);
}

/* ---- at any moment ---- */

static int open_and_report(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  pool_bytes_t text;
  must(pool_report(NULL, POOL_FORMAT_PROMETHEUS, &text) == 0);
  must(strstr(text.data, "libpool_connections_opening{pool=\"pool\"} 1\n"));
  pool_bytes_free(&text);
  return fake_open(context, deadline_ns, conn, error);
}

static void test_report__from_a_callback(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = fake_vtable();
  vtable.open = open_and_report;
  pool_t *pool = fake_pool(&fake, NULL, &vtable);
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  pool_put(lease);
  fake_finish(&fake, pool);
}

static void *make_use_and_free(void *data)
{
  for (int i = 0; i < 200; i++) {
    struct fake fake;
    fake_init(&fake);
    pool_vtable_t vtable = fake_vtable();
    pool_t *pool = NULL;
    must(pool_create(NULL, &vtable, &fake, &pool, NULL) == 0);
    pool_lease_t lease = pool_get(pool);
    must(lease > 0);
    must(pool_put(lease) == 0);
    pool_free(pool);
    must(atomic_load(&fake.open_now) == 0);
  }
  atomic_fetch_add((_Atomic int *)data, 1);
  return NULL;
}

static void test_report__while_pools_come_and_go(void **state)
{
  (void)state;
  _Atomic int done = 0;
  pthread_t threads[3];
  for (int i = 0; i < 3; i++)
    threads[i] = thread_start(make_use_and_free, (void *)&done);
  do {
    json_t *root = json_of(NULL);
    json_t *list = json_object_get(root, "pools");
    assert_true(json_array_size(list) <= 3);
    for (size_t i = 0; i < json_array_size(list); i++)
      assert_in_range(integer_of(json_array_get(list, i), "open"), 0, 1);
    json_decref(root);
  } while (atomic_load(&done) < 3);
  for (int i = 0; i < 3; i++)
    thread_end(threads[i]);
  assert_int_equal(pools_told(), 0);
}

/* The value of a sample whose line begins so. */
static long long sample_of(pool_t *pool, const char *line)
{
  pool_bytes_t text = report_of(pool, POOL_FORMAT_PROMETHEUS);
  const char *at = strstr(text.data, line);
  if (!at)
    fail_msg("no line begins with %s", line);
  long long value = atoll(at + strlen(line));
  pool_bytes_free(&text);
  return value;
}

static void test_report__has_the_names_and_states_of_opentelemetry(void **state)
{
  (void)state;
  struct fake fake;
  pool_t *pool = fake_start(&fake, PLAN(.config.name = "orders", .config.max_open = 3, .config.min_idle = 1));
  pool_lease_t leases[2];
  leases_get(pool, leases, 2);
  wait_until(stats_of(pool).open == 3);
  wait_until(stats_of(pool).idle == 1);
#define OTEL(name, labels)                                                                                             \
  sample_of(pool, "db_client_connection_" name "{db_client_connection_pool_name=\"orders\"" labels "} ")
#define STATE(name) OTEL("count", ",db_client_connection_state=\"" name "\"")
  assert_int_equal(STATE("used"), 2);
  assert_int_equal(STATE("idle"), 1);
  assert_int_equal(STATE("opening"), 0);
  assert_int_equal(STATE("other"), 0);
  assert_int_equal(OTEL("max", ""), 3);
  assert_int_equal(OTEL("idle_max", ""), 3);
  assert_int_equal(OTEL("idle_min", ""), 1);
  assert_int_equal(OTEL("pending_requests", ""), 0);
  assert_int_equal(OTEL("timeouts_total", ""), 0);
  assert_int_equal(OTEL("create_time_seconds_count", ""), stats_of(pool).opened);
  leases_put(leases, 2);
  assert_int_equal(STATE("idle"), 3);
  fake_finish(&fake, pool);
}

static void test_report__counts_a_get_that_did_not_wait_as_a_wait_of_nothing(void **state)
{
  (void)state;
  struct fake fake;
  pool_t *pool = fake_start(&fake, PLAN(.config.name = "orders", .config.max_open = 1));
  for (int i = 0; i < 5; i++)
    get_and_put_now(pool);
  assert_int_equal(stats_of(pool).at_once, 5);
  const int64_t waits[] = {1000000};
  add_samples(pool, &pool->wait, waits, 1);
  assert_int_equal(OTEL("wait_time_seconds_count", ""), 6);
  assert_int_equal(OTEL("wait_time_seconds_bucket", ",le=\"0.000001023\""), 5);
  assert_int_equal(OTEL("wait_time_seconds_bucket", ",le=\"0.067108863\""), 6);
  assert_int_equal(sample_of(pool, "libpool_wait_seconds_count{pool=\"orders\"} "), 1);
  forget_samples(pool);
  fake_finish(&fake, pool);
}

static void test_report__has_the_limits_and_what_stands_still(void **state)
{
  (void)state;
  struct fake fake;
  pool_t *pool = fake_start(&fake, PLAN(.config.name = "orders", .config.max_open = 2, .config.retry_min_ms = 60000,
                                        .config.retry_max_ms = 60000, .config.breaker_after = 1));
  assert_int_equal(stats_of(pool).max_open, 2);
  assert_int_equal(stats_of(pool).paused + stats_of(pool).breaker_open, 0);
  assert_int_equal(pool_resize(pool, 3), 0);
  assert_int_equal(pool_pause(pool), 0);
  assert_int_equal(sample_of(pool, "libpool_max_open{pool=\"orders\"} "), 3);
  assert_int_equal(sample_of(pool, "libpool_paused{pool=\"orders\"} "), 1);
  assert_int_equal(pool_resume(pool), 0);
  fake.fail_open = 1;
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  assert_int_equal(sample_of(pool, "libpool_breaker_open{pool=\"orders\"} "), 1);
  fake_finish(&fake, pool);
}

static void ignore_lease(void *user, pool_lease_t result)
{
  (void)user, (void)result;
}

static void test_report__tells_for_how_long_the_first_waits_and_the_oldest_lease_is_out(void **state)
{
  (void)state;
  struct fake fake;
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 1));
  assert_int_equal(stats_of(pool).oldest_wait_ns, 0);
  assert_int_equal(stats_of(pool).oldest_lease_ns, 0);
  pool_lease_t lease = pool_get(pool);
  int64_t ticket = pool_get_async(pool, -1, ignore_lease, NULL);
  wait_until(stats_of(pool).oldest_wait_ns > 1000000);
  wait_until(stats_of(pool).oldest_lease_ns > 1000000);
  assert_int_equal(pool_cancel(ticket), 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(stats_of(pool).oldest_wait_ns, 0);
  assert_int_equal(stats_of(pool).oldest_lease_ns, 0);
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_report__refuses_what_it_cannot_do),
      cmocka_unit_test(test_report__json_has_each_member_of_the_stats),
      cmocka_unit_test(test_report__one_document_of_all_pools),
      cmocka_unit_test(test_report__tells_of_a_pool_until_its_last_connection_is_closed),
      cmocka_unit_test(test_report__in_a_child_of_fork),
      cmocka_unit_test(test_report__prometheus_tells_the_counts),
      cmocka_unit_test(test_report__prometheus_histograms_are_cumulative_and_exact),
      cmocka_unit_test(test_report__pools_of_one_name_are_told_apart),
      cmocka_unit_test(test_report__names_of_all_bytes),
      cmocka_unit_test(test_report__names_of_good_and_bad_utf8),
      cmocka_unit_test(test_report__text_is_a_table),
      cmocka_unit_test(test_report__does_not_depend_on_the_locale),
      cmocka_unit_test(test_report__from_a_callback),
      cmocka_unit_test(test_report__while_pools_come_and_go),
      cmocka_unit_test(test_report__has_the_names_and_states_of_opentelemetry),
      cmocka_unit_test(test_report__counts_a_get_that_did_not_wait_as_a_wait_of_nothing),
      cmocka_unit_test(test_report__has_the_limits_and_what_stands_still),
      cmocka_unit_test(test_report__tells_for_how_long_the_first_waits_and_the_oldest_lease_is_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
