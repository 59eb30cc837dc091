/* conns.c - a connection that outlives the request.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include <pool/pool.h>

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int server = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(server, (struct sockaddr *)&address, length);
    listen(server, 8); /* something to connect to; the kernel accepts */
    getsockname(server, (struct sockaddr *)&address, &length);
    char key[32];
    snprintf(key, sizeof key, "127.0.0.1:%u", ntohs(address.sin_port));

    pool_conns *pool;
    if (pool_conns_create(NULL, &pool) != POOL_OK) /* dials TCP by the key */
        return fprintf(stderr, "%s\n", pool_last_error()), 1;
    for (int i = 0; i < 2; i++) {
        pool_conns_lease *lease;
        if (pool_conns_acquire(pool, key, strlen(key), 1000000000, &lease) != POOL_OK)
            return fprintf(stderr, "%s\n", pool_last_error()), 1;
        bool good = write(pool_conns_lease_fd(lease), "ping\n", 5) == 5;
        (void)(good ? pool_conns_release(lease) : pool_conns_discard(lease));
    }

    pool_conns_stats stats = {.size = sizeof stats};
    pool_conns_get_stats(pool, &stats);
    printf("%d requests, %d dial\n", (int)stats.acquires, (int)stats.dials);
    return pool_conns_destroy(pool) != POOL_OK;
}
