// SPDX-License-Identifier: Apache-2.0
#include "sync/event.h"

#include "platform/clock.h"
#include "platform/lock.h"
#include "sync/futex.h"

#include <climits>
#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pool {
namespace {

static_assert(sizeof(Event) == sizeof(uint32_t) && sizeof(std::atomic<uint32_t>) == 4);

// A replaced clock may run faster than the one that sleeps, so it is looked at this often, in ns.
constexpr int64_t kGlance = 2000000;

} // namespace

POOL_HOT void futex_wait(const std::atomic<uint32_t> &word, uint32_t expected, int64_t deadline) {
    timespec timeout = {};
    if (deadline != POOL_FOREVER) {
        int64_t left = deadline - clock_now();
        if (left <= 0)
            return;
        if (clock_is_replaced() && left > kGlance)
            left = kGlance;
        timeout = {static_cast<time_t>(left / 1000000000), static_cast<long>(left % 1000000000)};
    }
    // Through syscall(), which is no cancellation point.
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected,
            deadline != POOL_FOREVER ? &timeout : nullptr, nullptr, 0);
}

void futex_wake_all(const std::atomic<uint32_t> *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

POOL_HOT void futex_wake_one(const std::atomic<uint32_t> *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

POOL_HOT void Event::wait(int64_t deadline) {
    uint32_t before = kClear;
    if (!word_.compare_exchange_strong(before, kSleeping, std::memory_order_acquire) &&
        before == kSet)
        return;
    if (deadline == POOL_FOREVER) {
        while (word_.load(std::memory_order_acquire) == kSleeping)
            futex_wait(word_, kSleeping, POOL_FOREVER);
        return;
    }
    futex_wait(word_, kSleeping, deadline);
    (void)word_.load(std::memory_order_acquire);
}

POOL_HOT void Event::wake(const Event *event) {
    futex_wake_one(&event->word_);
}

POOL_HOT void Section::lock() {
    mutex_.lock();
    held_ = true;
}

POOL_HOT void Section::unlock() {
    held_ = false;
    mutex_.unlock();
    while (due_ > 0)
        Event::wake(sleepers_[--due_]);
}

POOL_HOT void Section::wake(Event &event) {
    if (!event.set())
        return;
    if (due_ == kMost)
        Event::wake(sleepers_[--due_]);
    sleepers_[due_++] = &event;
}

} // namespace pool
