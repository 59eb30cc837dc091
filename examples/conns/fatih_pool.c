/* fatih_pool.c - a pool that never waits and keeps so many connections, as fatih/pool's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include <pool/pool.h>

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* factory := func() (net.Conn, error) */
static pool_status factory(const void *key, size_t length, int64_t deadline, void **conn,
                           void *address) {
    (void)key, (void)length, (void)deadline;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, address, sizeof(struct sockaddr_in)) != 0) {
        close(fd);
        fd = -1;
    }
    *conn = (void *)(intptr_t)fd;
    return fd >= 0 ? POOL_OK : POOL_EDIAL;
}

static void close_connection(void *conn, pool_conns_reason reason, void *address) {
    (void)reason, (void)address;
    close((int)(intptr_t)conn);
}

/* pool.NewChannelPool(initial, most, factory) */
static pool_conns *channel_pool(uint32_t initial, uint32_t most, struct sockaddr_in *address) {
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.dial = factory;
    options.close = close_connection;
    options.ctx = address;
    options.initial = initial;       /* all of them, or no pool */
    options.max_idle_per_key = most; /* more are closed when they come back */
    options.max_open_per_key = UINT32_MAX;
    options.idle_order = POOL_CONNS_FIFO; /* as from a channel */
    options.idle_timeout = options.max_lifetime = options.dial_backoff = POOL_CONNS_NONE;
    pool_conns *pool = NULL;
    pool_conns_create(&options, &pool);
    return pool;
}

/* p.Len() */
static int len(pool_conns *pool) {
    pool_conns_stats stats = {.size = sizeof stats};
    pool_conns_get_stats(pool, &stats);
    return (int)stats.idle;
}

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int server = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(server, (struct sockaddr *)&address, length) != 0 || listen(server, 8) != 0 ||
        getsockname(server, (struct sockaddr *)&address, &length) != 0)
        return perror("a server"), 1;

    pool_conns *pool = channel_pool(2, 3, &address);
    if (pool == NULL)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;
    printf("%d at first, ", len(pool));
    pool_conns_lease *conn[5];
    for (int i = 0; i < 5; i++) /* p.Get() */
        if (pool_conns_acquire(pool, NULL, 0, POOL_FOREVER, &conn[i]) != POOL_OK)
            return fprintf(stderr, "%s\n", pool_last_error()), 1;
    printf("%d while 5 are out, ", len(pool));
    pool_conns_discard(conn[0]); /* conn.MarkUnusable(); conn.Close() */
    for (int i = 1; i < 5; i++)
        pool_conns_release(conn[i]); /* conn.Close() */
    printf("%d in the end, ", len(pool));
    pool_conns_close(pool, 0, NULL); /* p.Close() */
    printf("%d after Close\n", len(pool));
    close(server);
    return pool_conns_destroy(pool) != POOL_OK;
}
