// WaiterQueue: threads that wait in line for something that a pool will hand to them.
//
// SPDX-License-Identifier: Apache-2.0
//
// A waiter stands on the stack of the thread that waits. Everything here happens under the lock of
// the pool that owns the line; only the sleep itself does not. A waiter leaves the line in one of
// three ways, each exactly once:
//
//     kServed     another thread took it out and gave it what it came for
//     kCancelled  another thread took it out and gave it nothing
//     kExpired    it took itself out, because its deadline had passed
//
// Since all three need the lock, a hand-over and a timeout that meet are ordered by it: a waiter
// that was served keeps what it was given, and one that has left is never found. A waiter whose
// deadline has passed but which has not yet left is told to look again and is passed over, so it
// never holds up the line.
//
// The lock is held at every call, and again when wait() returns.
#pragma once

#include "platform/clock.h"
#include "platform/list.h"
#include "sync/event.h"

#include <cstddef>
#include <cstdint>
#include <new>

namespace pool {

enum class Outcome : uint8_t { kWaiting, kServed, kCancelled, kExpired };

struct Waiter : ListLink {
    explicit Waiter(int64_t until) : deadline(until) {}

    bool expired(int64_t now) const { return deadline != POOL_FOREVER && now >= deadline; }

    const int64_t deadline;
    Outcome outcome = Outcome::kWaiting;
    Event event;
};

// W derives from Waiter.
template <class W>
class WaiterQueue {
public:
    bool empty() const { return list_.empty(); }
    size_t size() const { return size_; }

    // The one who has waited longest, among those whose deadline has not passed.
    W *first_live(Section &section, int64_t now) {
        W *waiter = list_.front();
        while (waiter != nullptr && waiter->expired(now)) {
            section.wake(waiter->event);
            waiter = list_.next(waiter);
        }
        return waiter;
    }

    // The one who has waited longest, whatever its deadline.
    W *first() const { return list_.front(); }

    // Take a waiter out and let it go on; what it is given must have been stored before.
    void finish(Section &section, W *waiter, Outcome outcome) {
        remove(waiter);
        waiter->outcome = outcome;
        section.wake(waiter->event);
    }

    // Stand in line until another thread finishes the waiter or its deadline passes; `again`: in front,
    // since it was there before.
    Outcome wait(Section &section, W &waiter, bool again = false) {
        again ? list_.push_front(&waiter) : list_.push_back(&waiter);
        size_++;
        while (waiter.outcome == Outcome::kWaiting) {
            if (waiter.expired(waiter.deadline != POOL_FOREVER ? clock_now() : 0)) {
                remove(&waiter);
                waiter.outcome = Outcome::kExpired;
                break;
            }
            waiter.event.clear();
            section.unlock();
            waiter.event.wait(waiter.deadline);
            section.lock();
        }
        return waiter.outcome;
    }

    // For a waiter that sleeps by rules of its own: in line, and out of it.
    void enter(W *waiter) {
        list_.push_back(waiter);
        size_++;
    }
    void leave(W *waiter) { remove(waiter); }

    // In the child after fork: the waiters, and the stacks they stood on, are gone.
    void forget_all() {
        new (&list_) List<W>;
        size_ = 0;
    }

private:
    void remove(W *waiter) {
        List<W>::remove(waiter);
        size_--;
    }

    List<W> list_;
    size_t size_ = 0;
};

} // namespace pool
