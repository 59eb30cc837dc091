/* Connection pools from C99, with callbacks of its own, against the installed library.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L

#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000000)

/* The other side, and what was done to it. */
struct server {
    int sessions[8]; /* whose addresses are the connections */
    int dialed, open, reset, validated;
    int closed[POOL_CONNS_MAX_USES + 1]; /* by reason */
    int dead;                            /* is_alive says so */
    int leaks, returned;
};

static pool_status dial(const void *key, size_t length, int64_t deadline, void **conn, void *ctx) {
    struct server *server = ctx;
    CHECK(deadline > 0);
    if (length != 4 || memcmp(key, "host", 4) != 0)
        return 42;
    *conn = &server->sessions[server->dialed++];
    server->open++;
    return POOL_OK;
}

static void hang_up(void *conn, pool_conns_reason reason, void *ctx) {
    struct server *server = ctx;
    CHECK((int *)conn >= server->sessions && (int *)conn < server->sessions + server->dialed);
    server->closed[reason]++;
    server->open--;
}

static int32_t is_alive(void *conn, int64_t idle_time, void *ctx) {
    (void)conn;
    CHECK(idle_time >= 0);
    return !((struct server *)ctx)->dead;
}

static pool_status validate(void *conn, int64_t deadline, void *ctx) {
    (void)conn;
    CHECK(deadline > 0);
    ((struct server *)ctx)->validated++;
    return POOL_OK;
}

static pool_status reset(void *conn, int64_t deadline, void *ctx) {
    (void)deadline;
    ((struct server *)ctx)->reset++;
    return *(int *)conn == 13 ? POOL_EBAD : POOL_OK;
}

static void on_leak(const pool_conns_lease_info *lease, void *ctx) {
    struct server *server = ctx;
    CHECK(lease->size == sizeof *lease && strcmp(lease->taker, "careless") == 0);
    CHECK(lease->key_length == 4 && memcmp(lease->key, "host", 4) == 0 && lease->age > 0);
    __atomic_fetch_add(lease->returned ? &server->returned : &server->leaks, 1, __ATOMIC_RELAXED);
}

static void sleep_ms(long ms) {
    struct timespec time = {0, 0};
    time.tv_nsec = ms * 1000000;
    nanosleep(&time, NULL);
}

static pool_conns *made(struct server *server, pool_conns_options *options) {
    pool_conns *pool;
    options->dial = dial;
    options->close = hang_up;
    options->is_alive = is_alive;
    options->validate = validate;
    options->reset = reset;
    options->on_leak = on_leak;
    options->ctx = server;
    options->key = "host";
    options->key_length = 4;
    CHECK(pool_conns_create(options, &pool) == POOL_OK);
    return pool;
}

static pool_conns_lease *acquired(pool_conns *pool) {
    pool_conns_lease *lease;
    CHECK(pool_conns_acquire(pool, NULL, 0, 10 * SECOND, &lease) == POOL_OK);
    return lease;
}

static void lending(void) {
    struct server server = {0};
    pool_conns_options options;
    pool_conns_acquire_options how = {sizeof how, "c", 1, 0};
    pool_conns *pool;
    pool_conns_lease *lease;
    void *conn;
    CHECK(pool_conns_options_init(&options, sizeof options) == POOL_OK);
    options.validate_after = 1;
    pool = made(&server, &options);
    CHECK(pool_conns_acquire(pool, "nope", 4, SECOND, &lease) == 42 && lease == NULL);
    CHECK(pool_conns_acquire_with(pool, "host", 4, 0, &how, &lease) == POOL_EAGAIN);
    CHECK(pool_conns_acquire_with(pool, "host", 4, SECOND, &how, &lease) == POOL_OK);
    CHECK(pool_conns_lease_conn(lease) == &server.sessions[0] && server.open == 1);
    CHECK(pool_conns_lease_fd(lease) == -1 && pool_conns_lease_uses(lease) == 0);
    CHECK(pool_conns_lease_renew(lease) == POOL_OK);
    CHECK(pool_conns_release(lease) == POOL_OK && server.reset == 1 && server.validated == 0);
    sleep_ms(20);
    lease = acquired(pool);
    CHECK(pool_conns_lease_uses(lease) == 1 && server.validated == 1);
    CHECK(pool_conns_release(lease) == POOL_OK);

    server.dead = 1;
    lease = acquired(pool);
    CHECK(pool_conns_lease_uses(lease) == 0 && server.closed[POOL_CONNS_INVALID] == 1);
    server.dead = 0;
    *(int *)pool_conns_lease_conn(lease) = 13;
    CHECK(pool_conns_release(lease) == POOL_OK && server.closed[POOL_CONNS_INVALID] == 2);
    CHECK(pool_conns_release(acquired(pool)) == POOL_OK && server.dialed == 3);
    how.flags = POOL_CONNS_FRESH;
    CHECK(pool_conns_acquire_with(pool, NULL, 0, SECOND, &how, &lease) == POOL_OK);
    CHECK(pool_conns_lease_conn(lease) == &server.sessions[3]);
    CHECK(pool_conns_discard(lease) == POOL_OK && server.closed[POOL_CONNS_BROKEN] == 1);
    CHECK(pool_conns_detach(acquired(pool), &conn) == POOL_OK && conn == &server.sessions[2]);
    CHECK(pool_conns_adopt(pool, "host", 4, conn) == POOL_OK);
    CHECK(pool_conns_clear(pool) == POOL_OK && server.closed[POOL_CONNS_CLEARED] == 1);
    CHECK(pool_conns_destroy(pool) == POOL_OK && server.open == 0);
}

static pool_status use(pool_conns_lease *lease, void *conn, void *arg) {
    CHECK(pool_conns_lease_conn(lease) == conn);
    return ++*(int *)arg == 1 ? POOL_EBAD : 7;
}

static void running(void) {
    struct server server = {0};
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    pool_conns *pool = made(&server, &options);
    int calls = 0;
    CHECK(pool_conns_fill(pool, NULL, 0, 1, SECOND) == POOL_OK && server.open == 1);
    CHECK(pool_conns_run(pool, NULL, 0, SECOND, use, &calls) == 7 && calls == 2);
    CHECK(server.closed[POOL_CONNS_BROKEN] == 1 && server.dialed == 2 && server.open == 1);
    CHECK(pool_conns_destroy(pool) == POOL_OK);
    CHECK(server.closed[POOL_CONNS_POOL_CLOSED] == 1);
}

static void *cancel(void *request) {
    sleep_ms(20);
    CHECK(pool_conns_request_cancel(request) == POOL_OK);
    return NULL;
}

static void count(pool_conns_request *request, void *ctx) {
    CHECK(request != NULL);
    ++*(int *)ctx;
}

static void requesting(void) {
    struct server server = {0};
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    pool_conns_request_options how = {sizeof how, "waiter", 0, 0, count, NULL};
    pool_conns *pool;
    pool_conns_lease *lease, *next;
    pool_conns_request *request;
    pthread_t thread;
    struct pollfd poller;
    int done = 0;
    options.max_open_per_key = 1;
    how.ctx = &done;
    pool = made(&server, &options);
    lease = acquired(pool);
    CHECK(pool_conns_request_start(pool, NULL, 0, 10 * SECOND, &how, &request) == POOL_OK);
    poller.fd = pool_conns_request_fd(request);
    poller.events = POLLIN;
    CHECK(poller.fd >= 0 && poll(&poller, 1, 0) == 0 && done == 0);
    CHECK(pool_conns_request_finish(request, &next) == POOL_EAGAIN);
    CHECK(pool_conns_release(lease) == POOL_OK && done == 1);
    CHECK(poll(&poller, 1, 10000) == 1);
    CHECK(pool_conns_request_finish(request, &next) == POOL_OK && next != NULL);
    CHECK(pool_conns_lease_uses(next) == 1);

    CHECK(pool_conns_request_start(pool, NULL, 0, POOL_FOREVER, NULL, &request) == POOL_OK);
    CHECK(pool_conns_request_wait(request, SECOND / 1000) == POOL_ETIMEDOUT);
    CHECK(pthread_create(&thread, NULL, cancel, request) == 0);
    CHECK(pool_conns_request_wait(request, POOL_FOREVER) == POOL_OK);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(pool_conns_request_finish(request, &lease) == POOL_ECANCELED && lease == NULL);

    CHECK(pool_conns_request_start(pool, NULL, 0, POOL_FOREVER, &how, &request) == POOL_OK);
    CHECK(pool_conns_request_destroy(request) == POOL_OK && done == 1);
    CHECK(pool_conns_request_start(pool, NULL, 0, 0, &how, &request) == POOL_OK && done == 2);
    CHECK(pool_conns_request_finish(request, &lease) == POOL_ETIMEDOUT);
    CHECK(pool_conns_release(next) == POOL_OK);
    CHECK(pool_conns_destroy(pool) == POOL_OK && server.open == 0);
}

static void see(const pool_conns_lease_info *lease, void *arg) {
    CHECK(lease->size == sizeof *lease && strcmp(lease->taker, "seen") == 0);
    CHECK(lease->key_length == 4 && memcmp(lease->key, "host", 4) == 0);
    CHECK(lease->age >= 0 && lease->thread != 0 && lease->returned == 0);
    *(void **)arg = lease->conn;
}

static void looking(void) {
    struct server server = {0};
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    pool_conns_acquire_options how = {sizeof how, "seen", 0, 0};
    pool_conns *pool;
    pool_conns_lease *lease, *second;
    pool_conns_stats stats;
    pool_conns_key_stats key_stats;
    pool_conns_histogram histogram;
    void *seen = NULL;
    options.max_open_per_key = 1;
    pool = made(&server, &options);
    CHECK(pool_conns_acquire_with(pool, NULL, 0, SECOND, &how, &lease) == POOL_OK);
    CHECK(pool_conns_visit_leases(pool, 0, see, &seen) == POOL_OK);
    CHECK(seen == pool_conns_lease_conn(lease));
    CHECK(pool_conns_acquire(pool, NULL, 0, SECOND / 100, &second) == POOL_ETIMEDOUT);
    CHECK(pool_conns_set(pool, POOL_CONNS_SET_MAX_OPEN_PER_KEY, 2) == POOL_OK);
    second = acquired(pool);
    CHECK(pool_conns_set(pool, 99, 1) == POOL_EINVAL);
    stats.size = sizeof stats;
    CHECK(pool_conns_get_stats(pool, &stats) == POOL_OK);
    CHECK(stats.acquires == 2 && stats.dials == 2 && stats.in_use == 2 && stats.timeouts == 1);
    CHECK(stats.max_open_per_key == 2 && stats.memory_bytes > 0);
    key_stats.size = sizeof key_stats;
    CHECK(pool_conns_get_key_stats(pool, "host", 4, &key_stats) == POOL_OK);
    CHECK(key_stats.in_use == 2 && key_stats.dials == 2 && key_stats.backoff_left == 0);
    histogram.size = sizeof histogram;
    CHECK(pool_conns_get_histogram(pool, POOL_CONNS_WAIT_TIME, &histogram) == POOL_OK);
    CHECK(histogram.count == 1 && histogram.most >= 9000000);
    CHECK(pool_conns_histogram_percentile(&histogram, 50) == (int64_t)histogram.most);
    CHECK(pool_conns_get_histogram(pool, POOL_CONNS_DIAL_TIME, &histogram) == POOL_OK);
    CHECK(histogram.count == 2 && pool_conns_histogram_percentile(&histogram, 99.9) > 0);
    CHECK(pool_conns_release(lease) == POOL_OK);
    CHECK(pool_conns_close_idle(pool) == POOL_OK && server.open == 1);
    CHECK(pool_conns_clear_key(pool, "host", 4) == POOL_OK);
    CHECK(pool_conns_release(second) == POOL_OK && server.open == 0);
    CHECK(pool_conns_reap(pool) == POOL_OK);
    CHECK(pool_conns_destroy(pool) == POOL_OK);
}

static void leaking(void) {
    struct server server = {0};
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    pool_conns_acquire_options how = {sizeof how, "careless", 0, 0};
    pool_conns *pool;
    pool_conns_lease *lease;
    uint64_t still_out = 99;
    int i;
    options.leak_threshold = SECOND / 100;
    pool = made(&server, &options);
    CHECK(pool_conns_acquire_with(pool, NULL, 0, SECOND, &how, &lease) == POOL_OK);
    for (i = 0; i < 1000 && __atomic_load_n(&server.leaks, __ATOMIC_RELAXED) == 0; i++)
        sleep_ms(10);
    CHECK(server.leaks == 1 && server.returned == 0);
    CHECK(pool_conns_close(pool, SECOND / 100, &still_out) == POOL_ETIMEDOUT && still_out == 1);
    CHECK(pool_conns_release(lease) == POOL_OK && server.returned == 1);
    CHECK(pool_conns_close(pool, SECOND, &still_out) == POOL_OK && still_out == 0);
    CHECK(pool_conns_acquire(pool, NULL, 0, SECOND, &lease) == POOL_ECLOSED);
    CHECK(pool_conns_destroy(pool) == POOL_OK && server.open == 0);
}

int main(void) {
    lending();
    running();
    requesting();
    looking();
    leaking();
    return 0;
}
