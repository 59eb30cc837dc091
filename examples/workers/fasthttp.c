/* fasthttp.c - a worker for each connection, or an answer of 503 at once, as in fasthttp's server.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include "kit.h"

struct conn {
    int begun, go_on;
};

/* WorkerFunc: func(c net.Conn) error */
static void *serve_conn(void *payload, void *state, void *served) {
    struct conn *conn = payload;
    (void)state;
    count(&conn->begun);
    wait_until(&conn->go_on, 1);
    count(served);
    return NULL;
}

/* &workerPool{WorkerFunc: f, MaxWorkersCount: n, MaxIdleWorkerDuration: 10 * time.Second} */
static pool_workers *worker_pool(uint32_t max_workers_count, int *served) {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    options.name = "http";
    options.max_workers = max_workers_count;
    options.queue_capacity = POOL_WORKERS_HANDOFF; /* a connection never waits for a worker */
    options.full = POOL_WORKERS_FAIL;
    options.idle_timeout = 10 * SECOND; /* all stale workers end; the last one used is used next */
    options.process = serve_conn;
    options.ctx = served;
    pool_workers *pool;
    check(pool_workers_create(&options, &pool));
    return pool;
}

/* wp.Serve(c) */
static int serve(pool_workers *pool, struct conn *conn) {
    return pool_workers_submit_payload(pool, conn, 0) == POOL_OK;
}

int main(void) {
    int served = 0, refused = 0;
    pool_workers *pool = worker_pool(2, &served);
    struct conn conns[3] = {{0}};
    for (int i = 0; i < 3; i++) {
        if (serve(pool, &conns[i]))
            wait_until(&conns[i].begun, 1);
        else
            refused++; /* 503, Server.Concurrency limit exceeded */
    }
    for (int i = 0; i < 3; i++)
        count(&conns[i].go_on);
    check(pool_workers_wait_idle(pool, POOL_FOREVER));
    printf("%d served, %d refused, rejected %d\n", served, refused, (int)stats_of(pool).rejected);
    check(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, NULL)); /* wp.Stop() */
    return pool_workers_destroy(pool) != POOL_OK;
}
