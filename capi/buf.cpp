// pool/buf.h: argument checks. The work is in src/buffers.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/buf.h"

#include "buffers/buf.h"
#include "platform/status.h"

#include <sys/uio.h>

using pool::fail;
using pool::fail_text;
using pool::has_room;

namespace {

// Every call checks this much; what the fast paths need not know comes behind them.
pool_status check(const pool_buf *buf) {
    if (buf == nullptr)
        return fail_text(POOL_EINVAL, "the buffer is NULL");
    if (buf->pool == nullptr)
        return fail_text(POOL_EINVAL, "the buffer was put, or never got");
    if (buf->length > buf->capacity || (buf->data == nullptr) != (buf->capacity == 0))
        return fail(POOL_EINVAL, "the buffer says that it has %zu bytes of %zu at %p", buf->length,
                    buf->capacity, static_cast<void *>(buf->data));
    return POOL_OK;
}

} // namespace

pool_status pool_buf_get(pool_buffers *pool, uint32_t tag, pool_buf *buf) {
    if (__builtin_expect(pool == nullptr || buf == nullptr, 0))
        return fail(POOL_EINVAL, "%s is NULL", pool == nullptr ? "the pool" : "the buffer");
    if (__builtin_expect(tag >= POOL_BUFFERS_TAGS, 0))
        return fail(POOL_EINVAL, "tag %u is not below %d", tag, POOL_BUFFERS_TAGS);
    return pool_buf_get_inline(pool, tag, buf);
}

pool_buffer pool_buf_first_memory(pool_buffers *pool, uint32_t tag) {
    return reinterpret_cast<pool::BufferPool *>(pool)->get_default(tag);
}

pool_status pool_buf_put(pool_buf *buf) {
    if (buf == nullptr || buf->pool == nullptr)
        return POOL_OK;
    pool::Calibration *calibration = pool::pool_of(*buf)->known_calibration(buf->tag);
    if (__builtin_expect(calibration != nullptr && pool::buf_put_fast(*buf, *calibration), 1))
        return POOL_OK;
    return pool::buf_put(*buf);
}

static __attribute__((noinline)) pool_status append_slow(pool_buf *buf, const void *data,
                                                         size_t n) {
    if (pool_status status = check(buf))
        return status;
    if (n == 0)
        return POOL_OK;
    if (data == nullptr)
        return fail(POOL_EINVAL, "data is NULL and its length is %zu", n);
    return pool::buf_append(*buf, data, n);
}

pool_status pool_buf_append(pool_buf *buf, const void *data, size_t n) {
    // n - 1: nothing, which may be added to no memory at all, goes the slow way.
    if (__builtin_expect(buf == nullptr || data == nullptr || n - 1 >= buf->capacity - buf->length,
                         0))
        return append_slow(buf, data, n);
    size_t length = buf->length; // the copy may change anything, as far as the compiler knows
    memcpy(buf->data + length, data, n);
    buf->length = length + n;
    return POOL_OK;
}

pool_status pool_buf_append_byte(pool_buf *buf, unsigned char byte) {
    if (__builtin_expect(buf == nullptr || !has_room(*buf, 1), 0))
        return append_slow(buf, &byte, 1);
    buf->data[buf->length++] = byte;
    return POOL_OK;
}

pool_status pool_buf_append_formatv(pool_buf *buf, const char *format, va_list arguments) {
    if (pool_status status = check(buf))
        return status;
    if (format == nullptr)
        return fail_text(POOL_EINVAL, "format is NULL");
    return pool::buf_append_format(*buf, format, arguments);
}

pool_status pool_buf_append_format(pool_buf *buf, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pool_status status = pool_buf_append_formatv(buf, format, arguments);
    va_end(arguments);
    return status;
}

pool_status pool_buf_reserve(pool_buf *buf, size_t n) {
    if (pool_status status = check(buf))
        return status;
    return has_room(*buf, n) ? POOL_OK : pool::buf_grow(*buf, n);
}

pool_status pool_buf_resize(pool_buf *buf, size_t length) {
    if (pool_status status = check(buf))
        return status;
    return pool::buf_resize(*buf, length);
}

pool_status pool_buf_reset(pool_buf *buf) {
    if (buf == nullptr)
        return check(buf);
    if (buf->length > buf->peak)
        buf->peak = buf->length;
    buf->length = 0;
    return POOL_OK;
}

pool_buffer pool_buf_detach(pool_buf *buf, size_t *length) {
    if (check(buf) != POOL_OK)
        return {nullptr, 0};
    pool_buffer memory = {buf->data, buf->capacity};
    if (length != nullptr)
        *length = buf->length;
    buf->data = nullptr;
    buf->length = buf->capacity = buf->peak = 0;
    return memory;
}

pool_status pool_buf_iovec(const pool_buf *buf, iovec *iov) {
    if (buf == nullptr || iov == nullptr)
        return fail(POOL_EINVAL, "%s is NULL", buf == nullptr ? "the buffer" : "iov");
    iov->iov_base = buf->data;
    iov->iov_len = buf->length;
    return POOL_OK;
}

pool_status pool_buf_read(pool_buf *buf, int fd, size_t most, size_t *got) {
    if (pool_status status = check(buf))
        return status;
    if (got == nullptr)
        return fail_text(POOL_EINVAL, "got is NULL");
    return pool::buf_read(*buf, fd, most, got);
}

pool_status pool_buf_read_all(pool_buf *buf, int fd, size_t *got) {
    size_t nowhere;
    if (pool_status status = check(buf))
        return status;
    return pool::buf_read_all(*buf, fd, got != nullptr ? got : &nowhere);
}

pool_status pool_buf_write(const pool_buf *buf, size_t from, int fd, size_t *written) {
    size_t nowhere;
    if (pool_status status = check(buf))
        return status;
    if (from > buf->length)
        return fail(POOL_EINVAL, "there are %zu bytes, none at %zu", buf->length, from);
    return pool::buf_write(*buf, from, fd, written != nullptr ? written : &nowhere);
}
