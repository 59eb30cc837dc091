// Growable buffers: the functions behind pool/buf.h.
//
// SPDX-License-Identifier: Apache-2.0
//
// A pool_buf is the user's; it holds one buffer of its pool, or none. Growing takes a larger one,
// moves what is in use, and gives the old one back, so everything that a pool does for its buffers
// holds for these too.
//
// Invariants:   length <= capacity;  data == nullptr exactly if capacity == 0
#pragma once

#include "buffers/buffer_pool.h"
#include "pool/buf.h"

#include <cstdarg>
#include <cstring>

namespace pool {

inline BufferPool *pool_of(const pool_buf &buf) {
    return reinterpret_cast<BufferPool *>(buf.pool);
}

inline bool has_room(const pool_buf &buf, size_t n) {
    return n <= buf.capacity - buf.length;
}

inline uint64_t size_needed(const pool_buf &buf) {
    return buf.peak > buf.length ? buf.peak : buf.length;
}

// The size is noted before the put: that of the last buffer ends a released pool.
POOL_ALWAYS_INLINE bool buf_put_fast(pool_buf &buf, Calibration &calibration) {
    int32_t ok;
    calibration.note(size_needed(buf));
    if (buf.capacity > calibration.surely_kept() ||
        !pool_of(buf)->put_fast({buf.data, buf.capacity}, &ok))
        return false;
    buf.data = nullptr;
    buf.length = buf.capacity = buf.peak = 0;
    buf.pool = nullptr;
    return true;
}

// The slow ways. All leave the buffer as it was when they fail.
pool_status buf_grow(pool_buf &buf, size_t n);
pool_status buf_append(pool_buf &buf, const void *data, size_t n);
pool_status buf_append_format(pool_buf &buf, const char *format, va_list arguments);
pool_status buf_resize(pool_buf &buf, size_t length);
// The fast way has noted the size, if the tag had a calibration.
pool_status buf_put(pool_buf &buf);
pool_status buf_read(pool_buf &buf, int fd, size_t most, size_t *got);
pool_status buf_read_all(pool_buf &buf, int fd, size_t *got);
pool_status buf_write(const pool_buf &buf, size_t from, int fd, size_t *written);

} // namespace pool
