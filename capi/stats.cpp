// pool/stats.h: argument checks and the exception barrier. The work is in src/stats.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/stats.h"

#include "platform/status.h"
#include "stats/render.h"

#include <cstring>
#include <cxxabi.h>

using pool::fail;
using pool::fail_text;

namespace {

// POOL_EINVAL, POOL_ENOMEM or POOL_OK; what `write` throws goes on.
pool_status render(pool_stats_format format, pool_stats_write_fn write, void *ctx) {
    pool::RenderFn renderer = pool::renderer(format);
    if (renderer == nullptr)
        return fail(POOL_EINVAL, "there is no statistics format %d", format);
    pool::Snapshot snapshot;
    if (!snapshot.read())
        return fail_text(POOL_ENOMEM, "no memory for the statistics");
    pool::TextOut out(write, ctx);
    renderer(snapshot, out);
    out.flush();
    return POOL_OK;
}

struct Cut {
    char *buffer;
    size_t length;
    size_t full;
};

void copy_cut(const char *text, size_t length, void *ctx) {
    auto *cut = static_cast<Cut *>(ctx);
    if (cut->full < cut->length) {
        size_t room = cut->length - cut->full;
        memcpy(cut->buffer + cut->full, text, length < room ? length : room);
    }
    cut->full += length;
}

} // namespace

pool_status pool_stats_write(pool_stats_format format, pool_stats_write_fn write, void *ctx) {
    if (write == nullptr)
        return fail_text(POOL_EINVAL, "write is NULL");
    try {
        return render(format, write, ctx);
    } catch (abi::__forced_unwind &) {
        throw;
    } catch (...) {
        return fail_text(POOL_ECANCELED, "the write callback threw an exception");
    }
}

size_t pool_stats_text(pool_stats_format format, char *buffer, size_t length) {
    Cut cut = {buffer, buffer != nullptr ? length : 0, 0};
    if (cut.length != 0)
        buffer[0] = '\0';
    if (render(format, copy_cut, &cut) != POOL_OK)
        return 0;
    if (cut.length != 0)
        buffer[cut.full < cut.length ? cut.full : cut.length - 1] = '\0';
    return cut.full;
}
