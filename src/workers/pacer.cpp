// SPDX-License-Identifier: Apache-2.0
#include "workers/pacer.h"

#include "platform/clock.h"
#include "platform/status.h"

namespace pool {
namespace {

int64_t earlier(int64_t a, int64_t b) {
    if (a == POOL_FOREVER || b == POOL_FOREVER)
        return a == POOL_FOREVER ? b : a;
    return a < b ? a : b;
}

} // namespace

// The first in line may start as soon as the distance is kept; those behind it wait to be first.
pool_status Pacer::wait(int64_t timeout) {
    const int64_t deadline = deadline_after(timeout);
    Section section(mutex_);
    Waiter waiter(deadline);
    waiters_.enter(&waiter);
    pool_status status = POOL_OK;
    for (;;) {
        if (stopped_) {
            status = fail(POOL_ECLOSED, "the pacer is stopped");
            break;
        }
        const int64_t now = clock_now();
        const bool first = waiters_.first() == &waiter;
        const int64_t due = last_ == INT64_MIN ? now : last_ + distance_;
        if (first && !paused_ && now >= due) {
            last_ = now;
            break;
        }
        if (waiter.expired(now)) {
            status = fail(POOL_ETIMEDOUT, "the next start is later");
            break;
        }
        const int64_t until = first && !paused_ ? earlier(due, deadline) : deadline;
        waiter.event.clear();
        section.unlock();
        waiter.event.wait(until);
        section.lock();
    }
    waiters_.leave(&waiter);
    if (Waiter *next = waiters_.first())
        section.wake(next->event);
    return status;
}

pool_status Pacer::pause() {
    Section section(mutex_);
    paused_ = true;
    return POOL_OK;
}

pool_status Pacer::resume() {
    Section section(mutex_);
    paused_ = false;
    if (Waiter *first = waiters_.first())
        section.wake(first->event);
    return POOL_OK;
}

void Pacer::stop() {
    Section section(mutex_);
    stopped_ = true;
    if (Waiter *first = waiters_.first())
        section.wake(first->event); // each wakes the next one
}

} // namespace pool
