// buf_<n>t: n threads, each of which takes a growing buffer, appends 100 bytes ten times, and gives
// it back.
//
// SPDX-License-Identifier: Apache-2.0
#include "buffers/scenarios.h"
#include "buffers/subjects.h"
#include "support/rows.h"
#include "support/team.h"

#include <cstring>

namespace bench {
namespace {

constexpr size_t kBuffers = 200'000; // by each CPU of two
constexpr size_t kChunk = 1'000;
constexpr int kAppends = 10;

const char piece[256] = {};

// Not known when this is compiled.
size_t piece_length() {
    static volatile size_t length = 100;
    return length;
}

// Appends that are compiled into the caller.
void fill_inline(pool_buffers *pool, size_t length) {
    pool_buf buf;
    pool_buf_get_inline(pool, 0, &buf);
    for (int i = 0; i < kAppends; ++i)
        pool_buf_append_inline(&buf, piece, length);
    pool_buf_put(&buf);
}

// What a binding of another language calls.
void fill_by_calls(pool_buffers *pool, size_t length) {
    pool_buf buf;
    pool_buf_get(pool, 0, &buf);
    for (int i = 0; i < kAppends; ++i)
        pool_buf_append(&buf, piece, length);
    pool_buf_put(&buf);
}

// A buffer that doubles by realloc().
void fill_by_malloc(Malloc::Handle, size_t length) {
    size_t used = 0;
    size_t capacity = 0;
    char *data = nullptr;
    for (int i = 0; i < kAppends; ++i) {
        if (capacity - used < length) {
            capacity = 2 * capacity > used + length ? 2 * capacity : used + length;
            data = static_cast<char *>(std::realloc(data, capacity));
        }
        std::memcpy(data + used, piece, length);
        used += length;
    }
    std::free(data);
}

template <class Subject>
void buf(benchmark::State &state, unsigned threads,
         void (*fill)(typename Subject::Handle, size_t)) {
    for (auto _ : state) {
        Subject subject;
        if (subject.problem() != nullptr) {
            state.SkipWithError(subject.problem());
            return;
        }
        const auto handle = subject.handle();
        const size_t length = piece_length();
        state.SetIterationTime(share_among_team(
            threads, threads == 1 ? kBuffers : 2 * kBuffers, kChunk,
            [&](size_t count) {
                for (size_t i = 0; i < count; ++i)
                    fill(handle, length);
            },
            nothing));
    }
}

} // namespace

void register_buf() {
    for (unsigned threads : {1U, 2U, 8U}) {
        const std::string scenario = "buf_" + std::to_string(threads) + "t/";
        add_row(scenario + "pool", buf<Pool>, threads, fill_inline);
        add_row(scenario + "pool_calls", buf<Pool>, threads, fill_by_calls);
        add_row(scenario + "malloc", buf<Malloc>, threads, fill_by_malloc);
    }
}

} // namespace bench
