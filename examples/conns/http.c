/* http.c - GETs over connections that are kept alive, through the built-in dialer.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     cc -std=c99 http.c -o http $(pkg-config --cflags --libs pool) -pthread
 *     ./http 127.0.0.1:8080 /index.html
 *
 * A connection goes back to the pool if the response was complete and the server means to go on.
 * HTTP/1.1 with a Content-Length is all that this program reads; anything else costs a connection.
 */
#define _POSIX_C_SOURCE 200809L
#include <pool/pool.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { THREADS = 4, REQUESTS = 250 };

static pool_conns *pool;
static char request[2048];

/* after_connect: a server that is silent for five seconds is given up. */
static int32_t limit_silence(void *conn, const void *key, size_t length, void *ctx) {
    const struct timeval limit = {5, 0};
    int fd = (int)(intptr_t)conn;
    (void)key, (void)length, (void)ctx;
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0;
}

typedef struct {
    int status;      /* 0: nothing came at all, -1: something that cannot be read */
    int reusable;    /* complete, and the server does not close */
    long long bytes; /* of the body */
} response;

static response get(int fd) {
    response r = {0, 0, -1};
    char data[8192];
    size_t have = 0, length = strlen(request);
    char *end = NULL;
    if (send(fd, request, length, MSG_NOSIGNAL) != (ssize_t)length)
        return r;
    while (end == NULL) {
        ssize_t got = recv(fd, data + have, sizeof data - 1 - have, 0);
        if (got <= 0)
            return r;
        r.status = -1;
        have += (size_t)got;
        data[have] = '\0';
        end = strstr(data, "\r\n\r\n");
    }
    end += 2; /* the last field's line ends here */
    int keeps = strncmp(data, "HTTP/1.1 ", 9) == 0, status = atoi(data + 9);
    for (char *line = strstr(data, "\r\n") + 2; line < end; line = strstr(line, "\r\n") + 2) {
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            r.bytes = atoll(line + 15);
        if (strncasecmp(line, "Connection: close", 17) == 0)
            keeps = 0;
    }
    long long left = r.bytes - (data + have - (end + 2));
    while (left > 0) {
        ssize_t got = recv(fd, data, left < (long long)sizeof data ? (size_t)left : sizeof data, 0);
        if (got <= 0)
            return r;
        left -= got;
    }
    r.status = status;
    r.reusable = keeps && r.bytes >= 0 && left == 0;
    return r;
}

/* A server may close an idle connection at the very moment when a request is sent over it. So one
 * that nothing came back to is sent again, unless the connection was fresh. */
static int fetch(const char *server) {
    for (;;) {
        pool_conns_lease *lease;
        if (pool_conns_acquire(pool, server, strlen(server), 5000000000, &lease) != POOL_OK)
            return fprintf(stderr, "%s\n", pool_last_error()), -1;
        int again = pool_conns_lease_uses(lease) > 0;
        response r = get(pool_conns_lease_fd(lease));
        (void)(r.reusable ? pool_conns_release(lease) : pool_conns_discard(lease));
        if (r.status != 0 || !again)
            return r.status;
    }
}

typedef struct {
    const char *server;
    int done;
} job;

static void *work(void *arg) {
    job *mine = arg;
    for (; mine->done < REQUESTS; mine->done++)
        if (fetch(mine->server) != 200)
            return fprintf(stderr, "request %d failed\n", mine->done), NULL;
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 3)
        return fprintf(stderr, "usage: http HOST:PORT PATH\n"), 2;
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", argv[2], argv[1]);
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.name = "http";
    options.after_connect = limit_silence;
    options.idle_timeout = INT64_C(50000000000); /* below the server's, so that we close first */
    if (pool_conns_create(&options, &pool) != POOL_OK)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;

    pthread_t threads[THREADS];
    job jobs[THREADS];
    int sum = 0;
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (job){argv[1], 0};
        if (pthread_create(&threads[i], NULL, work, &jobs[i]) != 0)
            return fprintf(stderr, "no thread\n"), 1;
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += jobs[i].done;
    }
    pool_conns_stats stats = {.size = sizeof stats};
    pool_conns_get_stats(pool, &stats);
    printf("%d requests over %d connections\n", sum, (int)(stats.dials - stats.dial_fails));
    return pool_conns_destroy(pool) != POOL_OK || sum != THREADS * REQUESTS;
}
