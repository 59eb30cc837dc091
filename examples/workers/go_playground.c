/* go_playground.c - work units that can be cancelled until they say otherwise, and batches, as
 * go-playground/pool has them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include "kit.h"

struct email {
    int begun, go_on;
    int sent;
};

/* func(wu pool.WorkUnit) (interface{}, error) */
static void send_email(void *arg) {
    struct email *email = arg;
    count(&email->begun);
    wait_until(&email->go_on, 1);
    if (!pool_workers_self_commit()) /* wu.IsCancelled(): from here on it no longer can be */
        return;
    email->sent = 1;
    pool_workers_self_result(email);
}

/* p := pool.NewLimited(workers) */
static pool_workers *limited(uint32_t workers) {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    options.max_workers = options.min_workers = workers;
    options.queue_capacity = POOL_WORKERS_UNBOUNDED;
    pool_workers *pool;
    check(pool_workers_create(&options, &pool));
    return pool;
}

int main(void) {
    pool_workers *pool = limited(2);
    struct email emails[2] = {{0}};
    pool_workers_task *units[2];
    pool_workers_cancel answer;
    for (int i = 0; i < 2; i++) {
        check(pool_workers_start(pool, send_email, &emails[i], NULL, POOL_FOREVER, &units[i]));
        wait_until(&emails[i].begun, 1);
    }
    check(pool_workers_task_cancel(units[0], &answer)); /* wu.Cancel() */
    for (int i = 0; i < 2; i++) {
        count(&emails[i].go_on);
        pool_status status = pool_workers_task_wait(units[i], POOL_FOREVER);   /* wu.Wait() */
        printf("%s, ", status == POOL_OK ? "sent" : pool_status_name(status)); /* wu.Error() */
        pool_workers_task_release(units[i]);
    }

    /* batch := p.Batch(); batch.Queue(f); batch.QueueComplete(); for r := range batch.Results() */
    pool_workers_group_options options = POOL_WORKERS_GROUP_OPTIONS_INIT;
    options.flags = POOL_WORKERS_GROUP_KEEP_GOING | POOL_WORKERS_GROUP_RESULTS;
    pool_workers_group *batch;
    struct email many[10] = {{0}};
    pool_workers_task_info ended = {.size = sizeof ended};
    int sent = 0;
    check(pool_workers_group_create(pool, &options, &batch));
    for (int i = 0; i < 10; i++) {
        many[i].go_on = 1;
        check(pool_workers_group_submit(batch, send_email, &many[i]));
    }
    while (pool_workers_group_next(batch, POOL_FOREVER, NULL, &ended) == POOL_OK)
        sent += ((struct email *)ended.result)->sent;
    printf("%d of a batch\n", sent);
    check(pool_workers_group_destroy(batch));

    pool_workers_stop(pool, POOL_WORKERS_CANCEL, 0, NULL); /* p.Cancel(), p.Close(): no waiting */
    return pool_workers_destroy(pool) != POOL_OK;
}
