/* redis.c - connections to Redis, through hiredis.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     cc -std=c99 redis.c -o redis $(pkg-config --cflags --libs pool hiredis) -pthread
 *     ./redis 127.0.0.1:6379
 *
 * The commands here leave nothing behind in a connection. A program that uses SELECT, WATCH or
 * SUBSCRIBE gives the pool a `reset` that sends RESET.
 */
#define _POSIX_C_SOURCE 200809L
#include <pool/pool.h>

#include <hiredis/hiredis.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { THREADS = 4, ITEMS = 250, WRONG = 1 };

static pool_conns *pool;

/* The time until a deadline, which is on CLOCK_MONOTONIC. No time at all means no limit there. */
static struct timeval time_until(int64_t deadline) {
    struct timeval time = {0, 0};
    struct timespec now;
    if (deadline == POOL_FOREVER)
        return time;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t left = deadline / 1000 - now.tv_sec * INT64_C(1000000) - now.tv_nsec / 1000;
    if (left < 1)
        left = 1;
    time.tv_sec = (time_t)(left / 1000000);
    time.tv_usec = (suseconds_t)(left % 1000000);
    return time;
}

static pool_status open_connection(const void *key, size_t length, int64_t deadline, void **conn,
                                   void *ctx) {
    char host[1025];
    (void)ctx;
    snprintf(host, sizeof host, "%.*s", (int)length, (const char *)key);
    char *colon = strrchr(host, ':');
    if (colon == NULL)
        return POOL_EINVAL;
    *colon = '\0';
    struct timeval limit = time_until(deadline);
    redisContext *redis = deadline == POOL_FOREVER
                              ? redisConnect(host, atoi(colon + 1))
                              : redisConnectWithTimeout(host, atoi(colon + 1), limit);
    if (redis == NULL)
        return POOL_ENOMEM;
    *conn = redis;
    if (redis->err == 0)
        return POOL_OK;
    fprintf(stderr, "%s\n", redis->errstr);
    redisFree(redis);
    return POOL_EDIAL;
}

static void close_connection(void *conn, pool_conns_reason reason, void *ctx) {
    (void)reason, (void)ctx;
    redisFree(conn);
}

/* Neither bytes nor an end wait on a connection at rest. */
static int32_t is_alive(void *conn, int64_t idle_time, void *ctx) {
    redisContext *redis = conn;
    struct pollfd socket = {redis->fd, POLLIN, 0};
    (void)idle_time, (void)ctx;
    return redis->err == 0 && poll(&socket, 1, 0) == 0;
}

static pool_status validate(void *conn, int64_t deadline, void *ctx) {
    const struct timeval none = {0, 0};
    (void)ctx;
    redisSetTimeout(conn, time_until(deadline));
    redisReply *reply = redisCommand(conn, "PING");
    redisSetTimeout(conn, none);
    freeReplyObject(reply);
    return reply != NULL ? POOL_OK : POOL_EBAD;
}

/* May be called again with another connection if this one breaks, so it must do no harm twice. */
static pool_status put_and_get(pool_conns_lease *lease, void *conn, void *arg) {
    int number = *(int *)arg;
    (void)lease;
    redisAppendCommand(conn, "SET libpool:%d %d", number, number);
    redisAppendCommand(conn, "GET libpool:%d", number);
    redisReply *put, *got;
    if (redisGetReply(conn, (void **)&put) != REDIS_OK)
        return POOL_EBAD;
    freeReplyObject(put);
    if (redisGetReply(conn, (void **)&got) != REDIS_OK)
        return POOL_EBAD;
    int right = got->type == REDIS_REPLY_STRING && atoi(got->str) == number;
    freeReplyObject(got);
    return right ? POOL_OK : WRONG; /* errors that Redis reports harm no connection */
}

static void *work(void *done) {
    for (int i = 0; i < ITEMS; i++, ++*(int *)done)
        if (pool_conns_run(pool, NULL, 0, 5000000000, put_and_get, &i) != POOL_OK)
            return fprintf(stderr, "%s\n", pool_last_error()), NULL;
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 2)
        return fprintf(stderr, "usage: redis HOST:PORT\n"), 2;
    signal(SIGPIPE, SIG_IGN); /* hiredis writes as to a pipe */
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.name = "redis";
    options.dial = open_connection;
    options.close = close_connection;
    options.is_alive = is_alive;
    options.validate = validate;
    options.max_open_per_key = THREADS;
    options.key = argv[1];
    options.key_length = strlen(argv[1]);
    if (pool_conns_create(&options, &pool) != POOL_OK)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;

    pthread_t threads[THREADS];
    int done[THREADS] = {0}, sum = 0;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, &done[i]) != 0)
            return fprintf(stderr, "no thread\n"), 1;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += done[i];
    }
    pool_conns_stats stats = {.size = sizeof stats};
    pool_conns_get_stats(pool, &stats);
    printf("%d items over %d connections\n", sum, (int)(stats.dials - stats.dial_fails));
    return pool_conns_destroy(pool) != POOL_OK || sum != THREADS * ITEMS;
}
