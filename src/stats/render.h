// A snapshot as text for people, as JSON, and in Prometheus' text exposition format.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pool/stats.h"
#include "stats/snapshot.h"

#include <cstddef>

namespace pool {

// Text on its way to a write function, in pieces of some size.
class TextOut {
public:
    TextOut(pool_stats_write_fn write, void *ctx) : write_(write), ctx_(ctx) {}
    ~TextOut() = default;
    TextOut(const TextOut &) = delete;
    TextOut &operator=(const TextOut &) = delete;

    void add(const char *text, size_t length);
    void add(const char *text);
    void add(char character) { add(&character, 1); }
    void add_number(uint64_t number);
    void add_value(const Field &field, int64_t value);
    void flush();

private:
    pool_stats_write_fn write_;
    void *ctx_;
    size_t used_ = 0;
    char buffer_[1024];
};

using RenderFn = void (*)(const Snapshot &snapshot, TextOut &out);

// nullptr for a format that does not exist.
RenderFn renderer(pool_stats_format format);

} // namespace pool
