/* http_transport.c - requests over kept connections, as Go's http.Transport sends them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include <pool/pool.h>

#include "loopback.h"

/* http.DefaultTransport */
static pool_conns *transport(void) {
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT; /* dials TCP by the key */
    const int64_t second = 1000000000;
    options.name = "transport";
    options.max_idle = 100;                /* MaxIdleConns: the least recently used one goes */
    options.max_idle_per_key = 2;          /* MaxIdleConnsPerHost */
    options.max_open_per_key = UINT32_MAX; /* MaxConnsPerHost: 0 */
    options.idle_timeout = 90 * second;    /* IdleConnTimeout */
    options.connect_timeout = 30 * second; /* of its net.Dialer */
    options.flags = POOL_CONNS_DIALERS; /* whatever is ready first: a dial, or one that is back */
    pool_conns *pool = NULL;
    pool_conns_create(&options, &pool);
    return pool;
}

/* One request. POOL_EBAD: no answer, and run tries another connection. A request that must not be
 * sent twice would only say so if pool_conns_lease_uses() is not 0: then the server may have closed
 * the connection long before. */
static pool_status round_trip(pool_conns_lease *lease, void *conn, void *answers) {
    static const char request[] = "GET / HTTP/1.1\n";
    int fd = pool_conns_lease_fd(lease);
    char line[64];
    (void)conn;
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0 ||
        !loopback_read_line(fd, line, sizeof line))
        return POOL_EBAD;
    ++*(int *)answers;
    return POOL_OK;
}

/* A server that leaves without a word at every fourth request. */
static const char *answer(loopback *server, const char *line) {
    (void)line;
    return server->lines % 4 == 0 ? NULL : "HTTP/1.1 204 No Content\r\n";
}

int main(void) {
    loopback server = {.answer = answer, .clients = 2};
    pool_conns *pool = transport();
    if (pool == NULL || loopback_start(&server) != 0)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;

    int answers = 0;
    for (int i = 0; i < 6; i++)
        if (pool_conns_run(pool, server.key, strlen(server.key), POOL_FOREVER, round_trip,
                           &answers) != POOL_OK)
            return fprintf(stderr, "%s\n", pool_last_error()), 1;
    pool_conns_stats stats = {.size = sizeof stats};
    pool_conns_get_stats(pool, &stats);
    printf("%d answers, %d dials, %d idle, ", answers, (int)stats.dials, (int)stats.idle);

    pool_conns_close_idle(pool); /* t.CloseIdleConnections() */
    loopback_join(&server);
    pool_conns_get_stats(pool, &stats);
    printf("%d open in the end\n", (int)stats.open);
    return pool_conns_destroy(pool) != POOL_OK;
}
