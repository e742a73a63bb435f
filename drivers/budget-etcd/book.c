/* SPDX-License-Identifier: MIT */
#include "budget-etcd/book.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/share.h"
#include "support/deadline.h"
#include "support/failure.h"

/* A text begins with this and the number of its version. */
#define MARK    "libpool budget "
#define VERSION 1

/* A store writes to a disk for each ask, and those that collide try again: on average so long is between two. */
#define GAP_NS   INT64_C(20000000)
#define PAUSE_NS INT64_C(50000000)

#define UNIT_NS   INT64_C(1000) /* of times in the text; all times of a ledger are so many */
#define NEVER     (-1)          /* in the text: nobody waits; or all can have what they want */
#define MOST_TIME (INT64_MAX / 4 / UNIT_NS)

static int say_no_memory(pool_error_t *error)
{
  return failure_set(error, POOL_E_NOMEM, 0, "no memory for a ledger");
}

/* ---- time ---- */

int64_t book_now(const struct book *book)
{
  int64_t now = deadline_clock() + book->ahead_ns;
  return now - now % UNIT_NS;
}

/* The ledger says what time it is, or was. */
static void set_time(struct book *book, int64_t epoch, int64_t time_ns)
{
  int64_t ahead_ns = time_ns - deadline_clock();
  if (book->epoch != epoch || ahead_ns > book->ahead_ns)
    book->ahead_ns = ahead_ns;
  book->epoch = epoch;
}

/* ---- a new one ---- */

static int64_t new_epoch(void)
{
  int64_t epoch = 0;
  if (getrandom(&epoch, sizeof epoch, 0) != sizeof epoch)
    epoch = deadline_clock();
  return (epoch & INT64_MAX) | 1;
}

static struct ledger_manners manners_of(int64_t term_ns)
{
  return (struct ledger_manners){.term_ns = term_ns, .pause_ns = PAUSE_NS, .gap_ns = GAP_NS};
}

static bool make_room(struct book *book, int32_t room)
{
  struct ledger *ledger = realloc(book->ledger, ledger_size(room));
  if (!ledger)
    return false;
  book->ledger = ledger;
  return true;
}

bool book_make_room(struct book *book)
{
  if (book->ledger->used < book->ledger->room)
    return true;
  if (!make_room(book, book->ledger->used + 16))
    return false;
  book->ledger->room = book->ledger->used + 16;
  return true;
}

int book_begin(struct book *book, const struct place *place, int64_t cluster, pool_error_t *error)
{
  struct ledger_manners manners = manners_of(place->term_ms * 1000000);
  if (!make_room(book, 1))
    return say_no_memory(error);
  set_time(book, new_epoch(), 0);
  ledger_begin(book->ledger, 1, place->limit, book->epoch, true, &manners, book_now(book));
  book->revision = 0;
  book->cluster = cluster;
  return 0;
}

void book_free(struct book *book)
{
  free(book->ledger);
  *book = (struct book){0};
}

/* ---- writing ---- */

__attribute__((format(printf, 2, 3))) static void say(struct json_text *text, const char *format, ...)
{
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  json_text_say(text, line);
}

static int64_t units(int64_t ns)
{
  return ns / UNIT_NS;
}

/* Each of the texts of a member has a 0 behind it, and a tabulator here. */
static void write_who(const struct ledger_member *member, struct json_text *text)
{
  char who[LEDGER_TEXT];
  for (int i = 0; i < member->text; i++) {
    char letter = member->who[i];
    who[i] = letter == 0 ? '\t' : letter == '\t' || letter == '\n' ? '?' : letter;
  }
  json_text_add(text, who, member->text);
}

static void write_member(const struct ledger_member *member, int64_t now, struct json_text *text)
{
  int64_t waits = member->waits_ns == INT64_MAX ? NEVER : units(now - member->waits_ns);
  say(text, "%" PRIu64 " %" PRId32 " %" PRId64 " %" PRId64 " %" PRId64, member->id, member->seat,
      units(member->ends_ns - now), units(now - member->asked_ns), waits > NEVER ? waits : NEVER);
  say(text, " %" PRId32 " %" PRId32 " %" PRId32 " %" PRId32 " %" PRId32 " %" PRId32 " %" PRId32, member->open,
      member->wants, member->waiting, member->weight, member->floor, member->granted, member->target);
  say(text, " %d %d %d %d ", member->has_extra, member->lacks, member->pressed, member->told);
  write_who(member, text);
  json_text_say(text, "\n");
}

/* Members stand without gaps in the text. */
static int32_t members_before(const struct ledger *ledger, int32_t index)
{
  int32_t count = 0;
  for (int32_t i = 0; i < index && i < ledger->used; i++)
    count += ledger->member[i].id != 0;
  return count;
}

void book_write(const struct book *book, struct json_text *text)
{
  const struct ledger *ledger = book->ledger;
  int64_t now = book_now(book);
  say(text, MARK "%d\n%" PRId64 " %" PRId64 " %" PRId32 " %" PRId64 " %" PRId64 " %" PRId64 "\n", VERSION,
      ledger->epoch, book->cluster, ledger->limit, units(ledger->manners.term_ns), units(now),
      ledger->level == SHARE_FULL ? NEVER : ledger->level);
  say(text, "%d %d %d %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64, ledger->keeps, ledger->moved, ledger->learns,
      units(now - ledger->learns_from_ns), units(now - ledger->asked_ns), units(now - ledger->told_ns),
      units(ledger->level_due_ns - now));
  say(text, " %" PRId32 " %" PRId32 "\n", members_before(ledger, ledger->next), ledger->members);
  for (int32_t i = 0; i < ledger->used; i++)
    if (ledger->member[i].id)
      write_member(&ledger->member[i], now, text);
}

/* ---- reading ---- */

/* A text, of which the first part was read. */
struct scan {
  const char *at;
  bool bad;
};

static int64_t number(struct scan *scan, int64_t least, int64_t most)
{
  char *end;
  long long value = strtoll(scan->at, &end, 10);
  scan->bad = scan->bad || end == scan->at || value < least || value > most;
  scan->at = end;
  return scan->bad ? least : value;
}

static int64_t moment(struct scan *scan)
{
  return number(scan, -MOST_TIME, MOST_TIME) * UNIT_NS;
}

static int32_t amount(struct scan *scan, int32_t least)
{
  return (int32_t)number(scan, least, INT32_MAX);
}

static bool truth(struct scan *scan)
{
  return number(scan, 0, 1) == 1;
}

static void expect(struct scan *scan, char letter)
{
  scan->bad = scan->bad || *scan->at != letter;
  scan->at += !scan->bad;
}

static void read_who(struct scan *scan, struct ledger_member *member)
{
  size_t size = strcspn(scan->at, "\n");
  scan->bad = scan->bad || size > LEDGER_TEXT;
  if (scan->bad)
    return;
  member->text = (uint16_t)size;
  for (size_t i = 0; i < size; i++)
    member->who[i] = scan->at[i] == '\t' ? 0 : scan->at[i];
  scan->at += size;
}

static void read_times(struct scan *scan, struct ledger_member *member, int64_t now)
{
  member->ends_ns = now + moment(scan);
  member->asked_ns = now - moment(scan);
  int64_t waits = number(scan, NEVER, MOST_TIME);
  member->waits_ns = waits == NEVER ? INT64_MAX : now - waits * UNIT_NS;
}

static void read_member(struct scan *scan, struct ledger_member *member, int64_t now)
{
  char *end;
  *member = (struct ledger_member){.id = strtoull(scan->at, &end, 10)};
  scan->bad = scan->bad || member->id == 0;
  scan->at = end;
  member->seat = amount(scan, 0);
  read_times(scan, member, now);
  member->open = amount(scan, 0);
  member->wants = amount(scan, 0);
  member->waiting = amount(scan, 0);
  member->weight = amount(scan, 1);
  member->floor = amount(scan, 0);
  member->granted = amount(scan, member->open);
  member->target = amount(scan, 0);
  member->has_extra = truth(scan);
  member->lacks = truth(scan);
  member->pressed = truth(scan);
  member->told = (uint8_t)number(scan, LEDGER_NOT_TOLD, LEDGER_TOLD);
  expect(scan, ' ');
  read_who(scan, member);
  expect(scan, '\n');
}

/* Sums are not in the text, so they are never wrong. */
static void add_up(struct ledger *ledger, const struct ledger_member *member)
{
  ledger->granted += member->granted;
  ledger->floors += member->floor;
  ledger->lacking += member->lacks;
  ledger->to_tell += member->told == LEDGER_TO_BE_TOLD;
  if (member->ends_ns < ledger->forget_ns)
    ledger->forget_ns = member->ends_ns;
}

/* When it was written, and where. */
struct origin {
  int64_t cluster, now;
};

static void read_state(struct scan *scan, struct ledger *ledger, int64_t now)
{
  ledger->keeps = truth(scan);
  ledger->moved = truth(scan);
  ledger->learns = truth(scan);
  ledger->learns_from_ns = now - moment(scan);
  ledger->asked_ns = now - moment(scan);
  ledger->told_ns = now - moment(scan);
  ledger->level_due_ns = now + moment(scan);
  ledger->next = amount(scan, 0);
  ledger->members = ledger->used = (int32_t)number(scan, 0, BOOK_MEMBERS);
  ledger->forget_ns = INT64_MAX;
  expect(scan, '\n');
}

static void read_head(struct scan *scan, struct ledger *ledger, struct origin *origin)
{
  memset(ledger, 0, sizeof *ledger);
  ledger->epoch = number(scan, 1, INT64_MAX);
  origin->cluster = number(scan, INT64_MIN, INT64_MAX);
  ledger->limit = amount(scan, 1);
  ledger->manners = manners_of(number(scan, 1, MOST_TIME) * UNIT_NS);
  origin->now = moment(scan);
  int64_t level = number(scan, NEVER, INT64_MAX / 4 / SHARE_WEIGHT_MOST);
  ledger->level = level == NEVER ? SHARE_FULL : level;
  expect(scan, '\n');
  read_state(scan, ledger, origin->now);
}

static int say_foreign(const struct place *place, pool_error_t *error)
{
  return failure_set(error, POOL_E_INVALID, 0,
                     "the key %s has a value that is no ledger of this version of libpool; delete the key, or give the "
                     "budget another name",
                     place->key);
}

static void read_members(struct scan *scan, struct ledger *ledger, int64_t now)
{
  for (int32_t i = 0; i < ledger->used && !scan->bad; i++) {
    read_member(scan, &ledger->member[i], now);
    add_up(ledger, &ledger->member[i]);
  }
  scan->bad = scan->bad || *scan->at;
}

/* A member more than there are has room. */
static int read_all(struct book *book, struct scan *scan, struct origin *origin, const struct place *place,
                    pool_error_t *error)
{
  if (!make_room(book, 1))
    return say_no_memory(error);
  read_head(scan, book->ledger, origin);
  if (scan->bad)
    return say_foreign(place, error);
  book->ledger->room = book->ledger->used + 1;
  if (!make_room(book, book->ledger->room))
    return say_no_memory(error);
  read_members(scan, book->ledger, origin->now);
  return scan->bad ? say_foreign(place, error) : 0;
}

/* A cluster that was made of another's copy does not know what that one granted last. */
static void note_cluster(struct book *book, int64_t from, int64_t cluster)
{
  struct ledger *ledger = book->ledger;
  book->cluster = cluster;
  if (from == cluster)
    return;
  ledger->learns = true;
  ledger->learns_from_ns = ledger->asked_ns = book_now(book);
}

int book_read(struct book *book, const struct place *place, const char *text, int64_t revision, int64_t cluster,
              pool_error_t *error)
{
  int version = 0, used = 0;
  struct origin origin = {0};
  if (sscanf(text, MARK "%d%n", &version, &used) != 1 || version != VERSION || text[used] != '\n')
    return say_foreign(place, error);
  struct scan scan = {.at = text + used + 1};
  int code = read_all(book, &scan, &origin, place, error);
  if (code)
    return code;
  set_time(book, book->ledger->epoch, origin.now);
  book->revision = revision;
  note_cluster(book, origin.cluster, cluster);
  return 0;
}
