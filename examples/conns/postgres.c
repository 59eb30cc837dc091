/* postgres.c - sessions of PostgreSQL, through libpq.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     cc -std=c99 postgres.c -o postgres $(pkg-config --cflags --libs pool libpq) -pthread
 *     ./postgres "host=127.0.0.1 user=postgres dbname=postgres"
 *
 * The pool's key is what PQconnectdb() takes. Keys stand in messages and reports, so a password is
 * better kept in ~/.pgpass.
 */
#define _POSIX_C_SOURCE 200809L
#include <pool/pool.h>

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { THREADS = 4, QUERIES = 250, WRONG = 1 };

static pool_conns *pool;

/* Waits for the socket: 0 if the deadline, which is on CLOCK_MONOTONIC, comes first. */
static int wait_for(PGconn *session, short event, int64_t deadline) {
    struct pollfd socket = {PQsocket(session), event, 0};
    struct timespec now;
    int wait = -1;
    if (deadline != POOL_FOREVER) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        int64_t left = (deadline - now.tv_nsec) / 1000000 - now.tv_sec * INT64_C(1000);
        wait = left < 0 ? 0 : left < 3600000 ? (int)left : 3600000;
    }
    return poll(&socket, 1, wait); /* -1, a signal, is no reason to give up */
}

static pool_status open_session(const void *key, size_t length, int64_t deadline, void **conn,
                                void *ctx) {
    char where[1025];
    (void)ctx;
    snprintf(where, sizeof where, "%.*s", (int)length, (const char *)key);
    PGconn *session = PQconnectStart(where);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (PQstatus(session) != CONNECTION_BAD && next != PGRES_POLLING_OK) {
        if (wait_for(session, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline) == 0)
            break;
        next = PQconnectPoll(session);
    }
    *conn = session;
    if (PQstatus(session) == CONNECTION_OK)
        return POOL_OK;
    fprintf(stderr, "%s", PQerrorMessage(session));
    PQfinish(session);
    return POOL_EDIAL;
}

static void close_session(void *conn, pool_conns_reason reason, void *ctx) {
    (void)reason, (void)ctx;
    PQfinish(conn);
}

/* Neither bytes nor an end wait on a session at rest. */
static int32_t is_alive(void *conn, int64_t idle_time, void *ctx) {
    (void)idle_time, (void)ctx;
    return PQstatus(conn) == CONNECTION_OK && wait_for(conn, POLLIN, 0) == 0;
}

/* One statement, and no longer than until the deadline. */
static pool_status execute(PGconn *session, const char *statement, int64_t deadline) {
    if (!PQsendQuery(session, statement))
        return POOL_EBAD;
    for (pool_status status = POOL_OK;;) {
        while (PQisBusy(session)) {
            if (wait_for(session, POLLIN, deadline) == 0)
                return POOL_ETIMEDOUT;
            if (!PQconsumeInput(session))
                return POOL_EBAD;
        }
        PGresult *result = PQgetResult(session);
        if (result == NULL)
            return status;
        if (PQresultStatus(result) == PGRES_FATAL_ERROR)
            status = POOL_EBAD;
        PQclear(result);
    }
}

static pool_status validate(void *conn, int64_t deadline, void *ctx) {
    (void)ctx;
    return execute(conn, "", deadline);
}

/* Nobody gets a session in the middle of a transaction, or with somebody else's settings. */
static pool_status reset(void *conn, int64_t deadline, void *ctx) {
    (void)ctx;
    if (PQtransactionStatus(conn) != PQTRANS_IDLE)
        return POOL_EBAD;
    return execute(conn, "DISCARD ALL", deadline);
}

/* May be called again with another session if this one breaks, so it must do no harm twice. */
static pool_status square(pool_conns_lease *lease, void *conn, void *arg) {
    char text[16];
    const char *values[] = {text};
    int number = *(int *)arg;
    (void)lease;
    snprintf(text, sizeof text, "%d", number);
    PGresult *result = PQexecParams(conn, "SELECT $1::int * $1", 1, NULL, values, NULL, NULL, 0);
    int right = PQntuples(result) == 1 && atoi(PQgetvalue(result, 0, 0)) == number * number;
    PQclear(result);
    return PQstatus(conn) == CONNECTION_BAD ? POOL_EBAD : right ? POOL_OK : WRONG;
}

static void *work(void *done) {
    for (int i = 0; i < QUERIES; i++, ++*(int *)done)
        if (pool_conns_run(pool, NULL, 0, 5000000000, square, &i) != POOL_OK)
            return fprintf(stderr, "%s\n", pool_last_error()), NULL;
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 2)
        return fprintf(stderr, "usage: postgres CONNECTION-STRING\n"), 2;
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.name = "postgres";
    options.dial = open_session;
    options.close = close_session;
    options.is_alive = is_alive;
    options.validate = validate;
    options.reset = reset;
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
    printf("%d queries over %d sessions\n", sum, (int)(stats.dials - stats.dial_fails));
    return pool_conns_destroy(pool) != POOL_OK || sum != THREADS * QUERIES;
}
