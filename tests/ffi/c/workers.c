/* Worker pools from C99, with callbacks of its own, against the installed library.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L

#include "workers.h"

#include <string.h>

/* What the callbacks of a pool were told. */
struct told {
    int started, exited; /* threads */
    int dropped, full;   /* tasks, and those of them for which there was no room */
    int failed, code;
    int begun, ended, named;
    char message[128];
};

static void on_thread_start(void *ctx) {
    add(&((struct told *)ctx)->started);
}

static void on_thread_exit(void *ctx) {
    add(&((struct told *)ctx)->exited);
}

static void on_drop(void *arg, pool_status status, void *ctx) {
    CHECK(arg != NULL);
    add(&((struct told *)ctx)->dropped);
    if (status == POOL_EFULL)
        add(&((struct told *)ctx)->full);
}

static void on_failed(void *arg, int32_t code, const char *message, void *ctx) {
    struct told *told = ctx;
    CHECK(arg != NULL);
    told->code = code;
    strcpy(told->message, message);
    add(&told->failed);
}

static void on_task_begin(const char *name, void *arg, void *ctx) {
    (void)arg;
    if (strcmp(name, "named") == 0)
        add(&((struct told *)ctx)->named);
    add(&((struct told *)ctx)->begun);
}

static void on_task_end(const char *name, void *arg, void *ctx) {
    (void)name, (void)arg;
    add(&((struct told *)ctx)->ended);
}

static pool_workers *made(struct told *told, pool_workers_options *options) {
    pool_workers *pool;
    options->on_thread_start = on_thread_start;
    options->on_thread_exit = on_thread_exit;
    options->on_drop = on_drop;
    options->on_failed = on_failed;
    options->on_task_begin = on_task_begin;
    options->on_task_end = on_task_end;
    options->ctx = told;
    CHECK(pool_workers_create(options, &pool) == POOL_OK);
    return pool;
}

static void submitting(void) {
    struct told told = {0};
    struct gate gate = {0};
    pool_workers_options options;
    pool_workers *pool;
    pool_workers_stats stats;
    pool_workers_node node;
    pool_workers_item items[5];
    size_t accepted;
    int i, sum = 0;
    CHECK(pool_workers_options_init(&options, sizeof options) == POOL_OK);
    options.name = "ffi";
    options.max_workers = options.min_workers = 1;
    options.queue_capacity = 4;
    options.full = POOL_WORKERS_DROP_NEWEST;
    pool = made(&told, &options);
    occupy(pool, &gate);
    CHECK(told.started == 1);
    for (i = 0; i < 5; i++) {
        items[i].task = add;
        items[i].arg = &sum;
    }
    CHECK(pool_workers_submit_bulk(pool, items, 2, 0, &accepted) == POOL_OK && accepted == 2);
    CHECK(pool_workers_submit_node(pool, &node, add, &sum) == POOL_OK);
    CHECK(pool_workers_submit_timed(pool, add, &sum, SECOND) == POOL_OK);
    CHECK(pool_workers_try_submit(pool, add, &sum) == POOL_EFULL && told.dropped == 0);
    CHECK(pool_workers_submit(pool, add, &sum) == POOL_OK && told.full == 1 && told.dropped == 1);
    CHECK(pool_workers_submit(pool, NULL, &sum) == POOL_EINVAL);
    CHECK(pool_workers_submit_payload(pool, &sum, 0) == POOL_EINVAL);
    CHECK(sum == 0);
    open_gate(&gate);
    CHECK(pool_workers_wait_idle(pool, POOL_FOREVER) == POOL_OK && sum == 4);

    CHECK(pool_workers_resize(pool, 2, 0) == POOL_EINVAL);
    CHECK(pool_workers_resize(pool, 2, 2) == POOL_OK);
    await(&told.started, 2);
    CHECK(pool_workers_run(pool, add, &sum, POOL_FOREVER) == POOL_OK && sum == 5);
    CHECK(pool_workers_run_here(pool, add, &sum, POOL_FOREVER) == POOL_OK && sum == 6);
    stats.size = sizeof stats;
    CHECK(pool_workers_wait_idle(pool, POOL_FOREVER) == POOL_OK);
    CHECK(pool_workers_get_stats(pool, &stats) == POOL_OK);
    CHECK(stats.max_workers == 2 && stats.min_workers == 2 && stats.workers == 2);
    CHECK(stats.dropped == 1 && stats.rejected >= 1 && stats.waiting == 0 && stats.running == 0);
    CHECK(stats.submitted == stats.succeeded + stats.dropped && stats.queue_capacity == 4);
    CHECK(pool_workers_destroy(pool) == POOL_OK);
    CHECK(told.started == 2 && told.exited == 2 && told.begun == told.ended && told.failed == 0);
}

static void give_pool(void *out) {
    *(pool_workers **)out = pool_workers_self_pool();
    pool_workers_self_result(out);
}

static void fail(void *arg) {
    (void)arg;
    pool_workers_self_fail(42, "no luck");
}

/* Until it is cancelled. */
static void work(void *begun) {
    add(begun);
    while (!pool_workers_self_cancelled())
        sleep_ms(1);
}

static void work_committed(void *arg) {
    struct gate *gate = arg;
    CHECK(pool_workers_self_commit());
    add(&gate->begun);
    wait_at(gate);
    CHECK(!pool_workers_self_cancelled());
}

static pool_workers_task *started(pool_workers *pool, pool_workers_task_fn task, void *arg) {
    pool_workers_task *handle;
    pool_workers_task_options how = POOL_WORKERS_TASK_OPTIONS_INIT;
    how.name = "named";
    CHECK(pool_workers_start_now(pool, task, arg, &how, 10 * SECOND, &handle) == POOL_OK);
    return handle;
}

static pool_workers_task_info info_of(pool_workers_task *task) {
    pool_workers_task_info info;
    info.size = sizeof info;
    CHECK(pool_workers_task_get_info(task, &info) == POOL_OK);
    return info;
}

static void handling(void) {
    struct told told = {0};
    struct gate gate = {0};
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    pool_workers_task_options how;
    pool_workers *pool, *own = NULL;
    pool_workers_task *task, *second;
    pool_workers_cancel answer;
    pool_workers_task_info info;
    int begun = 0, sum = 0;
    options.max_workers = 1;
    pool = made(&told, &options);
    CHECK(pool_workers_task_options_init(&how, sizeof how) == POOL_OK);
    how.priority = 2;
    CHECK(pool_workers_start(pool, add, &sum, &how, 0, &task) == POOL_EINVAL && task == NULL);
    CHECK(pool_workers_start(pool, give_pool, &own, NULL, POOL_FOREVER, &task) == POOL_OK);
    CHECK(pool_workers_task_wait(task, POOL_FOREVER) == POOL_OK && own == pool);
    CHECK(pool_workers_task_result(task) == &own && pool_workers_self_pool() == NULL);
    CHECK(info_of(task).state == POOL_WORKERS_SUCCEEDED && told.named == 0);
    CHECK(pool_workers_task_cancel(task, &answer) == POOL_OK && answer == POOL_WORKERS_TOO_LATE);
    pool_workers_task_release(task);

    task = started(pool, fail, &sum);
    CHECK(pool_workers_task_wait(task, POOL_FOREVER) == POOL_ETASK);
    CHECK(strstr(pool_last_error(), "no luck") != NULL);
    info = info_of(task);
    CHECK(info.state == POOL_WORKERS_FAILED && info.status == POOL_ETASK && info.code == 42);
    CHECK(strcmp(info.message, "no luck") == 0 && told.failed == 1 && told.code == 42);
    CHECK(strcmp(told.message, "no luck") == 0 && told.named == 1);
    pool_workers_task_release(task);

    /* One that runs is flagged, one that waits is removed. */
    task = started(pool, work, &begun);
    CHECK(info_of(task).state == POOL_WORKERS_RUNNING);
    CHECK(pool_workers_task_wait(task, SECOND / 1000) == POOL_ETIMEDOUT);
    CHECK(pool_workers_start(pool, add, &sum, NULL, 0, &second) == POOL_OK);
    CHECK(info_of(second).state == POOL_WORKERS_QUEUED);
    CHECK(pool_workers_task_cancel(second, &answer) == POOL_OK && answer == POOL_WORKERS_REMOVED);
    CHECK(told.dropped == 1 && pool_workers_task_wait(second, 0) == POOL_ECANCELED);
    CHECK(pool_workers_task_cancel(task, &answer) == POOL_OK && answer == POOL_WORKERS_FLAGGED);
    CHECK(pool_workers_task_wait(task, POOL_FOREVER) == POOL_ECANCELED);
    CHECK(info_of(task).cancelled && info_of(task).state == POOL_WORKERS_CANCELLED);
    pool_workers_task_release(task);
    pool_workers_task_release(second);

    task = started(pool, work_committed, &gate);
    await(&gate.begun, 1);
    CHECK(pool_workers_task_cancel(task, &answer) == POOL_OK && answer == POOL_WORKERS_TOO_LATE);
    how.priority = POOL_WORKERS_HIGH;
    how.start_within = 1;
    CHECK(pool_workers_start(pool, add, &sum, &how, 0, &second) == POOL_OK);
    open_gate(&gate);
    CHECK(pool_workers_task_wait(task, POOL_FOREVER) == POOL_OK);
    CHECK(pool_workers_task_wait(second, POOL_FOREVER) == POOL_ECANCELED && sum == 0);
    CHECK(info_of(second).state == POOL_WORKERS_DROPPED);
    CHECK(pool_workers_destroy(pool) == POOL_OK && told.dropped == 2 && begun == 1);
    pool_workers_task_release(task);
    pool_workers_task_release(second);
}

static void square(void *number) {
    *(int *)number *= *(int *)number;
    if (*(int *)number == 9)
        pool_workers_self_fail(9, "nine");
    pool_workers_self_result(number);
}

static void grouping(void) {
    struct told told = {0};
    struct gate gate = {0};
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    pool_workers_group_options how;
    pool_workers *pool;
    pool_workers_group *group;
    pool_workers_task_info info;
    size_t index;
    int numbers[5], i, seen = 0;
    options.max_workers = 1;
    pool = made(&told, &options);
    info.size = sizeof info;
    CHECK(pool_workers_group_options_init(&how, sizeof how) == POOL_OK);
    how.flags = POOL_WORKERS_GROUP_KEEP_GOING | POOL_WORKERS_GROUP_RESULTS;
    CHECK(pool_workers_group_create(pool, &how, &group) == POOL_OK);
    for (i = 0; i < 5; i++) {
        numbers[i] = i;
        CHECK(pool_workers_group_submit(group, square, &numbers[i]) == POOL_OK);
    }
    CHECK(pool_workers_group_wait(group, POOL_FOREVER) == POOL_ETASK);
    CHECK(strstr(pool_last_error(), "nine") != NULL && numbers[4] == 16);
    for (i = 0; i < 5; i++) {
        CHECK(pool_workers_group_result(group, i, &info) == POOL_OK && info.result == &numbers[i]);
        CHECK(info.status == (i == 3 ? POOL_ETASK : POOL_OK));
    }
    CHECK(pool_workers_group_result(group, 5, &info) == POOL_EINVAL);
    while (pool_workers_group_next(group, SECOND, &index, &info) == POOL_OK)
        seen |= 1 << index;
    CHECK(pool_last_error_status() == POOL_EAGAIN && seen == 31);
    CHECK(pool_workers_destroy(pool) == POOL_EMISUSE);
    CHECK(pool_workers_group_destroy(group) == POOL_OK);

    /* The first failure ends the others, which wait. */
    CHECK(pool_workers_group_create(pool, NULL, &group) == POOL_OK);
    occupy(pool, &gate);
    for (i = 2; i < 5; i++) {
        numbers[i] = i;
        CHECK(pool_workers_group_submit(group, square, &numbers[i]) == POOL_OK);
    }
    open_gate(&gate);
    CHECK(pool_workers_group_wait(group, POOL_FOREVER) == POOL_ETASK);
    CHECK(numbers[2] == 4 && numbers[3] == 9 && numbers[4] == 4 && told.dropped == 1);
    CHECK(pool_workers_group_cancel(group) == POOL_OK);
    CHECK(pool_workers_group_submit(group, square, &numbers[0]) == POOL_ECANCELED);
    CHECK(pool_workers_group_destroy(group) == POOL_OK);
    CHECK(pool_workers_destroy(pool) == POOL_OK);
}

/* A worker that counts what it has processed. */
struct machine {
    int interrupted, readied, processed;
};
static struct machine machine;

static pool_status state_new(void **state, void *ctx) {
    CHECK(ctx == &machine);
    *state = &machine;
    return POOL_OK;
}

static void ready(void *state, void *ctx) {
    CHECK(state == ctx);
    add(&((struct machine *)state)->readied);
}

/* A payload of 0 takes until it is interrupted. */
static void *process(void *payload, void *state, void *ctx) {
    struct machine *own = state;
    CHECK(state == ctx && pool_workers_self_state() == state);
    while (*(int *)payload == 0 && !__atomic_load_n(&own->interrupted, __ATOMIC_ACQUIRE))
        sleep_ms(1);
    add(&own->processed);
    *(int *)payload += 1;
    return payload;
}

static void interrupt(void *state, void *ctx) {
    CHECK(state == ctx);
    add(&((struct machine *)state)->interrupted);
}

static void state_free(void *state, void *ctx) {
    CHECK(state == ctx);
    ((struct machine *)state)->processed += 100;
}

static void processing(void) {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    pool_workers *pool;
    void *result;
    int payload = 7, endless = 0;
    options.max_workers = 1;
    options.state_new = state_new;
    options.ready = ready;
    options.process = process;
    options.interrupt = interrupt;
    options.state_free = state_free;
    options.ctx = &machine;
    CHECK(pool_workers_create(&options, &pool) == POOL_OK);
    CHECK(pool_workers_process(pool, &payload, POOL_FOREVER, &result) == POOL_OK);
    CHECK(result == &payload && payload == 8 && machine.readied >= 1);
    CHECK(pool_workers_submit_payload(pool, &payload, POOL_FOREVER) == POOL_OK);
    CHECK(pool_workers_wait_idle(pool, POOL_FOREVER) == POOL_OK && payload == 9);
    CHECK(machine.interrupted == 0);
    CHECK(pool_workers_process(pool, &endless, SECOND / 20, &result) == POOL_ETIMEDOUT);
    CHECK(result == NULL && machine.interrupted == 1);
    CHECK(pool_workers_wait_idle(pool, POOL_FOREVER) == POOL_OK && endless == 1);
    CHECK(pool_workers_destroy(pool) == POOL_OK && machine.processed == 103);
}

static void stopping(void) {
    struct told told = {0};
    struct gate gate = {0};
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    pool_workers *pool;
    pool_workers_report report;
    int i, sum = 0;
    options.max_workers = 1;
    pool = made(&told, &options);
    CHECK(pool_workers_pause(pool, POOL_FOREVER) == POOL_OK);
    CHECK(pool_workers_submit(pool, add, &sum) == POOL_OK);
    CHECK(pool_workers_wait_idle(pool, SECOND / 100) == POOL_ETIMEDOUT && sum == 0);
    CHECK(pool_workers_resume(pool) == POOL_OK && pool_workers_resume(pool) == POOL_EINVAL);
    CHECK(pool_workers_wait_idle(pool, POOL_FOREVER) == POOL_OK && sum == 1);

    occupy(pool, &gate);
    for (i = 0; i < 3; i++)
        CHECK(pool_workers_submit(pool, add, &sum) == POOL_OK);
    report.size = sizeof report;
    CHECK(pool_workers_stop(pool, 9, 0, &report) == POOL_EINVAL);
    CHECK(pool_workers_stop(pool, POOL_WORKERS_DISCARD, SECOND / 100, &report) == POOL_ETIMEDOUT);
    CHECK(report.running == 1 && report.waiting == 0 && report.discarded == 3);
    CHECK(told.dropped == 3 && pool_workers_submit(pool, add, &sum) == POOL_ECLOSED);
    CHECK(pool_workers_restart(pool) == POOL_EAGAIN);
    open_gate(&gate);
    CHECK(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, &report) == POOL_OK);
    CHECK(report.ran == 2 && report.discarded == 3 && report.running == 0 && sum == 1);
    CHECK(pool_workers_restart(pool) == POOL_OK);
    CHECK(pool_workers_run(pool, add, &sum, POOL_FOREVER) == POOL_OK && sum == 2);
    CHECK(pool_workers_destroy(pool) == POOL_OK && told.started == told.exited);
}

int main(void) {
    submitting();
    handling();
    grouping();
    processing();
    stopping();
    return 0;
}
