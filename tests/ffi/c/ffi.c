/* Every area but connections from C99, with callbacks of its own, against the installed library.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "check.h"

#include <string.h>

struct counts {
    int created, reset, destroyed, freed;
};

static void *create(void *ctx) {
    ((struct counts *)ctx)->created++;
    return calloc(1, 16);
}

static pool_status reset(void *object, void *ctx) {
    ((struct counts *)ctx)->reset++;
    return strcmp(object, "poison") == 0 ? POOL_EBAD : POOL_OK;
}

static void destroy(void *object, void *ctx) {
    ((struct counts *)ctx)->destroyed++;
    free(object);
}

static void ctx_free(void *ctx) {
    ((struct counts *)ctx)->freed++;
}

static void objects(void) {
    struct counts counts = {0, 0, 0, 0};
    pool_objects_options options;
    pool_objects_stats stats;
    pool_objects *pool;
    char *object;
    CHECK(pool_objects_options_init(&options, sizeof options) == POOL_OK);
    options.create = create;
    options.reset = reset;
    options.destroy = destroy;
    options.ctx = &counts;
    options.ctx_free = ctx_free;
    CHECK(pool_objects_create(&options, &pool) == POOL_OK);
    object = pool_objects_get(pool);
    CHECK(object != NULL);
    strcpy(object, "from C");
    CHECK(pool_objects_put(pool, object) == POOL_OK);
    CHECK(pool_objects_try_get(pool) == object && strcmp(object, "from C") == 0);
    strcpy(object, "poison");
    CHECK(pool_objects_put(pool, object) == POOL_OK);
    CHECK(counts.destroyed == 1 && pool_objects_try_get(pool) == NULL);
    CHECK(pool_last_error_status() == POOL_EAGAIN);
    CHECK(pool_objects_prefill(pool, 5) == POOL_OK);
    stats.size = sizeof stats;
    CHECK(pool_objects_get_stats(pool, &stats) == POOL_OK && stats.idle == 5);
    CHECK(pool_objects_destroy(pool) == POOL_OK);
    CHECK(counts.created == 6 && counts.reset == 2 && counts.destroyed == 6 && counts.freed == 1);
    options.flags = 1u << 31;
    CHECK(pool_objects_create(&options, &pool) == POOL_EINVAL && pool == NULL);
    CHECK(strstr(pool_last_error(), "0x80000000") != NULL);
}

static void buffers(void) {
    pool_buffers_options options;
    pool_buffers *pool;
    pool_buffer buffer, wrong;
    pool_buf text;
    CHECK(pool_buffers_options_init(&options, sizeof options) == POOL_OK);
    options.alignment = 64;
    CHECK(pool_buffers_create(&options, &pool) == POOL_OK);
    buffer = pool_buffers_get(pool, 5000);
    CHECK(buffer.data != NULL && buffer.capacity == 5120 && (size_t)buffer.data % 64 == 0);
    memset(buffer.data, 'x', buffer.capacity);
    wrong = buffer;
    wrong.capacity = 77;
    CHECK(pool_buffers_put(pool, wrong) == POOL_EINVAL);
    CHECK(pool_buffers_put(pool, buffer) == POOL_OK);
    CHECK(pool_buf_get(pool, 3, &text) == POOL_OK);
    CHECK(pool_buf_append(&text, "seven", 5) == POOL_OK);
    CHECK(pool_buf_append_format(&text, " is %d", 7) == POOL_OK);
    CHECK(text.length == 10 && memcmp(text.data, "seven is 7", 10) == 0);
    CHECK(pool_buf_put(&text) == POOL_OK);
    CHECK(pool_buf_append(&text, "more", 4) == POOL_EINVAL);
    CHECK(pool_buffers_destroy(pool) == POOL_OK);
}

static void add(void *sum) {
    __atomic_fetch_add((int *)sum, 1, __ATOMIC_RELAXED);
}

static void workers(void) {
    int i, sum = 0, threads = 0;
    pool_workers_options options;
    pool_workers *pool;
    pool_workers_report report;
    CHECK(pool_workers_options_init(&options, sizeof options) == POOL_OK);
    options.max_workers = 2;
    options.min_workers = 2;
    options.on_thread_start = add;
    options.ctx = &threads;
    CHECK(pool_workers_create(&options, &pool) == POOL_OK);
    for (i = 0; i < 100; i++)
        CHECK(pool_workers_submit(pool, add, &sum) == POOL_OK);
    report.size = sizeof report;
    CHECK(pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, &report) == POOL_OK);
    CHECK(sum == 100 && report.ran == 100);
    CHECK(pool_workers_submit(pool, add, &sum) == POOL_ECLOSED);
    CHECK(pool_workers_destroy(pool) == POOL_OK);
    CHECK(threads == 2);
}

static void collect(const char *text, size_t length, void *to) {
    strncat(to, text, length);
}

static void stats(void) {
    char text[4096] = "";
    pool_buffers *pool;
    CHECK(pool_buffers_create(NULL, &pool) == POOL_OK);
    CHECK(pool_stats_write(POOL_STATS_JSON, collect, text) == POOL_OK);
    CHECK(strstr(text, "\"area\":\"buffers\"") != NULL);
    CHECK(pool_stats_text(POOL_STATS_JSON, NULL, 0) == strlen(text));
    CHECK(pool_buffers_destroy(pool) == POOL_OK);
}

int main(void) {
    CHECK(pool_version_number() == POOL_VERSION_NUMBER);
    objects();
    buffers();
    workers();
    stats();
    puts(pool_version_details());
    return 0;
}
