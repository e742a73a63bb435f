/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <stdbool.h>
#include <string.h>

/* How many bytes a character has that begins so; 0: none begins so. */
static size_t size_by_first(unsigned char first)
{
  return first < 0x80 ? 1 : first < 0xc2 || first > 0xf4 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* How many bytes a character has, or 0 if it is not UTF-8 as Unicode wants it.  The zero at the end is no byte of a
   character's rest. */
static size_t character_size(const unsigned char *at)
{
  size_t size = size_by_first(at[0]);
  for (size_t i = 1; i < size; i++)
    if ((at[i] & 0xc0) != 0x80)
      return 0;
  bool too_long = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
  bool surrogate = at[0] == 0xed && at[1] > 0x9f;
  bool too_large = at[0] == 0xf4 && at[1] > 0x8f;
  return too_long || surrogate || too_large ? 0 : size;
}

static bool is_control(const unsigned char *at)
{
  return at[0] < ' ' || at[0] == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0) ||
         (at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9)); /* U+2028, U+2029 */
}

void text_clean(char *text)
{
  const unsigned char *from = (const unsigned char *)text;
  while (*from) {
    size_t size = character_size(from);
    if (size == 0 || is_control(from)) {
      *text++ = '?';
      from += size ? size : 1;
      continue;
    }
    while (size-- > 0)
      *text++ = (char)*from++;
  }
  *text = 0;
}

void text_cut(char *text, size_t room)
{
  size_t length = room - 1;
  text[length] = 0;
  if (strlen(text) < length)
    return;
  size_t begin = length;
  while (begin > 0 && length - begin < 3 && ((unsigned char)text[begin - 1] & 0xc0) == 0x80)
    begin--;
  if (begin > 0 && size_by_first((unsigned char)text[begin - 1]) > length - begin + 1)
    text[begin - 1] = 0;
}

void text_copy(char *to, size_t room, const char *from)
{
  size_t length = strnlen(from, room);
  memcpy(to, from, length < room ? length + 1 : room);
  if (length == room)
    text_cut(to, room);
  text_clean(to);
}
