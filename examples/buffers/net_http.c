/* net_http.c - writers of two sizes, as net/http's bufioWriter2kPool and bufioWriter4kPool.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pool/pool.h>

#include <stdio.h>
#include <string.h>

typedef struct {
    pool_buffer memory;
    size_t used;
    FILE *to;
} writer;

static pool_buffers *memory_of_writers;

/* newBufioWriterSize(w, size) */
static int writer_open(writer *w, FILE *to, size_t size) {
    w->memory = pool_buffers_get(memory_of_writers, size);
    w->used = 0;
    w->to = to;
    return w->memory.data != NULL ? 0 : -1;
}

static void writer_flush(writer *w) {
    fwrite(w->memory.data, 1, w->used, w->to);
    w->used = 0;
}

static void writer_write(writer *w, const char *text) {
    size_t length = strlen(text);
    if (length > w->memory.capacity - w->used)
        writer_flush(w);
    if (length > w->memory.capacity) {
        fwrite(text, 1, length, w->to);
        return;
    }
    memcpy((char *)w->memory.data + w->used, text, length);
    w->used += length;
}

/* putBufioWriter(bw): by its capacity, there is no switch to write */
static void writer_close(writer *w) {
    writer_flush(w);
    pool_buffers_put(memory_of_writers, w->memory);
}

int main(void) {
    static const uint64_t kSizes[] = {2048, 4096};
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.scheme = POOL_BUFFERS_LIST;
    options.list = kSizes;
    options.list_count = 2;
    if (pool_buffers_create(&options, &memory_of_writers) != POOL_OK)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;

    const size_t sizes[] = {2048, 4096, 100000}; /* the last is served, but not kept */
    for (int i = 0; i < 3; i++) {
        writer w;
        if (writer_open(&w, stdout, sizes[i]) != 0)
            return fprintf(stderr, "%s\n", pool_last_error()), 1;
        writer_write(&w, "HTTP/1.1 200 OK\r\n\r\n");
        writer_close(&w);
    }
    pool_buffers_stats stats = {.size = sizeof stats};
    pool_buffers_get_stats(memory_of_writers, &stats);
    printf("%d bytes kept\n", (int)stats.idle_bytes);
    return pool_buffers_destroy(memory_of_writers) != POOL_OK;
}
