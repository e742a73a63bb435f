/* SPDX-License-Identifier: MIT */
#ifndef CYCLES_H
#define CYCLES_H

void get_put_1_thread(void);
void get_put_2_threads(void);
void crowd(void);
void contended(void);

#endif
