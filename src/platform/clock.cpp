// SPDX-License-Identifier: Apache-2.0
#include "platform/clock.h"

#include <atomic>
#include <ctime>

namespace pool {
namespace {

// Replaced only while no other thread uses the library, so the two words need no common order.
std::atomic<pool_clock_fn> replacement{nullptr};
std::atomic<void *> replacement_ctx{nullptr};

int64_t read_clock(clockid_t id) {
    pool_clock_fn clock = replacement.load(std::memory_order_relaxed);
    if (clock != nullptr)
        return clock(replacement_ctx.load(std::memory_order_relaxed));
    timespec now;
    clock_gettime(id, &now);
    return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

} // namespace

int64_t clock_now() {
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_now_coarse() {
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

bool clock_is_replaced() {
    return replacement.load(std::memory_order_relaxed) != nullptr;
}

void set_clock(pool_clock_fn clock, void *ctx) {
    replacement_ctx.store(ctx, std::memory_order_relaxed);
    replacement.store(clock, std::memory_order_relaxed);
}

int64_t deadline_after(int64_t timeout) {
    if (timeout == POOL_FOREVER)
        return POOL_FOREVER;
    int64_t deadline;
    if (__builtin_add_overflow(clock_now(), timeout, &deadline))
        return POOL_FOREVER;
    return deadline;
}

} // namespace pool
