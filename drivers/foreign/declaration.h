/* SPDX-License-Identifier: MIT */
/*
 * What is declared.
 *
 *   library    NAME [or NAME]
 *   function   NAME([out|ref] TYPE, ... [, ... , TYPE]) -> TYPE [as NAME]
 *   constant   NAME = VALUE
 *   parameter  NAME TYPE [= VALUE] [in VALUE..VALUE | in "TEXT" or "TEXT"]
 *   secret     the same, for what no message may say
 *   connect    HOST, PORT
 */
#ifndef DECLARATION_H
#define DECLARATION_H

#include "foreign/cursor.h"

bool declaration_library(struct cursor *cursor);
bool declaration_function(struct cursor *cursor);
bool declaration_constant(struct cursor *cursor);
bool declaration_parameter(struct cursor *cursor);
bool declaration_secret(struct cursor *cursor);
bool declaration_connect(struct cursor *cursor);

#endif
