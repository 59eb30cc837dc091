// SPDX-License-Identifier: Apache-2.0
#include "buffers/buf.h"

#include "platform/status.h"

#include <cinttypes>
#include <cstdio>

namespace pool {
namespace {

// What a buffer with `needed` bytes in it should hold: at first what its tag has lately needed, then
// twice as much each time, so that what is moved in all is less than what is there in the end.
uint64_t capacity_for(const pool_buf &buf, const BufferPool &pool, uint64_t needed) {
    uint64_t wanted = 2 * uint64_t{buf.capacity};
    if (buf.capacity == 0)
        if (const Calibration *calibration = pool.known_calibration(buf.tag))
            wanted = calibration->default_size();
    if (wanted > pool.largest())
        wanted = pool.largest();
    return wanted > needed ? wanted : needed;
}

// Take a larger buffer with the same contents. The old one is the caller's to give back.
pool_status replace(pool_buf &buf, size_t n) {
    BufferPool *pool = pool_of(buf);
    uint64_t needed;
    if (__builtin_add_overflow(uint64_t{buf.length}, n, &needed) || needed > pool->largest())
        return fail(POOL_EINVAL,
                    "pool '%s' gives no buffers of %zu + %zu bytes, only up to %" PRIu64,
                    pool->name(), buf.length, n, pool->largest());
    pool_buffer larger = pool->get(capacity_for(buf, *pool, needed));
    if (__builtin_expect(larger.data == nullptr, 0))
        return last_error_status();
    if (buf.capacity != 0) {
        memcpy(larger.data, buf.data, buf.length);
        pool->count_grow();
    } else {
        pool->note_default(buf.tag);
    }
    buf.data = static_cast<unsigned char *>(larger.data);
    buf.capacity = larger.capacity;
    return POOL_OK;
}

void give_back(BufferPool *pool, pool_buffer old) {
    if (old.data != nullptr)
        pool->put(old);
}

} // namespace

pool_status buf_grow(pool_buf &buf, size_t n) {
    pool_buffer old = {buf.data, buf.capacity};
    pool_status status = replace(buf, n);
    if (status == POOL_OK)
        give_back(pool_of(buf), old);
    return status;
}

// The data may lie in the old buffer, which is given back last.
pool_status buf_append(pool_buf &buf, const void *data, size_t n) {
    pool_buffer old = {buf.data, buf.capacity};
    pool_status status = replace(buf, n);
    if (status != POOL_OK)
        return status;
    memcpy(buf.data + buf.length, data, n);
    buf.length += n;
    give_back(pool_of(buf), old);
    return POOL_OK;
}

pool_status buf_append_format(pool_buf &buf, const char *format, va_list arguments) {
    for (bool first = true;; first = false) {
        va_list copy;
        va_copy(copy, arguments);
        size_t room = buf.capacity - buf.length;
        char *to = room != 0 ? reinterpret_cast<char *>(buf.data + buf.length) : nullptr;
        int printed = vsnprintf(to, room, format, copy);
        va_end(copy);
        if (printed < 0 || (!first && static_cast<size_t>(printed) >= room))
            return fail_text(POOL_EINVAL, "the C library refuses the format");
        if (static_cast<size_t>(printed) < room) {
            buf.length += static_cast<size_t>(printed);
            return POOL_OK;
        }
        pool_status status = buf_grow(buf, static_cast<size_t>(printed) + 1); // vsnprintf's NUL
        if (status != POOL_OK)
            return status;
    }
}

pool_status buf_resize(pool_buf &buf, size_t length) {
    if (length > buf.length) {
        size_t more = length - buf.length;
        if (!has_room(buf, more))
            if (pool_status status = buf_grow(buf, more))
                return status;
        memset(buf.data + buf.length, 0, more);
    } else if (buf.length > buf.peak) {
        buf.peak = buf.length;
    }
    buf.length = length;
    return POOL_OK;
}

// Memory that is larger than what the tag needs now is freed: kept, it would be handed to those who
// need less, and stay.
pool_status buf_put(pool_buf &buf) {
    BufferPool *pool = pool_of(buf);
    Calibration *calibration = pool->known_calibration(buf.tag);
    if (calibration == nullptr && size_needed(buf) != 0 && pool->live()) {
        calibration = pool->calibration(buf.tag); // without memory for one nothing is learned
        if (calibration != nullptr)
            calibration->note(size_needed(buf));
    }
    if (buf.capacity != 0) {
        uint64_t most = calibration != nullptr ? calibration->surely_kept() : UINT64_MAX;
        bool giant = buf.capacity > most && buf.capacity > pool->capacity(most);
        pool_buffer memory = {buf.data, buf.capacity};
        pool_status status = giant ? pool->drop(memory) : pool->put(memory);
        if (status != POOL_OK)
            return status;
    }
    buf = {};
    return POOL_OK;
}

} // namespace pool
