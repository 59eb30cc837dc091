/* tls.c - connections with TLS: the pool keeps what OpenSSL makes.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out cert.pem
 *     openssl s_server -accept 4433 -key key.pem -cert cert.pem -rev -quiet &
 *     cc -std=c99 tls.c -o tls $(pkg-config --cflags --libs pool openssl)
 *     ./tls localhost:4433 cert.pem
 *
 * A handshake costs a thousand times what an exchange costs; here 100 lines share one.
 */
#define _POSIX_C_SOURCE 200809L
#include <pool/pool.h>

#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { LINES = 100 };

/* No connect, read or write takes longer than until the deadline, which is on CLOCK_MONOTONIC. */
static void limit(int fd, int64_t deadline) {
    struct timeval left = {0, 0}; /* no limit */
    struct timespec now;
    if (deadline != POOL_FOREVER) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        int64_t us = deadline / 1000 - now.tv_sec * INT64_C(1000000) - now.tv_nsec / 1000;
        left.tv_sec = us > 0 ? (time_t)(us / 1000000) : 0;
        left.tv_usec = us > 0 ? (suseconds_t)(us % 1000000) : 1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof left);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left);
}

static int connect_to(const char *host, const char *port, int64_t deadline) {
    struct addrinfo hints = {0}, *list;
    int fd = -1;
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host, port, &hints, &list) != 0)
        return -1;
    for (struct addrinfo *to = list; to != NULL && fd < 0; to = to->ai_next) {
        fd = socket(to->ai_family, SOCK_STREAM, 0);
        limit(fd, deadline);
        if (fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

static pool_status open_tls(const void *key, size_t length, int64_t deadline, void **conn,
                            void *ctx) {
    char host[1025];
    snprintf(host, sizeof host, "%.*s", (int)length, (const char *)key);
    char *colon = strrchr(host, ':');
    if (colon == NULL)
        return POOL_EINVAL;
    *colon = '\0';
    int fd = connect_to(host, colon + 1, deadline);
    if (fd < 0)
        return POOL_EDIAL;
    SSL *tls = SSL_new(ctx);
    if (tls != NULL && SSL_set_fd(tls, fd) == 1 && SSL_set_tlsext_host_name(tls, host) == 1 &&
        SSL_set1_host(tls, host) == 1 && SSL_connect(tls) == 1) {
        limit(fd, POOL_FOREVER);
        *conn = tls;
        return POOL_OK;
    }
    ERR_print_errors_fp(stderr);
    SSL_free(tls);
    close(fd);
    return POOL_EDIAL;
}

/* The other side is told, unless the connection is broken; nobody waits for its answer. */
static void close_tls(void *conn, pool_conns_reason reason, void *ctx) {
    int fd = SSL_get_fd(conn);
    (void)ctx;
    if (reason != POOL_CONNS_BROKEN && reason != POOL_CONNS_INVALID)
        SSL_shutdown(conn);
    SSL_free(conn);
    close(fd);
    ERR_clear_error();
}

/* Bytes on the socket are no bad sign: TLS 1.3 sends tickets for later sessions after the
 * handshake. So TLS is asked, without waiting, and reads past those. Data and an end are bad. */
static int32_t is_alive(void *conn, int64_t idle_time, void *ctx) {
    char byte;
    int fd = SSL_get_fd(conn), flags = fcntl(fd, F_GETFL);
    (void)idle_time, (void)ctx;
    ERR_clear_error();
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    int got = SSL_peek(conn, &byte, 1);
    int at_rest = got <= 0 && SSL_get_error(conn, got) == SSL_ERROR_WANT_READ;
    fcntl(fd, F_SETFL, flags);
    return at_rest;
}

/* Sends a line and waits for one of the same length. */
static pool_status exchange(pool_conns_lease *lease, void *conn, void *arg) {
    char line[64], answer[64];
    int got, have = 0, length = snprintf(line, sizeof line, "this is line %d\n", *(int *)arg);
    (void)lease;
    ERR_clear_error();
    if (SSL_write(conn, line, length) != length)
        return POOL_EBAD;
    for (; have < length; have += got)
        if ((got = SSL_read(conn, answer + have, length - have)) <= 0)
            return POOL_EBAD;
    return answer[length - 1] == '\n' ? POOL_OK : POOL_EBAD;
}

int main(int argc, char **argv) {
    if (argc != 3)
        return fprintf(stderr, "usage: tls HOST:PORT CERTIFICATES\n"), 2;
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes as to a pipe */
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || SSL_CTX_load_verify_locations(context, argv[2], NULL) != 1)
        return ERR_print_errors_fp(stderr), 1;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);

    pool_conns *pool;
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.name = "tls";
    options.dial = open_tls;
    options.close = close_tls;
    options.is_alive = is_alive;
    options.ctx = context;
    options.key = argv[1];
    options.key_length = strlen(argv[1]);
    options.initial = 1; /* so that a wrong certificate is known at once */
    if (pool_conns_create(&options, &pool) != POOL_OK)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;
    for (int i = 0; i < LINES; i++)
        if (pool_conns_run(pool, NULL, 0, 5000000000, exchange, &i) != POOL_OK)
            return fprintf(stderr, "line %d: %s\n", i, pool_last_error()), 1;

    pool_conns_stats stats = {.size = sizeof stats};
    pool_conns_get_stats(pool, &stats);
    printf("%d lines over %d connections\n", LINES, (int)stats.dials);
    pool_status status = pool_conns_destroy(pool);
    SSL_CTX_free(context);
    return status != POOL_OK;
}
