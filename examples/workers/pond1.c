/* pond1.c - workers that come and go by a strategy, tasks with a deadline and a stop with one, as
 * alitto/pond v1 has them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include "kit.h"

/* pond.New(workers, capacity, pond.MinWorkers(1), pond.Strategy(pond.Balanced())) */
static pool_workers *pond(uint32_t workers, uint64_t capacity) {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    options.max_workers = workers;
    options.min_workers = 1;
    options.queue_capacity = capacity != 0 ? capacity : POOL_WORKERS_HANDOFF;
    options.spawn_rate = POOL_WORKERS_BALANCED; /* Eager: 1; RatedResizer(n): n */
    options.idle_timeout = 5 * SECOND;          /* IdleTimeout; one worker per tick */
    options.reap = POOL_WORKERS_REAP_ONE;
    pool_workers *pool;
    check(pool_workers_create(&options, &pool));
    return pool;
}

struct work {
    int begun, go_on;
};

static void work(void *arg) {
    struct work *work = arg;
    count(&work->begun);
    wait_until(&work->go_on, 1);
}

static void fail(void *arg) {
    (void)arg;
    pool_workers_self_fail(1, "no luck");
}

int main(void) {
    pool_workers *pool = pond(1, 10);
    struct work first = {0, 0};
    int late = 0, ran = 0;
    check(pool_workers_submit(pool, work, &first)); /* pool.Submit(f) */
    wait_until(&first.begun, 1);

    /* pool.SubmitBefore(f, time.Millisecond): skipped if it has not started by then */
    pool_workers_task_options before = POOL_WORKERS_TASK_OPTIONS_INIT;
    before.start_within = MILLISECOND;
    check(pool_workers_start(pool, count, &late, &before, POOL_FOREVER, NULL));
    sleep_ms(5);
    count(&first.go_on);
    check(pool_workers_run(pool, count, &ran, POOL_FOREVER)); /* pool.SubmitAndWait(f) */
    printf("%d late, %d in time, ", late, ran);

    /* group, ctx := pool.GroupContext(ctx): the first error cancels the others */
    pool_workers_group *group;
    check(pool_workers_group_create(pool, NULL, &group));
    check(pool_workers_group_submit(group, fail, NULL));
    printf("%s, ", pool_status_name(pool_workers_group_wait(group, POOL_FOREVER)));
    check(pool_workers_group_destroy(group));

    /* pool.StopAndWaitFor(d): how many it did not get to is in the report */
    struct work last = {0, 0};
    pool_workers_report report = {.size = sizeof report};
    check(pool_workers_submit(pool, work, &last));
    wait_until(&last.begun, 1);
    check(pool_workers_submit(pool, count, &ran));
    pool_status status = pool_workers_stop(pool, POOL_WORKERS_DRAIN, 5 * MILLISECOND, &report);
    printf("%s: %d of them not started\n", pool_status_name(status), (int)report.waiting);
    count(&last.go_on);
    check(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, NULL));
    return pool_workers_destroy(pool) != POOL_OK;
}
