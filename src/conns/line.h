// The line of those who wait for a connection of one key: threads in acquire, and requests.
//
// SPDX-License-Identifier: Apache-2.0
//
// A waiter stands on the stack of a thread, or in a request. Everything here happens under the
// pool's lock. A waiter leaves the line exactly once: served, with something in its hands, or
// cancelled, by another thread; or expired or served by itself. So a hand-over and a timeout that
// meet are ordered by the lock: who was served keeps what it was given, and who has left is never
// found. One whose deadline has passed but which has not yet left is told to look, and passed over.
#pragma once

#include "conns/conn.h"
#include "sync/event.h"
#include "sync/waiters.h"

#include <cstdint>

namespace pool {

struct Request;

// It is served with a connection; or, where that is nullptr, with a place: the right to dial.
struct ConnWaiter : Waiter {
    ConnWaiter(int64_t until, int32_t its_priority, bool wants_fresh, int64_t now)
        : Waiter(until), priority(its_priority), fresh(wants_fresh), since(now) {}

    const int32_t priority;
    const bool fresh; // no connection that was idle
    const int64_t since;
    uint64_t ticket = 0;           // who came earlier, across keys
    Request *request = nullptr;    // nullptr: a thread
    int64_t timer = INT64_MAX;     // when it will look by itself, beside its deadline
    pool_status failure = POOL_OK; // why it was cancelled; POOL_OK: the pool was closed
    Conn *conn = nullptr;
    Conn *victim = nullptr; // with a place: to be closed before
};

class Line {
public:
    bool empty() const { return list_.empty(); }

    // Behind those of higher priorities, and behind those of its own unless it comes back.
    void enter(ConnWaiter *waiter, bool again) {
        ConnWaiter *before = list_.back();
        while (before != nullptr && before->priority < waiter->priority + (again ? 1 : 0))
            before = list_.prev(before);
        list_.insert_behind(before, waiter);
    }

    void leave(ConnWaiter *waiter, Outcome outcome) {
        List<ConnWaiter>::remove(waiter);
        if (nudged == waiter)
            nudged = nullptr;
        waiter->outcome = outcome;
    }

    ConnWaiter *first() const { return list_.front(); }
    ConnWaiter *next(const ConnWaiter *waiter) const { return list_.next(waiter); }

    // The first one whose deadline has not passed.
    ConnWaiter *first_live(Section &section, int64_t now) {
        ConnWaiter *waiter = list_.front();
        while (waiter != nullptr && waiter->expired(now)) {
            section.wake(waiter->event);
            waiter = list_.next(waiter);
        }
        return waiter;
    }

    // One that was woken to take what is idle, and has not come to that. Nobody else is woken
    // meanwhile: it will see to that.
    ConnWaiter *nudged = nullptr;

private:
    List<ConnWaiter> list_;
};

} // namespace pool
