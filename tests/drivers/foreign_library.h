/* SPDX-License-Identifier: MIT */
/* A library that nobody has: it writes down how it is called, and does what the test tells it to. */
#ifndef FOREIGN_LIBRARY_H
#define FOREIGN_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

/* ---- for the test ---- */

/* The calls since the last fl_forget(), each with its arguments and ';' behind it. */
const char *fl_log(void);
void fl_forget(void);

/* What fl_result and the fl_*_result return; and what fl_open, fl_check and fl_close do. */
void fl_set_result(int64_t result);
void fl_set_open(int result);
void fl_set_check(int result);
void fl_set_close(int result);

/* What the error texts are; NULL: "trouble". */
void fl_set_trouble(const char *text);

int fl_things(void); /* that are open */
int fl_blobs(void);  /* that are not freed */
int fl_most_inside(void);

/* ---- for descriptions ---- */

struct thing;

struct thing *fl_new(void);
int fl_open(const char *host, int port, struct thing **thing);
int fl_check(struct thing *thing);
int fl_reset(struct thing *thing);
int fl_close(struct thing *thing);
void fl_end(struct thing *thing);

int fl_integers(int8_t a, int16_t b, int32_t c, int64_t d, uint8_t e, uint16_t f, uint32_t g, uint64_t h);
int fl_others(int a, unsigned b, long c, unsigned long d, size_t e, float f, double g);
int fl_texts(const char *a, const char *b, const void *c, size_t length);
int fl_references(const int8_t *a, const uint64_t *b, const double *c, const char *const *d);
int fl_out(int8_t *a, uint64_t *b, double *c, const char **d, void **e);
int fl_wait(const struct timeval *a, long ms);
int fl_sum(int count, ...);
int fl_many(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k, int l, int m, int n, int o,
            int p);

extern const int fl_number; /* no function */

int8_t fl_int8_result(void);
int16_t fl_int16_result(void);
int32_t fl_int32_result(void);
int64_t fl_int64_result(void);
uint8_t fl_uint8_result(void);
uint16_t fl_uint16_result(void);
uint32_t fl_uint32_result(void);
uint64_t fl_uint64_result(void);
double fl_double_result(void);
float fl_float_result(void);
const char *fl_text_result(void);
void *fl_pointer_result(void);

const char *fl_error(struct thing *thing);
const char *fl_error_of(int code);
int fl_error_out(struct thing *thing, const char **text);

int fl_blob(void **blob);
void fl_blob_free(void *blob);

int fl_alone(struct thing *thing);
int fl_write(int descriptor);
int fl_pipe(void);
int fl_descriptor(struct thing *thing);
int fl_descriptor_out(struct thing *thing, int *descriptor);
void fl_set_descriptor(int descriptor);

#endif
