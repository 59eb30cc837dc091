/* gateway.h - what the gateway and its demonstration share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef GATEWAY_H
#define GATEWAY_H

#include <pool/pool.h>

#include <pthread.h>
#include <stdbool.h>

#define COUNT(counter, n) __atomic_fetch_add(&(counter), (n), __ATOMIC_RELAXED)
#define READ(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)

enum { MAX_UPSTREAMS = 16, BUFFER_SIZE = 16384 };

struct gateway;

struct settings {
    const char *upstreams[MAX_UPSTREAMS]; /* "host:port" */
    uint32_t upstream_count, workers, max_upstream;
    int64_t client_timeout, idle_timeout, upstream_timeout, drain_timeout, seconds;
};

/* A connection to an upstream, while a request has it. */
struct upstream {
    const char *address;
    int fd;
    bool used; /* it has served a request before, and may turn out to be stale */
    pool_conns_lease *lease;
};

/* Where the gateway has from what it needs: libpool, or what the demonstration compares that with.
 * A take may return NULL. `connect` returns 0, or the HTTP status to answer with. `run` has the
 * task run on some other thread. */
struct supply {
    void *(*take_exchange)(struct gateway *, size_t size); /* all zero */
    void (*give_exchange)(struct gateway *, void *exchange);
    char *(*take_buffer)(struct gateway *, size_t *size); /* BUFFER_SIZE or more */
    void (*give_buffer)(struct gateway *, char *buffer, size_t size);
    int (*connect)(struct gateway *, struct upstream *, bool fresh);
    void (*disconnect)(struct gateway *, struct upstream *, bool good);
    bool (*run)(struct gateway *, void (*task)(void *), void *arg);
};

extern const struct supply pooled;

struct gateway {
    struct settings set;
    const struct supply *supply;
    pool_objects *exchanges;
    pool_buffers *buffers;
    pool_conns *conns;
    pool_workers *workers;
    int listener, epoll;
    int top;              /* above the highest client socket so far */
    pthread_mutex_t lock; /* guards what is parked, and the end of one client before the next */
    bool draining;
    int64_t clients, max_clients; /* now; at most, by the limit of open files */
    uint64_t requests, refused, retries;
    uint64_t turn;                  /* which upstream's */
    void (*tick)(struct gateway *); /* called now and then on the main thread, if not NULL */
};

void start_pools(struct gateway *gw);
int run_gateway(struct gateway *gw); /* until SIGTERM or SIGINT; ends the pools too */
int run_demo(const struct settings *set);

#endif
