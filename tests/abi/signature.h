/* SPDX-License-Identifier: MIT */
/* Reads abi/signatures.txt, as a program without a C compiler would. */
#ifndef SIGNATURE_H
#define SIGNATURE_H

enum { SIGNATURE_TYPE = 40, SIGNATURE_PARAMETERS = 8, SIGNATURE_LIMIT = 200 };

struct signature {
  char name[SIGNATURE_TYPE], result[SIGNATURE_TYPE];
  char parameters[SIGNATURE_PARAMETERS][SIGNATURE_TYPE];
  unsigned count; /* of parameters */
};

/* Returns how many functions there are, or -1: the file cannot be read, or not be understood. */
int signatures_read(const char *path, struct signature signatures[SIGNATURE_LIMIT]);

#endif
