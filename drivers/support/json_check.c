/* SPDX-License-Identifier: MIT */
#include "support/json_check.h"

/* What may come next.  The states of a number are first, because they index a table. */
enum state {
  MINUS, /* after '-' */
  ZERO,  /* after a leading 0 */
  INTEGER,
  POINT, /* after '.' */
  FRACTION,
  MARK, /* after 'e' */
  SIGN, /* after the sign of the exponent */
  EXPONENT,
  NUMBER_END, /* the number has ended before this byte */
  NUMBER_WRONG,
  VALUE,
  VALUE_OR_END, /* after '[' */
  KEY,
  KEY_OR_END, /* after '{' */
  COLON,
  AFTER_VALUE, /* a comma or a closing bracket; at depth 0 nothing but white space */
  STRING,
  CHARACTER, /* inside a character of more than one byte */
  ESCAPE,    /* after a backslash */
  DIGITS,    /* after \u */
  LOW,       /* a backslash: the second half of a pair must follow */
  LOW_U,     /* its 'u' */
  LITERAL,
  WRONG
};

/* The kinds of bytes that a number tells apart. */
enum digit { NOUGHT, ONE_TO_NINE, DOT, E, PLUS, DASH, OTHER, DIGIT_KINDS };

static const unsigned char next_of_number[NUMBER_END][DIGIT_KINDS] = {
    [MINUS] = {ZERO, INTEGER, NUMBER_WRONG, NUMBER_WRONG, NUMBER_WRONG, NUMBER_WRONG, NUMBER_WRONG},
    [ZERO] = {NUMBER_WRONG, NUMBER_WRONG, POINT, MARK, NUMBER_WRONG, NUMBER_WRONG, NUMBER_END},
    [INTEGER] = {INTEGER, INTEGER, POINT, MARK, NUMBER_WRONG, NUMBER_WRONG, NUMBER_END},
    [POINT] = {FRACTION, FRACTION, NUMBER_WRONG, NUMBER_WRONG, NUMBER_WRONG, NUMBER_WRONG, NUMBER_WRONG},
    [FRACTION] = {FRACTION, FRACTION, NUMBER_WRONG, MARK, NUMBER_WRONG, NUMBER_WRONG, NUMBER_END},
    [MARK] = {EXPONENT, EXPONENT, NUMBER_WRONG, NUMBER_WRONG, SIGN, SIGN, NUMBER_WRONG},
    [SIGN] = {EXPONENT, EXPONENT, NUMBER_WRONG, NUMBER_WRONG, NUMBER_WRONG, NUMBER_WRONG, NUMBER_WRONG},
    [EXPONENT] = {EXPONENT, EXPONENT, NUMBER_WRONG, NUMBER_WRONG, NUMBER_WRONG, NUMBER_WRONG, NUMBER_END},
};

void json_check_start(struct json_check *check)
{
  /* The bits of levels are written before they are read. */
  check->size = 0;
  check->problem = NULL;
  check->state = VALUE;
  check->after_high = false;
  check->depth = 0;
}

static bool is_space(unsigned char byte)
{
  return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

static bool is_digit(unsigned char byte)
{
  return byte >= '0' && byte <= '9';
}

static bool become(struct json_check *check, enum state state)
{
  check->state = state;
  return true;
}

/* ---- brackets ---- */

static bool open_bracket(struct json_check *check, bool object)
{
  if (check->depth == JSON_DEPTH_MOST) {
    check->problem = "its brackets are nested too deep";
    return false;
  }
  unsigned char *bits = &check->objects[check->depth / 8];
  unsigned char bit = (unsigned char)(1u << check->depth % 8);
  *bits = (unsigned char)(object ? *bits | bit : *bits & ~bit);
  check->depth++;
  return become(check, object ? KEY_OR_END : VALUE_OR_END);
}

static bool in_object(const struct json_check *check)
{
  uint32_t level = check->depth - 1;
  return check->objects[level / 8] >> level % 8 & 1;
}

static bool close_bracket(struct json_check *check, bool object)
{
  if (check->depth == 0 || in_object(check) != object)
    return false;
  check->depth--;
  return become(check, AFTER_VALUE);
}

static bool after_value(struct json_check *check, unsigned char byte)
{
  if (byte == '}' || byte == ']')
    return close_bracket(check, byte == '}');
  return byte == ',' && check->depth > 0 && become(check, in_object(check) ? KEY : VALUE);
}

/* ---- strings ---- */

static bool begin_string(struct json_check *check, bool is_key)
{
  check->in_key = is_key;
  return become(check, STRING);
}

/* The first byte of a character that has more bytes.  It decides which second bytes are allowed, so that overlong forms
   and surrogates are refused. */
static bool begin_character(struct json_check *check, unsigned char byte)
{
  if (byte < 0xc2 || byte > 0xf4)
    return false;
  check->more = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
  check->least = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
  check->most = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
  return become(check, CHARACTER);
}

static bool in_character(struct json_check *check, unsigned char byte)
{
  if (byte < check->least || byte > check->most)
    return false;
  check->least = 0x80;
  check->most = 0xbf;
  return --check->more > 0 || become(check, STRING);
}

static bool in_string(struct json_check *check, unsigned char byte)
{
  if (byte == '"')
    return become(check, check->in_key ? COLON : AFTER_VALUE);
  if (byte == '\\')
    return become(check, ESCAPE);
  return byte < 0x80 ? byte >= ' ' : begin_character(check, byte);
}

static bool begin_digits(struct json_check *check)
{
  check->more = 4;
  check->unit = 0;
  return become(check, DIGITS);
}

static bool in_escape(struct json_check *check, unsigned char byte)
{
  switch (byte) {
  case 'u':
    return begin_digits(check);
  case '"':
  case '\\':
  case '/':
  case 'b':
  case 'f':
  case 'n':
  case 'r':
  case 't':
    return become(check, STRING);
  default:
    return false;
  }
}

/* The value of a hexadecimal digit.  16: the byte is no digit. */
static uint32_t hex_digit(unsigned char byte)
{
  if (is_digit(byte))
    return byte - '0';
  byte |= 0x20; /* makes a letter lower case */
  return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10u : 16;
}

static bool is_high(uint32_t unit)
{
  return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(uint32_t unit)
{
  return unit >= 0xdc00 && unit < 0xe000;
}

static bool in_digits(struct json_check *check, unsigned char byte)
{
  uint32_t digit = hex_digit(byte);
  if (digit == 16)
    return false;
  check->unit = check->unit << 4 | digit;
  if (--check->more > 0)
    return true;
  if (is_low(check->unit) != check->after_high)
    return false;
  check->after_high = is_high(check->unit);
  return become(check, check->after_high ? LOW : STRING);
}

/* ---- numbers and literals ---- */

static enum digit digit_kind(unsigned char byte)
{
  if (is_digit(byte))
    return byte == '0' ? NOUGHT : ONE_TO_NINE;
  return byte == '.' ? DOT : byte == 'e' || byte == 'E' ? E : byte == '+' ? PLUS : byte == '-' ? DASH : OTHER;
}

static bool in_number(struct json_check *check, unsigned char byte)
{
  check->state = next_of_number[check->state][digit_kind(byte)];
  if (check->state != NUMBER_END)
    return check->state != NUMBER_WRONG;
  check->state = AFTER_VALUE;
  return is_space(byte) || after_value(check, byte);
}

static bool begin_literal(struct json_check *check, const char *rest)
{
  check->rest = rest;
  return become(check, LITERAL);
}

static bool in_literal(struct json_check *check, unsigned char byte)
{
  if (byte != (unsigned char)*check->rest)
    return false;
  check->rest++;
  return *check->rest || become(check, AFTER_VALUE);
}

/* ---- values ---- */

static bool begin_value(struct json_check *check, unsigned char byte)
{
  switch (byte) {
  case '{':
  case '[':
    return open_bracket(check, byte == '{');
  case '"':
    return begin_string(check, false);
  case 't':
    return begin_literal(check, "rue");
  case 'f':
    return begin_literal(check, "alse");
  case 'n':
    return begin_literal(check, "ull");
  case '-':
    return become(check, MINUS);
  default:
    return is_digit(byte) && become(check, byte == '0' ? ZERO : INTEGER);
  }
}

/* A byte between values, strings and brackets. */
static bool between(struct json_check *check, unsigned char byte)
{
  if (is_space(byte))
    return true;
  switch (check->state) {
  case VALUE_OR_END:
    return byte == ']' ? close_bracket(check, false) : begin_value(check, byte);
  case VALUE:
    return begin_value(check, byte);
  case KEY_OR_END:
    return byte == '}' ? close_bracket(check, true) : byte == '"' && begin_string(check, true);
  case KEY:
    return byte == '"' && begin_string(check, true);
  case COLON:
    return byte == ':' && become(check, VALUE);
  default:
    return after_value(check, byte);
  }
}

static bool take(struct json_check *check, unsigned char byte)
{
  switch (check->state) {
  case STRING:
    return in_string(check, byte);
  case CHARACTER:
    return in_character(check, byte);
  case ESCAPE:
    return in_escape(check, byte);
  case DIGITS:
    return in_digits(check, byte);
  case LOW:
    return byte == '\\' && become(check, LOW_U);
  case LOW_U:
    return byte == 'u' && begin_digits(check);
  case LITERAL:
    return in_literal(check, byte);
  default:
    return check->state < NUMBER_END ? in_number(check, byte) : between(check, byte);
  }
}

/* The first byte at or after `at` that is not an ordinary ASCII character of a string. */
static size_t skip_plain(const unsigned char *bytes, size_t at, size_t size)
{
  while (at < size && bytes[at] >= ' ' && bytes[at] < 0x80 && bytes[at] != '"' && bytes[at] != '\\')
    at++;
  return at;
}

bool json_check_feed(struct json_check *check, const char *text, size_t size)
{
  const unsigned char *bytes = (const unsigned char *)text;
  size_t at = 0;
  if (check->state == WRONG)
    return false;
  while (at < size) {
    if (check->state == STRING && (at = skip_plain(bytes, at, size)) == size)
      break;
    if (!take(check, bytes[at])) {
      check->state = WRONG;
      break;
    }
    at++;
  }
  check->size += at;
  return check->state != WRONG;
}

bool json_check_end(struct json_check *check)
{
  bool ended = check->state == AFTER_VALUE || check->state == ZERO || check->state == INTEGER ||
               check->state == FRACTION || check->state == EXPONENT;
  if (ended && check->depth == 0)
    return true;
  check->state = WRONG;
  if (!check->problem)
    check->problem = "it is not JSON";
  return false;
}

/* ---- decoding a string ---- */

static uint32_t read_digits(const char *text)
{
  uint32_t unit = 0;
  for (int i = 0; i < 4; i++)
    unit = unit << 4 | hex_digit((unsigned char)text[i]);
  return unit;
}

static size_t write_character(char *to, uint32_t point)
{
  if (point < 0x80) {
    to[0] = (char)point;
    return 1;
  }
  size_t more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
  to[0] = (char)(first[more] | point >> 6 * more);
  for (size_t i = 1; i <= more; i++)
    to[i] = (char)(0x80 | (point >> 6 * (more - i) & 0x3f));
  return more + 1;
}

/* Decodes an escape.  *from is after its backslash, and is moved after the escape. */
static uint32_t read_escape(const char **from)
{
  static const char letters[] = "b\bf\fn\nr\rt\t";
  const char *text = *from;
  *from = text + 1;
  if (*text != 'u') {
    for (const char *pair = letters; *pair; pair += 2)
      if (*text == *pair)
        return (uint32_t)pair[1];
    return (unsigned char)*text; /* a quote, a slash or a backslash */
  }
  uint32_t unit = read_digits(text + 1);
  *from = text + 5;
  if (!is_high(unit))
    return unit;
  *from = text + 11; /* the digits, the backslash and the 'u' of the second half, and its digits */
  return 0x10000 + ((unit - 0xd800) << 10) + (read_digits(text + 7) - 0xdc00);
}

size_t json_check_unescape(char *to, const char *from, size_t size)
{
  const char *end = from + size;
  char *at = to;
  while (from < end)
    if (*from != '\\') {
      *at++ = *from++;
    } else {
      from++;
      at += write_character(at, read_escape(&from));
    }
  return (size_t)(at - to);
}
