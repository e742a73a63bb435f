/* SPDX-License-Identifier: MIT */
/*
 * What a description says.
 *
 * The parser writes it, the linker finds its functions, and the filler puts in the parts of a URL.  From then on it
 * does not change, so threads share it without a lock.
 */
#ifndef DESCRIPTION_H
#define DESCRIPTION_H

#include <ffi.h>
#include <stdbool.h>

#include "base/url.h"
#include "foreign/arena.h"
#include "foreign/source.h"
#include "foreign/type.h"

#define DESCRIPTION_ARGUMENTS 16 /* of a function, at most */
#define DESCRIPTION_VARIABLES 16 /* at most, those with names of their own included */
#define DESCRIPTION_NAMES     4  /* of a library, and values or ranges that a judgement or a parameter has, at most */

/* ---- what is declared ---- */

struct library {
  struct library *next;
  const char *names[DESCRIPTION_NAMES]; /* the first that can be loaded is taken */
  struct place places[DESCRIPTION_NAMES];
  unsigned count;
  void *handle;
};

enum way { BY_VALUE, BY_OUT, BY_REFERENCE };

/* What a function wants for one argument. */
struct slot {
  const struct type *type;
  enum way way;
};

struct function {
  struct function *next;
  const char *name, *symbol; /* in the description, and in the library */
  struct place place;
  struct slot slots[DESCRIPTION_ARGUMENTS];
  unsigned count;
  unsigned fixed; /* so many stand before "..." */
  bool variadic;
  const struct type *result;
  ffi_type *ffi[DESCRIPTION_ARGUMENTS];
  ffi_cif cif;
  void (*address)(void);
};

/* The least and the most of a number. */
struct range {
  struct integer least, most;
};

struct parameter {
  struct parameter *next;
  const char *name;
  struct place place;
  const struct type *type;
  bool secret;
  bool optional;      /* without a value it is absent: its default is null */
  struct term *value; /* its default, and then that of the URL; NULL: there is none */
  bool ranged;
  struct range range;
  const char *choices[DESCRIPTION_NAMES]; /* of a text */
  unsigned choice_count;
};

struct constant {
  struct constant *next;
  const char *name;
  struct place place;
  struct term *value;
};

/* Variables that each description has; others come behind them. */
enum { VARIABLE_CONN, VARIABLE_SOCKET, VARIABLE_CODE, VARIABLE_MESSAGE, VARIABLE_DESCRIPTOR, VARIABLE_FIRST };

struct variable {
  const char *name;
  const struct type *type; /* NULL: of a type that its first use decides */
};

/* ---- what is done ---- */

enum source_kind {
  TERM_INTEGER,
  TERM_REAL,
  TERM_TEXT,
  TERM_NULL,
  TERM_PART,      /* of the URL */
  TERM_PARAMETER, /* of the description */
  TERM_VARIABLE,
  TERM_DEADLINE
};

enum part {
  PART_SCHEME,
  PART_HOST,
  PART_PORT,
  PART_SERVER,
  PART_USER,
  PART_PASSWORD,
  PART_PATH,
  PART_NAME,
  PART_COUNT
};

enum unit { UNIT_TIMEVAL, UNIT_S, UNIT_MS, UNIT_US, UNIT_COUNT };

/* What an argument is made of. */
struct term {
  enum source_kind kind;
  struct place place;
  struct integer integer;
  double real;
  const char *text;
  unsigned index; /* of a part, variable or unit */
  struct parameter *parameter;
  struct term *next;      /* what a text goes on with */
  struct term *otherwise; /* what it is where this is absent */
};

struct argument {
  struct term *term;
  bool length; /* that of the text is wanted */
  struct place place;
  union value value; /* what the filler has made of the term, unless it is a variable; for a deadline, what callers pass
                        that have none */
  const struct term *without; /* the same where that is a variable, or NULL */
  bool is_null;
};

struct judgement {
  struct place place;
  bool ignored, negated;
  struct range ranges[DESCRIPTION_NAMES];
  unsigned count;
  const char *words;  /* as they are written, for messages */
  const char *reason; /* what is said of a result that is not good; NULL: the library is asked */
};

/* A call is made only if... */
struct condition {
  struct place place;
  bool negated;
  struct term *given; /* this part or parameter is there */
  struct call *call;  /* or else, this call is judged as good */
};

struct call {
  struct call *next;
  struct place place;
  const struct function *function; /* NULL: nothing is called, and the variable is judged */
  unsigned variable;
  struct argument arguments[DESCRIPTION_ARGUMENTS];
  int target; /* the variable that the result is stored in, or -1 */
  struct judgement judgement;
  struct condition *when; /* or NULL */
  bool dropped;           /* by its condition, which the URL has decided */
  bool silent;            /* of a descriptor: no bytes may wait to be read */
};

/* The words that calls follow. */
enum word {
  WORD_START,
  WORD_OPEN,
  WORD_ERROR,
  WORD_CHECK,
  WORD_DESCRIPTOR,
  WORD_RESET,
  WORD_CLOSE,
  WORD_FREE,
  WORD_COUNT
};

struct description {
  struct arena arena;
  struct source source;
  struct library *libraries;
  struct function *functions;
  struct parameter *parameters;
  struct constant *constants;
  struct variable variables[DESCRIPTION_VARIABLES];
  unsigned variable_count;
  struct call *calls[WORD_COUNT];
  bool serial, blocks_sigpipe;
  struct term *host, *port; /* of `connect`; NULL: the library connects itself */
  unsigned parts;     /* of the URL that are used: a bit for each */
  const char *server; /* host and port, as they are in a URL; NULL: none */
  struct url url;     /* the texts of which are used as long as there is a pool */
  const char *connect_host, *connect_port;
};

/* An empty one. */
void description_init(struct description *description);

/* Wipes and frees what it has. */
void description_free(struct description *description);

struct function *description_function(const struct description *description, const char *name);
struct constant *description_constant(const struct description *description, const char *name);
struct parameter *description_parameter(const struct description *description, const char *name);

/* -1: there is none of this name. */
int description_variable(const struct description *description, const char *name);

/* The type of what a call is judged by, and what it is called. */
const struct type *description_result(const struct description *description, const struct call *call);
const char *description_call(const struct description *description, const struct call *call);

/* The names of the parts of a URL and of the units of a deadline. */
extern const char *const description_parts[PART_COUNT];
extern const char *const description_units[UNIT_COUNT];

#endif
