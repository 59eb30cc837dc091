/* pool/buf.h - a byte buffer that grows in memory of a buffer pool.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     pool_buf out;
 *     pool_buf_get(pool, 0, &out);
 *     pool_buf_append(&out, "hello ", 6);
 *     pool_buf_append_format(&out, "%d", 42);
 *     write(fd, out.data, out.length);
 *     pool_buf_put(&out);
 *
 * A pool_buf is a plain struct that lives where its user wants it: on the stack, in a request, in a
 * connection. Only what it points to is the pool's. It begins with as much memory as the bufs of its
 * tag have lately needed, and doubles from there through the pool's size classes; where that is not
 * known, or not at hand, it takes none before it needs some. When it is put, its memory goes back to the class that it belongs to by then, or is
 * freed if it is larger than what the tag usually needs, so one giant does not stay for ever.
 *
 */
#ifndef POOL_BUF_H
#define POOL_BUF_H

#include "buffers.h"

#include <stdarg.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

struct iovec;

/* The first three fields are for everybody to read. data[length .. capacity) may be written, and
 * `length` set to anything up to `capacity`. Never copy the struct and use both copies. */
typedef struct pool_buf {
    unsigned char *data; /* NULL while capacity is 0 */
    size_t length;       /* bytes in use */
    size_t capacity;     /* bytes that there are */
    size_t peak;         /* private: the most that was in use before the last reset */
    pool_buffers *pool;  /* private: NULL once it was put */
    uint32_t tag;        /* private */
    uint32_t reserved;   /* private */
} pool_buf;

#if defined(__GNUC__)
#define POOL_BUF_FORMAT(text, first) __attribute__((format(printf, text, first)))
#else
#define POOL_BUF_FORMAT(text, first)
#endif

/* Make `buf` an empty buffer of `pool`. `tag`, 0 to POOL_BUFFERS_TAGS - 1, names a use whose sizes
 * are learned together, such as "response headers". Whatever was in `buf` is not looked at.
 * Threads: one at a time. Blocks: never.
 * Ownership: what it comes to hold is the caller's until pool_buf_put() or pool_buf_detach().
 * Errors: POOL_EINVAL (a NULL, the tag). Since: 0.1 */
POOL_API pool_status pool_buf_get(pool_buffers *pool, uint32_t tag, pool_buf *buf);

/* As pool_buf_get(), compiled into the caller, which then knows what is in *buf. Since: 0.1 */
static inline pool_status pool_buf_get_inline(pool_buffers *pool, uint32_t tag, pool_buf *buf);

/* Give the memory back, and tell the calibration of the tag how much was needed. `buf` is empty and
 * without a pool from then on; putting it again does nothing. NULL is ignored.
 * Threads: one at a time. Blocks: never.
 * Errors: those of pool_buffers_put(); then `buf` is unchanged. Since: 0.1 */
POOL_API pool_status pool_buf_put(pool_buf *buf);

/* Add `n` bytes. `data` may lie inside of the buffer itself.
 * Threads: one at a time. Blocks: never.
 * Errors: POOL_EINVAL (a NULL; buf was put; longer than options.largest), POOL_ENOMEM, POOL_ECLOSED;
 * then nothing was added. Since: 0.1 */
POOL_API pool_status pool_buf_append(pool_buf *buf, const void *data, size_t n);

/* As pool_buf_append(), compiled into the caller for when there is room. `buf` may not be NULL.
 * Since: 0.1 */
static inline pool_status pool_buf_append_inline(pool_buf *buf, const void *data, size_t n) {
    size_t length = buf->length;
    if (n - 1 >= buf->capacity - length || data == NULL) /* n is 0, or there is no room */
        return pool_buf_append(buf, data, n);
    memcpy(buf->data + length, data, n);
    buf->length = length + n;
    return POOL_OK;
}

/* The memory that a new buf of this tag begins with, {NULL, 0} if none is at hand: half of
 * pool_buf_get(). The pool may not be NULL, nor the tag out of range.
 * Ownership: the caller's until pool_buffers_put() or pool_buf_put() of a buf that holds it.
 * Threads: any. Blocks: never. Returns: the memory; there is no error. Since: 0.1 */
POOL_API pool_buffer pool_buf_first_memory(pool_buffers *pool, uint32_t tag);

static inline pool_status pool_buf_get_inline(pool_buffers *pool, uint32_t tag, pool_buf *buf) {
    pool_buffer memory;
    if (pool == NULL || buf == NULL || tag >= POOL_BUFFERS_TAGS)
        return pool_buf_get(pool, tag, buf);
    memory = pool_buf_first_memory(pool, tag);
    buf->data = (unsigned char *)memory.data;
    buf->length = 0;
    buf->capacity = memory.capacity;
    buf->peak = 0;
    buf->pool = pool;
    buf->tag = tag;
    buf->reserved = 0;
    return POOL_OK;
}

/* Add one byte.
 * Threads: one at a time. Blocks: never.
 * Errors: as pool_buf_append(). Since: 0.1 */
POOL_API pool_status pool_buf_append_byte(pool_buf *buf, unsigned char byte);

/* Add what printf() would print. No argument may point into the buffer itself.
 * Threads: one at a time. Blocks: never.
 * Errors: as pool_buf_append(); POOL_EINVAL also for a format that the C library refuses. Since: 0.1 */
POOL_API pool_status pool_buf_append_format(pool_buf *buf, const char *format, ...)
    POOL_BUF_FORMAT(2, 3);

/* As pool_buf_append_format(). Since: 0.1 */
POOL_API pool_status pool_buf_append_formatv(pool_buf *buf, const char *format, va_list arguments)
    POOL_BUF_FORMAT(2, 0);

/* Make room for `n` more bytes, so that data[length .. length + n) may be written.
 * Threads: one at a time. Blocks: never.
 * Errors: as pool_buf_append(). Since: 0.1 */
POOL_API pool_status pool_buf_reserve(pool_buf *buf, size_t n);

/* Set the length. What that adds is zero.
 * Threads: one at a time. Blocks: never.
 * Errors: as pool_buf_append(). Since: 0.1 */
POOL_API pool_status pool_buf_resize(pool_buf *buf, size_t length);

/* Set the length to 0 and keep the memory.
 * Threads: one at a time. Blocks: never.
 * Errors: POOL_EINVAL (buf NULL). Since: 0.1 */
POOL_API pool_status pool_buf_reset(pool_buf *buf);

/* Take the memory out, for the caller to give to pool_buffers_put(); without data if there was none.
 * *length, which may be NULL, is how much was in use. `buf` is empty then and can be used on.
 * Threads: one at a time. Blocks: never.
 * Returns: {NULL, 0} also for a buf that is NULL or was put (POOL_EINVAL). Since: 0.1 */
POOL_API pool_buffer pool_buf_detach(pool_buf *buf, size_t *length);

/* The bytes in use, for writev() and its kin; *iov is borrowed until `buf` changes.
 * Threads: one at a time. Blocks: never.
 * Errors: POOL_EINVAL (a NULL). Since: 0.1 */
POOL_API pool_status pool_buf_iovec(const pool_buf *buf, struct iovec *iov);

/* Read once from `fd`, at most `most` bytes, growing as needed, and add what came; *got is how many
 * bytes that was, 0 at the end of the file. Repeated if a signal interrupts it.
 * Threads: one at a time. Blocks: as the descriptor does.
 * Errors: those of pool_buf_append(); POOL_EAGAIN (nothing there, on a non-blocking descriptor),
 * POOL_EIO (another error: see errno). Since: 0.1 */
POOL_API pool_status pool_buf_read(pool_buf *buf, int fd, size_t most, size_t *got);

/* Read until the end of the file. *got, which may be NULL, is how many bytes were added, also when
 * it fails.
 * Threads: one at a time. Blocks: as the descriptor does.
 * Errors: as pool_buf_read(). Since: 0.1 */
POOL_API pool_status pool_buf_read_all(pool_buf *buf, int fd, size_t *got);

/* Write data[from .. length) to `fd`, as often as it takes. *written, which may be NULL, is how many
 * bytes were written, also when it fails: add it to `from` to go on. The buffer is unchanged.
 * Threads: one at a time. Blocks: as the descriptor does.
 * Errors: POOL_EINVAL (buf NULL, from > length), POOL_EAGAIN, POOL_EIO (see errno). Since: 0.1 */
POOL_API pool_status pool_buf_write(const pool_buf *buf, size_t from, int fd, size_t *written);

#ifdef __cplusplus
}
#endif

#endif
