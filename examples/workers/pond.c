/* pond.c - tasks with errors, groups that end at the first one, and subpools, as alitto/pond v2 has
 * them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include "kit.h"

#include <string.h>

/* pond.NewPool(max) */
static pool_workers *pond(uint32_t max) {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    options.max_workers = max != 0 ? max : POOL_WORKERS_UNLIMITED;
    options.queue_capacity = POOL_WORKERS_UNBOUNDED; /* WithQueueSize(n): n */
    options.idle_timeout = POOL_WORKERS_AT_ONCE;     /* a worker goes when it finds no task */
    pool_workers *pool;
    check(pool_workers_create(&options, &pool));
    return pool;
}

struct page {
    const char *url;
    size_t length;
};

/* func() error */
static void fetch(void *arg) {
    struct page *page = arg;
    if (strncmp(page->url, "http", 4) != 0) {
        pool_workers_self_fail(400, "unsupported protocol scheme");
        return;
    }
    page->length = strlen(page->url);
    pool_workers_self_result(page);
}

int main(void) {
    pool_workers *pool = pond(4);
    struct page good[] = {{"http://a", 0}, {"http://bb", 0}, {"http://ccc", 0}};
    struct page bad = {"gopher://", 0};

    /* task := pool.SubmitErr(f); err := task.Wait() */
    pool_workers_task *task;
    check(pool_workers_start(pool, fetch, &bad, NULL, POOL_FOREVER, &task));
    if (pool_workers_task_wait(task, POOL_FOREVER) == POOL_ETASK) {
        pool_workers_task_info info = {.size = sizeof info};
        check(pool_workers_task_get_info(task, &info));
        printf("%s\n", info.message);
    }
    pool_workers_task_release(task);

    /* group := pool.NewGroup(); group.Submit(f...); results, err := group.Wait(): in their order */
    pool_workers_group_options options = POOL_WORKERS_GROUP_OPTIONS_INIT;
    options.flags = POOL_WORKERS_GROUP_RESULTS;
    pool_workers_group *group;
    check(pool_workers_group_create(pool, &options, &group));
    for (int i = 0; i < 3; i++)
        check(pool_workers_group_submit(group, fetch, &good[i]));
    check(pool_workers_group_wait(group, POOL_FOREVER));
    for (size_t i = 0; i < 3; i++) {
        pool_workers_task_info info = {.size = sizeof info};
        check(pool_workers_group_result(group, i, &info));
        printf("%d ", (int)((struct page *)info.result)->length);
    }
    check(pool_workers_group_submit(group, fetch, &bad));
    printf("%s\n", pool_status_name(pool_workers_group_wait(group, POOL_FOREVER)));
    check(pool_workers_group_destroy(group));

    /* sub := pool.NewSubpool(1) */
    pool_workers_options one = POOL_WORKERS_OPTIONS_INIT;
    pool_workers *sub;
    int ran = 0;
    one.max_workers = 1;
    check(pool_workers_create_sub(pool, &one, &sub));
    for (int i = 0; i < 5; i++)
        check(pool_workers_submit(sub, count, &ran));
    check(pool_workers_stop(sub, POOL_WORKERS_DRAIN, POOL_FOREVER, NULL)); /* sub.StopAndWait() */
    check(pool_workers_destroy(sub));

    pool_workers_stats stats = stats_of(pool); /* pool.SubmittedTasks() and its kin */
    printf("%d of %d succeeded, %d failed\n", (int)stats.succeeded, (int)stats.submitted,
           (int)stats.failed);
    check(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, NULL)); /* pool.StopAndWait() */
    return pool_workers_destroy(pool) != POOL_OK;
}
