/* bytebufferpool.c - log lines in growing buffers, as with valyala/bytebufferpool.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include <pool/pool.h>

#include <stdio.h>
#include <string.h>

enum { REQUESTS = 0, BODIES = 1 }; /* tags: uses whose sizes are learned apart */

static int log_request(pool_buffers *pool, const char *path, int status) {
    pool_buf line;
    pool_status failed = pool_buf_get(pool, REQUESTS, &line);
    if (failed == POOL_OK)
        failed = pool_buf_append(&line, "GET ", 4);
    if (failed == POOL_OK)
        failed = pool_buf_append(&line, path, strlen(path));
    if (failed == POOL_OK)
        failed = pool_buf_append_format(&line, " %d", status);
    if (failed == POOL_OK)
        failed = pool_buf_append_byte(&line, '\n');
    if (failed == POOL_OK && status != 200)
        failed = pool_buf_write(&line, 0, 1, NULL);
    pool_buf_put(&line);
    return failed != POOL_OK;
}

int main(void) {
    pool_buffers *pool;
    if (pool_buffers_create(NULL, &pool) != POOL_OK)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;
    for (int i = 0; i < 10000; i++)
        if (log_request(pool, "/index.html", i == 5000 ? 404 : 200) != 0)
            return fprintf(stderr, "%s\n", pool_last_error()), 1;

    pool_buf body; /* io.ReadFrom: all there is */
    FILE *file = tmpfile();
    if (file == NULL || fputs("what was read", file) < 0 || fflush(file) != 0)
        return 1;
    rewind(file);
    pool_buf_get(pool, BODIES, &body);
    if (pool_buf_read_all(&body, fileno(file), NULL) != POOL_OK)
        return fprintf(stderr, "%s\n", pool_last_error()), 1;
    printf("%.*s\n", (int)body.length, (const char *)body.data);
    pool_buf_put(&body);
    fclose(file);

    pool_buffers_calibration learned = {.size = sizeof learned};
    pool_buffers_get_calibration(pool, REQUESTS, &learned);
    printf("lines begin with %d bytes\n", (int)learned.default_size);
    return pool_buffers_destroy(pool) != POOL_OK;
}
