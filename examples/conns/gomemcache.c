/* gomemcache.c - a memcached client's connections, as bradfitz/gomemcache keeps them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include <pool/pool.h>

#include "loopback.h"

#include <sys/time.h>

#define TIMEOUT_MS 500

enum { kCacheMiss = 1 }; /* positive: the connection is good */

/* extendDeadline: for each use of a connection, new or not */
static int32_t extend_deadline(void *conn, const void *server, size_t length, void *ctx) {
    struct timeval limit = {.tv_usec = TIMEOUT_MS * 1000};
    int fd = (int)(intptr_t)conn;
    (void)server, (void)length, (void)ctx;
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0;
}

/* memcache.New(); the servers are the keys */
static pool_conns *client(void) {
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.max_idle_per_key = 2;                     /* MaxIdleConns */
    options.max_open_per_key = UINT32_MAX;            /* it never waits */
    options.connect_timeout = TIMEOUT_MS * 1000000LL; /* Timeout */
    options.before_acquire = extend_deadline;
    pool_conns *pool = NULL;
    pool_conns_create(&options, &pool);
    return pool;
}

/* What a request needs; see pool_conns_run_fn. */
typedef struct {
    const char *line;
    char answer[64];
} exchange;

/* cn.condRelease(&err): what the server says leaves the connection good, what the network says
 * does not */
static pool_status talk(pool_conns_lease *lease, void *conn, void *arg) {
    exchange *with = arg;
    int fd = pool_conns_lease_fd(lease);
    (void)conn;
    if (send(fd, with->line, strlen(with->line), MSG_NOSIGNAL) < 0 ||
        !loopback_read_line(fd, with->answer, sizeof with->answer))
        return POOL_EBAD;
    return strcmp(with->answer, "END") == 0 ? kCacheMiss : POOL_OK;
}

/* A memcached with room for one item. */
static const char *answer(loopback *server, const char *line) {
    static char item[41];
    if (sscanf(line, "set foo %40s", item) == 1)
        return "STORED\n";
    if (strcmp(line, "get foo") != 0 || item[0] == '\0')
        return "END\n";
    snprintf(server->text, sizeof server->text, "VALUE %s\n", item);
    return server->text;
}

int main(void) {
    loopback server = {.answer = answer, .clients = 1};
    pool_conns *pool = client();
    if (pool == NULL || loopback_start(&server) != 0)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;

    const char *lines[] = {"get foo\n", "set foo bar\n", "get foo\n"};
    for (int i = 0; i < 3; i++) {
        exchange with = {.line = lines[i]};
        pool_status status =
            pool_conns_run(pool, server.key, strlen(server.key), POOL_FOREVER, talk, &with);
        if (status < 0)
            return fprintf(stderr, "%s\n", pool_last_error()), 1;
        printf("%s%s", status == kCacheMiss ? "cache miss" : with.answer, i < 2 ? ", " : "");
    }
    pool_conns_stats stats = {.size = sizeof stats};
    pool_conns_get_stats(pool, &stats);
    printf(": %d dial\n", (int)stats.dials);

    pool_conns_close_idle(pool); /* c.Close(); the client can go on */
    loopback_join(&server);
    return pool_conns_destroy(pool) != POOL_OK;
}
