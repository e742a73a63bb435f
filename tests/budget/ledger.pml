/* SPDX-License-Identifier: MIT */
/*
 * The ledger (src/base/ledger.c) and members that yield, for spin: whatever messages are lost, late or overtaken, whoever
 * is forgotten, and though the ledger is lost, the sum of what is open is never above the limit.
 *
 * Fair shares are any shares here: a target is any number.  Time is counted in ticks, which may come at any moment, so a
 * message takes as long as it likes.  A member that is stopped for longer than its term is not in the model, for there
 * the limit does not hold.
 *
 * MISTAKE=N in the environment makes a mistake on purpose, which must be found.
 */
#ifndef MEMBERS
#ifndef MEMBERS
#ifndef MEMBERS
#define MEMBERS 2
#endif
#endif
#endif
#ifndef LIMIT
#define LIMIT 2
#endif
#ifndef TERM
#define TERM 3
#endif
#ifndef ASKS
#define ASKS 1 /* of a member, on their way at one time */
#endif

#define COUNTS_FROM_THE_ANSWER (mistake == 1)
#define IGNORES_WHAT_IS_OPEN (mistake == 2)
#define LEARNS_NOTHING (mistake == 3)
#define KNOWS_NO_TERM (mistake == 4)
#define TAKES_AN_OVERTAKEN_ASK (mistake == 5)
#define TAKES_AN_ANSWER_TO_AN_EARLIER_ASK (mistake == 6)
#define OPENS_MORE_THAN_IT_SAID (mistake == 7)
#define IS_NEVER_FULL (mistake == 8) /* none of the library's: shows that the model comes to the limit at all */
byte mistake;

/* A member. */
byte open[MEMBERS];
byte cap[MEMBERS];  /* it opens no more than that: the lower of granted and target (decide/allowance.c) */
byte left[MEMBERS]; /* ticks until its term is over, as it counts */
byte age[MEMBERS];  /* ticks since its last ask, while that is not answered */
bool waits[MEMBERS];

/* The ledger.  kept: ticks until the member is forgotten (ends_ns); 0: it is none. */
byte granted[MEMBERS];
byte kept[MEMBERS];
byte learns; /* ticks */

/* Asks on their way.  Of one member only the last is LAST, and one that the ledger got after a later one is OVERTAKEN. */
#define NONE 0
#define EARLIER 1
#define LAST 2
#define OVERTAKEN 3
byte ask[MEMBERS * ASKS];
byte said[MEMBERS * ASKS]; /* struct ledger_ask: open */

/* Which place an ask has is nothing to tell states by: there is none in the first place only if there is none at all. */
inline arrange()
{
  if
  :: ASKS == 2 && ask[m * ASKS] == NONE ->
    ask[m * ASKS] = ask[m * ASKS + ASKS - 1]; said[m * ASKS] = said[m * ASKS + ASKS - 1];
    ask[m * ASKS + ASKS - 1] = NONE; said[m * ASKS + ASKS - 1] = 0
  :: else
  fi
}

/* The answer on its way to each member: to its LAST ask, or to one EARLIER. */
byte answer[MEMBERS];
byte grants[MEMBERS];

byte m, i, k, n, others; /* of a step, and 0 between two */

inline lose_connections(who)
{
  open[who] = 0;
  cap[who] = 0;
  left[who] = 0;
}

/* Before it asks a member lowers its cap to what it says (ledger.h: struct ledger_ask). */
inline make_ask()
{
  select(n : open[m] .. cap[m]);
  for (k : 0 .. ASKS - 1) {
    if
    :: ask[m * ASKS + k] == LAST -> ask[m * ASKS + k] = EARLIER
    :: else
    fi
  }
  if
  :: answer[m] == LAST && TAKES_AN_ANSWER_TO_AN_EARLIER_ASK -> answer[m] = EARLIER
  :: else -> answer[m] = NONE; grants[m] = 0 /* it would be ignored */
  fi
  ask[m * ASKS + i] = LAST;
  said[m * ASKS + i] = n;
  waits[m] = true;
  age[m] = 0;
  if
  :: OPENS_MORE_THAN_IT_SAID
  :: else -> cap[m] = n
  fi
}

/* ledger.c: grant().  n is the target that share_of() gives, and becomes what is granted. */
inline grant()
{
  others = 0;
  for (k : 0 .. MEMBERS - 1) {
    others = others + (k == m -> 0 : granted[k])
  }
  n = (others >= LIMIT -> 0 : (n < LIMIT - others -> n : LIMIT - others));
  n = (n < said[m * ASKS + i] && !IGNORES_WHAT_IS_OPEN -> said[m * ASKS + i] : n);
  n = (learns > 0 -> said[m * ASKS + i] : n);
  granted[m] = n
}

/* ledger.c: ledger_sync(), where its keeper does not refuse the ask because it was overtaken. */
inline sync()
{
  select(n : 0 .. LIMIT);
  grant();
  kept[m] = TERM; /* note_ask(): ends_ns */
  for (k : 0 .. ASKS - 1) {
    if
    :: ask[m * ASKS + i] == LAST && ask[m * ASKS + k] == EARLIER -> ask[m * ASKS + k] = OVERTAKEN
    :: else
    fi
  }
  if
  :: ask[m * ASKS + i] == LAST -> answer[m] = LAST; grants[m] = n
  :: skip /* it is lost */
  fi
}

inline take_ask()
{
  if
  :: ask[m * ASKS + i] != OVERTAKEN || TAKES_AN_OVERTAKEN_ASK -> sync()
  :: else
  fi
  ask[m * ASKS + i] = NONE;
  said[m * ASKS + i] = 0
}

/* A term counts from before the member asked, less a margin. */
inline take_answer()
{
  if
  :: answer[m] == LAST || TAKES_AN_ANSWER_TO_AN_EARLIER_ASK ->
    cap[m] = grants[m];
    left[m] = (COUNTS_FROM_THE_ANSWER -> TERM - 1 : (age[m] < TERM - 1 -> TERM - 1 - age[m] : 0));
    waits[m] = false;
    age[m] = 0;
    if
    :: left[m] == 0 -> lose_connections(m)
    :: else
    fi
  :: else
  fi
  answer[m] = NONE;
  grants[m] = 0
}

/* A member yields when its term is over, before the ledger forgets it (ledger.c: forget()). */
inline tick()
{
  for (k : 0 .. MEMBERS - 1) {
    age[k] = (waits[k] && age[k] < TERM - 1 -> age[k] + 1 : age[k]);
    if
    :: left[k] > 0 && !KNOWS_NO_TERM ->
      left[k]--;
      if
      :: left[k] == 0 -> lose_connections(k)
      :: else
      fi
    :: else
    fi;
    if
    :: kept[k] > 0 ->
      kept[k]--;
      granted[k] = (kept[k] == 0 -> 0 : granted[k])
    :: else
    fi
  }
  learns = (learns > 0 -> learns - 1 : 0)
}

/* ledger.c: ledger_begin().  It does not know either which asks were overtaken. */
inline lose_ledger()
{
  for (k : 0 .. MEMBERS - 1) {
    granted[k] = 0;
    kept[k] = 0;
    for (i : 0 .. ASKS - 1) {
      ask[k * ASKS + i] = (ask[k * ASKS + i] == OVERTAKEN -> EARLIER : ask[k * ASKS + i])
    }
  }
  learns = (LEARNS_NOTHING -> 0 : TERM)
}

inline open_one()
{
  open[m]++;
  others = 0;
  for (k : 0 .. MEMBERS - 1) {
    others = others + open[k]
  }
  assert(others <= LIMIT);
  assert(!(IS_NEVER_FULL && others == LIMIT))
}

init
{
  c_code { now.mistake = getenv("MISTAKE") ? atoi(getenv("MISTAKE")) : 0; }
  do
  :: atomic {
       select(m : 0 .. MEMBERS - 1);
       select(i : 0 .. ASKS - 1);
       if
       :: ask[m * ASKS + i] == NONE -> make_ask()
       :: ask[m * ASKS + i] != NONE -> take_ask()
       :: ask[m * ASKS + i] != NONE -> ask[m * ASKS + i] = NONE; said[m * ASKS + i] = 0 /* it is lost */
       :: answer[m] != NONE -> take_answer()
       :: answer[m] != NONE -> answer[m] = NONE; grants[m] = 0
       :: open[m] < cap[m] && (left[m] > 0 || KNOWS_NO_TERM) -> open_one()
       :: open[m] > 0 -> open[m]--
       :: m == 0 && i == 0 -> tick()
       :: m == 0 && i == 0 -> lose_ledger()
       fi;
       arrange();
       m = 0; i = 0; k = 0; n = 0; others = 0
     }
  od
}
