// SPDX-License-Identifier: Apache-2.0
#include "sync/event.h"

#include "platform/clock.h"

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

// Through syscall(), which is no cancellation point: a thread that is to be cancelled does not
// leave a pool's function half done.
void futex_wait(const void *word, uint32_t expected, const timespec *timeout) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, timeout, nullptr, 0);
}

} // namespace

void Event::wait(int64_t deadline) {
    uint32_t before = kClear;
    if (!word_.compare_exchange_strong(before, kSleeping, std::memory_order_acquire) &&
        before == kSet)
        return;
    if (deadline == POOL_FOREVER) {
        while (word_.load(std::memory_order_acquire) == kSleeping)
            futex_wait(&word_, kSleeping, nullptr);
        return;
    }
    int64_t left = deadline - clock_now();
    if (left <= 0)
        return;
    if (clock_is_replaced() && left > kGlance)
        left = kGlance;
    timespec timeout = {static_cast<time_t>(left / 1000000000),
                        static_cast<long>(left % 1000000000)};
    futex_wait(&word_, kSleeping, &timeout);
    (void)word_.load(std::memory_order_acquire);
}

void Event::wake(const Event *event) {
    syscall(SYS_futex, event, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

void Section::lock() {
    mutex_.lock();
    held_ = true;
}

void Section::unlock() {
    held_ = false;
    mutex_.unlock();
    while (due_ > 0)
        Event::wake(sleepers_[--due_]);
}

void Section::wake(Event &event) {
    if (!event.set())
        return;
    if (due_ == kMost)
        Event::wake(sleepers_[--due_]);
    sleepers_[due_++] = &event;
}

} // namespace pool
