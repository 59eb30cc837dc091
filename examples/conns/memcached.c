/* memcached.c - memcached's text protocol over the built-in dialer, as gomemcache speaks it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     cc -std=c99 memcached.c -o memcached $(pkg-config --cflags --libs pool)
 *     ./memcached 127.0.0.1:11211 127.0.0.1:11212
 *
 * An item's key chooses the server, and the server's address is the pool's key. Two connections are
 * kept per server, there is no bound on open ones, and every step may take half a second.
 */
#define _POSIX_C_SOURCE 200809L
#include <pool/pool.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { ITEMS = 1000 };

static pool_conns *pool;
static char **servers;
static unsigned server_count;

static const char *server_of(const char *item) {
    unsigned hash = 2166136261u; /* FNV-1a */
    for (; *item != '\0'; item++)
        hash = (hash ^ (unsigned char)*item) * 16777619u;
    return servers[hash % server_count];
}

/* after_connect: no read and no write takes longer than this. */
static int32_t limit_steps(void *conn, const void *key, size_t length, void *ctx) {
    const struct timeval limit = {0, 500000};
    int fd = (int)(intptr_t)conn;
    (void)key, (void)length, (void)ctx;
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0;
}

/* One line, and behind "VALUE <key> <flags> <bytes>" so many bytes and another line. 0: broken. */
static int receive(int fd, char *answer, size_t size) {
    for (size_t have = 0, bytes; have < size - 1;) {
        ssize_t got = recv(fd, answer + have, size - 1 - have, 0);
        if (got <= 0)
            return 0;
        have += (size_t)got;
        answer[have] = '\0';
        const char *end = strstr(answer, "\r\n");
        if (end == NULL)
            continue;
        size_t whole = (size_t)(end - answer) + 2;
        if (sscanf(answer, "VALUE %*s %*u %zu", &bytes) == 1)
            whole += bytes + strlen("\r\nEND\r\n");
        if (have >= whole)
            return have == whole; /* more than was asked for is as bad as less */
    }
    return 0;
}

/* What leaves the connection good for the next one; ERROR, CLIENT_ERROR and SERVER_ERROR do not. */
static int is_benign(const char *answer) {
    static const char *const kBenign[] = {"STORED",  "NOT_STORED", "EXISTS", "NOT_FOUND",
                                          "DELETED", "TOUCHED",    "VALUE ", "END"};
    for (size_t i = 0; i < sizeof kBenign / sizeof *kBenign; i++)
        if (strncmp(answer, kBenign[i], strlen(kBenign[i])) == 0)
            return 1;
    return 0;
}

/* One request about an item. Positive: the server did not like it. */
static pool_status ask(const char *item, const char *request, char *answer, size_t size) {
    const char *server = server_of(item);
    pool_conns_lease *lease;
    pool_status status = pool_conns_acquire(pool, server, strlen(server), 500000000, &lease);
    if (status != POOL_OK)
        return status;
    int fd = pool_conns_lease_fd(lease);
    size_t length = strlen(request);
    int whole =
        send(fd, request, length, MSG_NOSIGNAL) == (ssize_t)length && receive(fd, answer, size);
    if (whole && is_benign(answer))
        return pool_conns_release(lease);
    pool_conns_discard(lease);
    return whole ? 1 : POOL_EBAD;
}

int main(int argc, char **argv) {
    if (argc < 2)
        return fprintf(stderr, "usage: memcached HOST:PORT...\n"), 2;
    servers = argv + 1;
    server_count = (unsigned)argc - 1;
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.name = "memcached";
    options.flags = POOL_CONNS_FAIL_FAST; /* items on a server that is down are missing, at once */
    options.max_open_per_key = UINT32_MAX;
    options.max_idle_per_key = 2;
    options.connect_timeout = 500000000;
    options.after_connect = limit_steps;
    if (pool_conns_create(&options, &pool) != POOL_OK)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;

    int stored = 0, found = 0;
    char item[32], value[32], request[128], answer[1024];
    for (int i = 0; i < ITEMS; i++) {
        snprintf(item, sizeof item, "libpool:%d", i);
        snprintf(value, sizeof value, "the value of %d", i);
        snprintf(request, sizeof request, "set %s 0 60 %zu\r\n%s\r\n", item, strlen(value), value);
        stored += ask(item, request, answer, sizeof answer) == POOL_OK;
        if (i == ITEMS / 2) /* "ERROR": what this connection says from now on is anybody's guess */
            ask(item, "nonsense\r\n", answer, sizeof answer);
        snprintf(request, sizeof request, "get %s\r\n", item);
        found += ask(item, request, answer, sizeof answer) == POOL_OK && strstr(answer, value);
    }
    pool_conns_stats stats = {.size = sizeof stats};
    pool_conns_get_stats(pool, &stats);
    printf("%d stored and %d found on %u servers, %d connections, %d of them given up\n", stored,
           found, server_count, (int)stats.dials, (int)stats.closed_broken);
    return pool_conns_destroy(pool) != POOL_OK || stored != ITEMS || found != ITEMS;
}
