/* SPDX-License-Identifier: MIT */
/*
 * Comes before everything else in the driver's files when jsonrpc_faults_test is built: the functions of the system
 * that the driver calls are the test's.
 */
#ifndef JSONRPC_FAULTS_H
#define JSONRPC_FAULTS_H

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <pool/driver.h>

void *fault_malloc(size_t size);
void *fault_calloc(size_t count, size_t size);
void *fault_realloc(void *old, size_t size);
void fault_free(void *memory);
__attribute__((format(printf, 2, 3))) int fault_asprintf(char **text, const char *format, ...);
int fault_bytes_new(size_t size, pool_bytes_t *bytes);
int fault_lock(pthread_mutex_t *mutex);
int fault_unlock(pthread_mutex_t *mutex);
int fault_poll(struct pollfd *set, nfds_t count, int timeout);
int fault_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found);

#ifndef JSONRPC_FAULTS_TEST
#define malloc               fault_malloc
#define calloc               fault_calloc
#define realloc              fault_realloc
#define free                 fault_free
#define asprintf             fault_asprintf
#define pool_bytes_new       fault_bytes_new
#define pthread_mutex_lock   fault_lock
#define pthread_mutex_unlock fault_unlock
#define poll                 fault_poll
#define getaddrinfo          fault_getaddrinfo
#endif

#endif
