/* SPDX-License-Identifier: MIT */
/*
 * Get and put: the library's steps, and the work they ask for done in Ruby.
 *
 * Every piece of work is reported in an rb_ensure, so a block that raises, throws or is killed takes no place.  A fork
 * in the middle of one makes the child's copy of it nobody's: it is then not reported.
 */
#include "native.h"

#include <stdio.h>

struct get;

struct job {
  VALUE object;
  struct libpool *self;
  struct get *get; /* that needs it, or NULL */
  pool_step_t step;
  VALUE connection;
  pool_error_t failure; /* why a check, reset or close failed */
  uint64_t forks;
  bool succeeded;
  pool_lease_t result;
};

static void note(struct get *get, pool_lease_t result, const pool_step_t *step);

static void do_work(VALUE object, struct libpool *self, const pool_step_t *step);

/* ---- what a step says to others ---- */

/* Rings for the keeper, and starts one where there was nothing to keep so far.  False: there is none, or it is busy.
   While the first connections are opened there is none yet. */
static bool ring(VALUE object, struct libpool *self)
{
  if (self->filling)
    return false;
  if (self->deaf)
    rb_funcall(object, rb_intern("listen_again"), 0);
  bool heard = alarm_ring(self);
  if (!heard && self->keeps_time && !self->closing) {
    rb_funcall(object, rb_intern("restart_keeper"), 0);
    heard = alarm_ring(self);
    self->unkept = !heard;
  }
  return heard && self->busy == 0;
}

/* Who waits looks for itself where nobody would be in time to tell it: to look for no reason does no harm. */
static void heed(VALUE object, struct libpool *self, const pool_step_t *step)
{
  sleeper_wake(object, self, step->wake);
  if ((step->more || self->unkept) && !ring(object, self))
    sleeper_wake_all(object, self, NULL);
}

void lending_attend(VALUE object, struct libpool *self)
{
  if (!ring(object, self))
    lending_tidy(object, self);
}

void lending_heed_others(VALUE object, struct libpool *self)
{
  ring(object, self);
  sleeper_wake_all(object, self, NULL);
}

/* ---- work ---- */

static void heed_look(struct get *get);

/* Where a step tells others and asks for work as well.  To tell may run Ruby code, and then an interrupt may come of it:
   work that was not begun has failed, and a connection is closed nevertheless. */
static VALUE tell_others(VALUE data)
{
  struct job *job = (struct job *)data;
  if (job->get)
    heed_look(job->get);
  else
    heed(job->object, job->self, &job->step);
  return Qnil;
}

static VALUE call_open(VALUE data)
{
  struct job *job = (struct job *)data;
  tell_others(data);
  shelf_reserve(job->step.claim);
  job->connection = rb_funcall(job->self->open, rb_intern("call"), 0);
  job->succeeded = true;
  return Qnil;
}

static VALUE call_check(VALUE data)
{
  struct job *job = (struct job *)data;
  return RTEST(rb_funcall(job->self->check, rb_intern("call"), 1, job->connection)) ? Qtrue : Qfalse;
}

static VALUE call_close(VALUE data)
{
  struct job *job = (struct job *)data;
  if (!NIL_P(job->self->close))
    rb_funcall(job->self->close, rb_intern("call"), 1, job->connection);
  return Qtrue;
}

static VALUE call_reset(VALUE data)
{
  struct job *job = (struct job *)data;
  rb_funcall(job->self->reset, rb_intern("call"), 1, job->connection);
  return Qtrue;
}

static VALUE failed(VALUE data, VALUE error)
{
  failure_describe(error, &((struct job *)data)->failure);
  return Qfalse;
}

/* A check, reset or close that raises has failed, and that is all; what is not a StandardError goes on its way. */
static VALUE do_check(VALUE data)
{
  tell_others(data);
  ((struct job *)data)->succeeded = RTEST(rb_rescue2(call_check, data, failed, data, rb_eStandardError, (VALUE)0));
  return Qnil;
}

static VALUE do_reset(VALUE data)
{
  tell_others(data);
  ((struct job *)data)->succeeded = RTEST(rb_rescue2(call_reset, data, failed, data, rb_eStandardError, (VALUE)0));
  return Qnil;
}

static VALUE do_close(VALUE data)
{
  ((struct job *)data)->succeeded = RTEST(rb_rescue2(call_close, data, failed, data, rb_eStandardError, (VALUE)0));
  return Qnil;
}

static VALUE wake_who_drains(VALUE data)
{
  struct job *job = (struct job *)data;
  if (job->self->closing)
    sleeper_wake_all(job->object, job->self, NULL);
  return Qnil;
}

static VALUE go_on(VALUE data)
{
  struct job *job = (struct job *)data;
  do_work(job->object, job->self, &job->step);
  return Qnil;
}

static VALUE report(VALUE data)
{
  struct job *job = (struct job *)data;
  if (job->forks != libpool_forks)
    return Qnil;
  bool opened = job->step.work == POOL_WORK_OPEN && job->succeeded;
  if (opened)
    shelf_put(job->self, job->step.claim, job->connection);
  if (job->step.work == POOL_WORK_OPEN) {
    VALUE error = rb_errinfo();
    job->self->failure = !job->succeeded && failure_is_own(error) ? error : Qnil;
    if (!job->succeeded)
      failure_describe(error, &job->failure);
  }
  job->result = pool_step_done(job->step.claim, job->succeeded ? NULL : &job->failure, job->self, &job->step);
  if (job->get)
    note(job->get, job->result, &job->step); /* the exception that is under way may leave the get */
  return rb_ensure(wake_who_drains, data, go_on, data);
}

static VALUE close_and_report(VALUE data)
{
  return rb_ensure(do_close, data, report, data);
}

static void do_one(struct job *job)
{
  job->failure = (pool_error_t){.size = sizeof job->failure, .code = POOL_E_OPEN};
  switch (job->step.work) {
  case POOL_WORK_OPEN:
    rb_ensure(call_open, (VALUE)job, report, (VALUE)job);
    break;
  case POOL_WORK_CHECK:
    job->connection = shelf_get(job->step.claim);
    rb_ensure(do_check, (VALUE)job, report, (VALUE)job);
    break;
  case POOL_WORK_RESET:
    job->connection = shelf_get(job->step.claim);
    rb_ensure(do_reset, (VALUE)job, report, (VALUE)job);
    break;
  default:
    job->connection = shelf_take(job->self, job->step.claim);
    rb_ensure(tell_others, (VALUE)job, close_and_report, (VALUE)job);
  }
}

/* Tells others what the step says, and does its work. */
static void do_work(VALUE object, struct libpool *self, const pool_step_t *step)
{
  if (step->work == POOL_WORK_NONE) {
    heed(object, self, step);
    return;
  }
  struct job job = {.object = object, .self = self, .step = *step, .connection = Qnil, .forks = libpool_forks};
  do_one(&job);
  RB_GC_GUARD(job.connection);
}

/* ---- get ---- */

struct get {
  VALUE object;
  struct libpool *self;
  int64_t timeout_ms, deadline_ns;
  pool_step_t step;
  pool_lease_t result; /* of the step */
  VALUE failure;       /* the exception of its last open, or nil */
  pool_error_t error;  /* why the result is one: asked for at once, for whoever runs next may fail as well */
  pool_lease_t lease;
  struct sleeper sleeper;
  uint64_t forks;
  bool waited; /* for a while, and looked what is lost */
  bool succeeded;
};

/* What a step says about the lease and the place in the queue, noted before anything else can run. */
static void note(struct get *get, pool_lease_t result, const pool_step_t *step)
{
  struct sleeper *sleeper = &get->sleeper;
  if (result < 0 && pool_failure(&get->error) != result)
    snprintf(get->error.message, sizeof get->error.message, "%s", pool_strerror((int)result));
  get->result = result;
  get->lease = result > 0 ? result : 0;
  sleeper->ticket = result < 0 ? 0 : step->ticket;
  if (!sleeper->ticket)
    sleeper_end(get->self, sleeper);
  else if (!sleeper->linked)
    sleeper_begin(get->self, sleeper);
}

/* How much is left of its time, in milliseconds; less than one counts as one, for 0 means not to wait. */
static int64_t left_ms(const struct get *get)
{
  if (get->timeout_ms <= 0)
    return get->timeout_ms;
  int64_t left = (get->deadline_ns - sleeper_now()) / 1000000;
  return left > 1 ? left : 1;
}

/* The library's deadline was set before this one, so it is over when this one is. */
static void set_deadline(struct get *get, int64_t timeout_ms)
{
  get->deadline_ns = timeout_ms < 0 ? POOL_NO_DEADLINE : sleeper_now() + timeout_ms * INT64_C(1000000);
}

static void look(struct get *get)
{
  int64_t ticket = get->sleeper.ticket, timeout_ms = left_ms(get);
  get->sleeper.woken = false;
  pool_lease_t result = pool_step_begin(get->self->pool, timeout_ms, ticket, &get->step);
  if (!ticket)
    set_deadline(get, timeout_ms);
  note(get, result, &get->step);
}

static int64_t earlier(int64_t deadline_ns, int64_t look_again_ns)
{
  if (look_again_ns <= 0)
    return deadline_ns;
  int64_t then = sleeper_now() + look_again_ns;
  return then < deadline_ns ? then : deadline_ns;
}

/* Why it got nothing.  An exception that its own open raised is raised as it is, where that is the reason. */
static void fail(struct get *get, const pool_error_t *error)
{
  VALUE cause = NIL_P(get->failure) ? get->self->failure : get->failure;
  if (get->result == POOL_E_OPEN && !NIL_P(get->failure))
    rb_exc_raise(get->failure);
  bool has_cause = get->result == POOL_E_OPEN || (get->result == POOL_E_TIMEOUT && get->timeout_ms != 0);
  failure_raise_with(get->result, error->message, has_cause ? cause : Qnil);
}

static VALUE work_for_get(VALUE data)
{
  struct get *get = (struct get *)data;
  struct job job = {.object = get->object,
                    .self = get->self,
                    .get = get,
                    .step = get->step,
                    .connection = Qnil,
                    .forks = libpool_forks};
  do_one(&job);
  RB_GC_GUARD(job.connection);
  return Qnil;
}

/* Of an open: where the get has a ticket, something may still come, and else the get is over. */
static VALUE keep_failure(VALUE data, VALUE error)
{
  struct get *get = (struct get *)data;
  bool again = !NIL_P(get->failure);
  get->failure = error;
  if (get->sleeper.ticket)
    return Qnil;
  if (again && get->timeout_ms > 0 && sleeper_now() >= get->deadline_ns) {
    pool_error_t late = POOL_ERROR_INIT;
    snprintf(late.message, sizeof late.message, "%s: %s", pool_strerror(POOL_E_TIMEOUT), get->error.message);
    get->result = POOL_E_TIMEOUT; /* it has waited, and this was another try */
    fail(get, &late);
  }
  rb_exc_raise(error);
}

static void work(struct get *get)
{
  get->result = 0;
  if (get->step.work == POOL_WORK_OPEN)
    rb_rescue2(work_for_get, (VALUE)get, keep_failure, (VALUE)get, rb_eStandardError, (VALUE)0);
  else
    work_for_get((VALUE)get);
  if (get->result == POOL_E_CLOSED)
    failure_raise(get->result, pool_strerror(get->result));
}

/* As long as a block of the keeper runs, each look may find more to do.  Those that wait shall not wake each other, or
   themselves, for all of that time. */
static void heed_look(struct get *get)
{
  struct sleeper *own = &get->sleeper;
  bool roused = own->roused;
  own->roused = false;
  sleeper_wake(get->object, get->self, get->step.wake);
  if (get->step.more && !ring(get->object, get->self) && !roused)
    sleeper_wake_all(get->object, get->self, own);
}

/* What nobody can give back any more the keeper ends; whether there is any, only a look can tell. */
static int64_t wait_until(struct get *get)
{
  static const int64_t often_ns = 1000000000;
  int64_t until_ns = earlier(get->deadline_ns, get->step.look_again_ns);
  if (!get->self->first_lease && !get->self->first_lost)
    return until_ns;
  if (get->waited)
    lease_collect(get->self);
  get->waited = true;
  if (lease_any_lost(get->self))
    ring(get->object, get->self);
  return earlier(until_ns, often_ns);
}

static void act(struct get *get)
{
  if (get->result >= 0 && get->step.work != POOL_WORK_NONE) {
    work(get);
    return;
  }
  heed_look(get);
  if (get->result < 0)
    fail(get, &get->error);
  if (!get->lease)
    sleeper_sleep(get->object, &get->sleeper, wait_until(get));
}

/* In a child that was made in the middle of a get, the pool and the get begin anew. */
static void forget_parent(struct get *get)
{
  get->self = libpool_of(get->object);
  get->forks = libpool_forks;
  get->lease = 0;
  get->sleeper = (struct sleeper){.linked = false};
}

static VALUE get_body(VALUE data)
{
  struct get *get = (struct get *)data;
  for (;;) {
    act(get);
    if (get->forks != libpool_forks)
      forget_parent(get);
    if (get->lease) {
      get->succeeded = true;
      return Qnil;
    }
    look(get);
  }
}

static VALUE tell_of_cancel(VALUE data)
{
  struct get *get = (struct get *)data;
  heed(get->object, get->self, &get->step);
  return Qnil;
}

static VALUE give_back(VALUE data)
{
  struct get *get = (struct get *)data;
  if (get->lease)
    lending_end(get->object, get->self, get->lease);
  return Qnil;
}

/* The get was left by an exception: what it has got meanwhile goes back. */
static void give_up(struct get *get)
{
  int64_t ticket = get->sleeper.ticket;
  sleeper_end(get->self, &get->sleeper);
  if (!ticket) {
    give_back((VALUE)get);
    return;
  }
  pool_lease_t lease = pool_step_cancel(ticket, &get->step);
  if (lease > 0)
    get->lease = lease;
  rb_ensure(tell_of_cancel, (VALUE)get, give_back, (VALUE)get);
}

static VALUE get_end(VALUE data)
{
  struct get *get = (struct get *)data;
  if (!get->succeeded && get->forks == libpool_forks)
    give_up(get);
  return Qnil;
}

__attribute__((noinline)) static pool_lease_t get_slowly(VALUE object, struct libpool *self, int64_t timeout_ms,
                                                         pool_lease_t result, const pool_step_t *step)
{
  struct get get = {.object = object,
                    .self = self,
                    .timeout_ms = timeout_ms,
                    .step = *step,
                    .failure = Qnil,
                    .error = POOL_ERROR_INIT,
                    .forks = libpool_forks};
  set_deadline(&get, timeout_ms);
  note(&get, result, step);
  rb_ensure(get_body, (VALUE)&get, get_end, (VALUE)&get);
  shelf_note(get.lease);
  return get.lease;
}

pool_lease_t lending_begin(VALUE object, struct libpool *self, int64_t timeout_ms)
{
  pool_step_t step = POOL_STEP_INIT;
  if (self->first_lost)
    ring(object, self);
  pool_lease_t lease = pool_step_begin(self->pool, timeout_ms, 0, &step);
  if (lease <= 0 || step.wake || step.more)
    return get_slowly(object, self, timeout_ms, lease, &step);
  shelf_note(lease);
  return lease;
}

static VALUE idle_body(VALUE data)
{
  struct get *get = (struct get *)data;
  do {
    get->step = (pool_step_t)POOL_STEP_INIT;
    get->result = pool_step_idle(get->self->pool, &get->step);
    get->lease = get->result > 0 ? get->result : 0;
    if (get->step.work != POOL_WORK_NONE) /* what comes first */
      work_for_get(data);
    else
      heed_look(get);
  } while (!get->lease && get->step.work != POOL_WORK_NONE);
  get->succeeded = true;
  return Qnil;
}

pool_lease_t lending_begin_idle(VALUE object, struct libpool *self)
{
  struct get get = {.object = object, .self = self, .failure = Qnil, .error = POOL_ERROR_INIT, .forks = libpool_forks};
  rb_ensure(idle_body, (VALUE)&get, get_end, (VALUE)&get);
  if (get.lease)
    shelf_note(get.lease);
  return get.lease;
}

bool lending_adopt(VALUE object, struct libpool *self, VALUE connection)
{
  pool_step_t step = POOL_STEP_INIT;
  if (pool_step_open(self->pool, &step) < 0)
    return false;
  shelf_reserve(step.claim);
  shelf_put(self, step.claim, connection);
  pool_step_done(step.claim, NULL, self, &step);
  do_work(object, self, &step);
  return true;
}

/* ---- put ---- */

int lending_end(VALUE object, struct libpool *self, pool_lease_t lease)
{
  pool_step_t step = POOL_STEP_INIT;
  int code = pool_step_end(lease, &step);
  do_work(object, self, &step);
  return code;
}

/* ---- what nobody in particular wanted ---- */

struct chore {
  VALUE object;
  struct libpool *self;
  pool_step_t step;
  uint64_t forks;
};

static VALUE do_chore(VALUE data)
{
  struct chore *chore = (struct chore *)data;
  do_work(chore->object, chore->self, &chore->step);
  return Qtrue;
}

static VALUE ignore(VALUE data, VALUE error)
{
  (void)data, (void)error;
  return Qfalse;
}

/* An open that nobody in particular wanted has nobody to raise to: it is counted, and tried again another time. */
static VALUE do_chore_quietly(VALUE data)
{
  return rb_rescue2(do_chore, data, ignore, Qnil, rb_eStandardError, (VALUE)0);
}

static VALUE end_chore(VALUE data)
{
  struct chore *chore = (struct chore *)data;
  if (chore->forks == libpool_forks)
    chore->self->busy--;
  return Qnil;
}

int64_t lending_tidy(VALUE object, struct libpool *self)
{
  struct chore chore = {object, self, POOL_STEP_INIT, libpool_forks};
  while (chore.forks == libpool_forks && pool_step_next(self->pool, &chore.step) > 0) {
    chore.step.more = 0; /* this does it */
    self->busy++;
    rb_ensure(do_chore_quietly, (VALUE)&chore, end_chore, (VALUE)&chore);
  }
  return chore.step.due_ns;
}

/* ---- the first connections ---- */

struct fill {
  VALUE object;
  struct libpool *self;
  int32_t initial, left;
  int64_t deadline_ns;
  struct sleeper sleeper;
  uint64_t forks;
};

static bool is_cut_off(struct libpool *self)
{
  pool_stats_t stats = POOL_STATS_INIT;
  return pool_stats(self->pool, &stats) == 0 && stats.budget_cut_off;
}

/* Where the ledger of the budget cannot be reached, nobody knows when there will be a permit: the keeper opens then. */
static bool await_permit(struct fill *fill)
{
  static const int64_t often_ns = 10000000;
  struct libpool *self = fill->self;
  int64_t now = sleeper_now();
  char message[100];
  if (!self->shares || is_cut_off(self))
    return false;
  if (now >= fill->deadline_ns) {
    snprintf(message, sizeof message, "the budget has no permit for initial connection %d of %d",
             (int)(fill->initial - fill->left + 1), (int)fill->initial);
    failure_raise(POOL_E_TIMEOUT, message);
  }
  fill->sleeper.woken = false;
  sleeper_sleep(fill->object, &fill->sleeper, self->listens ? fill->deadline_ns : earlier(fill->deadline_ns, often_ns));
  return true;
}

static VALUE fill_body(VALUE data)
{
  struct fill *fill = (struct fill *)data;
  pool_step_t step = POOL_STEP_INIT;
  while (fill->left > 0 && fill->forks == libpool_forks)
    if (pool_step_next(fill->self->pool, &step) > 0) {
      fill->left -= step.work == POOL_WORK_OPEN;
      step.more = 0; /* there is nobody yet */
      do_work(fill->object, fill->self, &step);
    } else if (!await_permit(fill)) {
      break;
    }
  return Qnil;
}

static VALUE fill_end(VALUE data)
{
  struct fill *fill = (struct fill *)data;
  fill->self->filling = false;
  sleeper_end(fill->self, &fill->sleeper);
  return Qnil;
}

void lending_fill(VALUE object, struct libpool *self, int32_t initial)
{
  struct fill fill = {.object = object, .self = self, .initial = initial, .left = initial, .forks = libpool_forks};
  fill.deadline_ns =
      self->get_timeout_ms < 0 ? POOL_NO_DEADLINE : sleeper_now() + self->get_timeout_ms * INT64_C(1000000);
  self->filling = true;
  sleeper_begin(self, &fill.sleeper);
  rb_ensure(fill_body, (VALUE)&fill, fill_end, (VALUE)&fill);
  if (self->shares)
    lending_attend(object, self);
}
