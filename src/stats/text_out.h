// Text on its way to a write function.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pool/stats.h"

#include <cstddef>
#include <cstdint>

namespace pool {

// Hands it on in pieces of some size.
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
    void add_signed(int64_t number);
    // "0.25" of 250000000, exactly.
    void add_seconds(uint64_t nanoseconds);
    void flush();

private:
    pool_stats_write_fn write_;
    void *ctx_;
    size_t used_ = 0;
    char buffer_[1024];
};

} // namespace pool
