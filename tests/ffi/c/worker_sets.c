/* Subpools, several pools, the pacer, keys, what can be seen, and the stop that can be polled, from
 * C99, against the installed library.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L

#include "workers.h"

#include <poll.h>
#include <string.h>

static pool_workers *made(uint32_t max_workers) {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    pool_workers *pool;
    options.max_workers = max_workers;
    CHECK(pool_workers_create(&options, &pool) == POOL_OK);
    return pool;
}

static pool_workers_stats stats_of(pool_workers *pool) {
    pool_workers_stats stats;
    stats.size = sizeof stats;
    CHECK(pool_workers_get_stats(pool, &stats) == POOL_OK);
    return stats;
}

static void sharing(void) {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    pool_workers *parent = made(2), *sub;
    struct gate gate = {0};
    int i, sum = 0;
    options.max_workers = 3;
    CHECK(pool_workers_create_sub(parent, &options, &sub) == POOL_EINVAL && sub == NULL);
    options.max_workers = 1;
    options.queue_capacity = 2;
    options.full = POOL_WORKERS_FAIL;
    CHECK(pool_workers_create_sub(parent, &options, &sub) == POOL_OK);
    occupy(sub, &gate);
    for (i = 0; i < 2; i++)
        CHECK(pool_workers_submit(sub, add, &sum) == POOL_OK);
    CHECK(pool_workers_submit(sub, add, &sum) == POOL_EFULL && sum == 0);
    CHECK(pool_workers_run(parent, add, &sum, POOL_FOREVER) == POOL_OK && sum == 1);
    open_gate(&gate);
    CHECK(pool_workers_wait_idle(sub, POOL_FOREVER) == POOL_OK && sum == 3);
    CHECK(stats_of(sub).succeeded == 3 && stats_of(parent).succeeded == 4);
    CHECK(pool_workers_destroy(parent) == POOL_EMISUSE);
    CHECK(pool_workers_destroy(sub) == POOL_OK);
    CHECK(pool_workers_destroy(parent) == POOL_OK);
}

static void taking_turns(void) {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    pool_workers_multi *multi;
    pool_workers_report report;
    int i, sum = 0;
    options.max_workers = 1;
    CHECK(pool_workers_multi_create(0, POOL_WORKERS_ROUND_ROBIN, NULL, &multi) == POOL_EINVAL);
    CHECK(pool_workers_multi_create(2, POOL_WORKERS_ROUND_ROBIN, &options, &multi) == POOL_OK);
    CHECK(pool_workers_multi_count(multi) == 2 && pool_workers_multi_pool(multi, 2) == NULL);
    for (i = 0; i < 10; i++)
        CHECK(pool_workers_multi_submit(multi, add, &sum) == POOL_OK);
    CHECK(pool_workers_multi_try_submit(multi, add, &sum) == POOL_OK);
    report.size = sizeof report;
    CHECK(pool_workers_multi_stop(multi, POOL_WORKERS_DRAIN, POOL_FOREVER, &report) == POOL_OK);
    CHECK(report.ran == 11 && sum == 11);
    CHECK(stats_of(pool_workers_multi_pool(multi, 0)).succeeded == 6);
    CHECK(stats_of(pool_workers_multi_pool(multi, 1)).succeeded == 5);
    CHECK(pool_workers_multi_submit(multi, add, &sum) == POOL_ECLOSED);
    CHECK(pool_workers_multi_destroy(multi) == POOL_OK);
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

static void pacing(void) {
    pool_workers_pacer *pacer;
    int64_t begun = now();
    int i;
    CHECK(pool_workers_pacer_create(0, &pacer) == POOL_EINVAL);
    CHECK(pool_workers_pacer_create(SECOND / 200, &pacer) == POOL_OK);
    for (i = 0; i < 4; i++)
        CHECK(pool_workers_pacer_wait(pacer, POOL_FOREVER) == POOL_OK);
    CHECK(now() - begun >= 3 * SECOND / 200);
    CHECK(pool_workers_pacer_pause(pacer) == POOL_OK);
    CHECK(pool_workers_pacer_wait(pacer, SECOND / 100) == POOL_ETIMEDOUT);
    CHECK(pool_workers_pacer_resume(pacer) == POOL_OK);
    CHECK(pool_workers_pacer_wait(pacer, 10 * SECOND) == POOL_OK);
    CHECK(pool_workers_pacer_stop(pacer) == POOL_OK);
    CHECK(pool_workers_pacer_wait(pacer, POOL_FOREVER) == POOL_ECLOSED);
    pool_workers_pacer_destroy(pacer);
}

struct account {
    int balance, in_use;
};

/* Safe without a lock, as tasks of one key run one at a time. */
static void deposit(void *arg) {
    struct account *account = arg;
    CHECK(__atomic_exchange_n(&account->in_use, 1, __ATOMIC_ACQ_REL) == 0);
    account->balance++;
    CHECK(__atomic_exchange_n(&account->in_use, 0, __ATOMIC_ACQ_REL) == 1);
}

static void keeping_order(void) {
    pool_workers *pool = made(4);
    pool_workers_task_options how = POOL_WORKERS_TASK_OPTIONS_INIT;
    struct account accounts[3];
    int i;
    memset(accounts, 0, sizeof accounts);
    for (i = 0; i < 3000; i++) {
        how.key = 1 + i % 3;
        CHECK(pool_workers_start(pool, deposit, &accounts[i % 3], &how, POOL_FOREVER, NULL) ==
              POOL_OK);
    }
    CHECK(pool_workers_wait_idle(pool, POOL_FOREVER) == POOL_OK);
    for (i = 0; i < 3; i++)
        CHECK(accounts[i].balance == 1000);
    CHECK(pool_workers_destroy(pool) == POOL_OK);
}

static void see(const pool_workers_running *task, void *arg) {
    CHECK(task->size == sizeof *task && strcmp(task->name, "seen") == 0 && task->age >= 0);
    CHECK(!task->cancelled);
    *(void **)arg = task->arg;
}

static void on_stuck(const pool_workers_running *task, void *stuck) {
    CHECK(strcmp(task->name, "seen") == 0);
    add(stuck);
}

static void looking(void) {
    struct gate gate = {0};
    pool_workers *pool = made(1);
    pool_workers_task_options how = POOL_WORKERS_TASK_OPTIONS_INIT;
    pool_workers_histogram histogram;
    void *seen = NULL;
    int stuck = 0;
    CHECK(pool_workers_watch_stuck(pool, SECOND / 1000, on_stuck, &stuck) == POOL_OK);
    how.name = "seen";
    CHECK(pool_workers_start(pool, hold, &gate, &how, POOL_FOREVER, NULL) == POOL_OK);
    await(&gate.begun, 1);
    CHECK(pool_workers_visit_running(pool, 3600 * SECOND, see, &seen) == POOL_OK && seen == NULL);
    CHECK(pool_workers_visit_running(pool, 0, see, &seen) == POOL_OK && seen == &gate);
    await(&stuck, 1);
    CHECK(pool_workers_watch_stuck(pool, 0, NULL, NULL) == POOL_OK && stuck == 1);
    open_gate(&gate);
    CHECK(pool_workers_wait_idle(pool, POOL_FOREVER) == POOL_OK);
    histogram.size = sizeof histogram;
    CHECK(pool_workers_get_histogram(pool, POOL_WORKERS_RUN_TIME, &histogram) == POOL_OK);
    CHECK(histogram.count == 1 && histogram.most >= 1000000);
    CHECK(pool_workers_histogram_percentile(&histogram, 50) == (int64_t)histogram.most);
    CHECK(pool_workers_get_histogram(pool, POOL_WORKERS_WAIT_TIME, &histogram) == POOL_OK);
    CHECK(histogram.count == 1);
    CHECK(pool_workers_destroy(pool) == POOL_OK);
}

static void stopping_polled(void) {
    struct gate gate = {0};
    pool_workers *pool = made(1);
    pool_workers_report report;
    struct pollfd poller;
    int sum = 0;
    occupy(pool, &gate);
    CHECK(pool_workers_submit(pool, add, &sum) == POOL_OK);
    CHECK(pool_workers_stop_async(pool, POOL_WORKERS_DRAIN, &poller.fd) == POOL_OK);
    poller.events = POLLIN;
    CHECK(poller.fd >= 0 && poll(&poller, 1, 0) == 0 && sum == 0);
    CHECK(pool_workers_submit(pool, add, &sum) == POOL_ECLOSED);
    open_gate(&gate);
    CHECK(poll(&poller, 1, 30000) == 1 && poller.revents == POLLIN);
    report.size = sizeof report;
    CHECK(pool_workers_stop(pool, POOL_WORKERS_DRAIN, 0, &report) == POOL_OK);
    CHECK(report.ran == 2 && report.running == 0 && sum == 1);
    CHECK(pool_workers_destroy(pool) == POOL_OK);
}

int main(void) {
    sharing();
    taking_turns();
    pacing();
    keeping_order();
    looking();
    stopping_polled();
    return 0;
}
