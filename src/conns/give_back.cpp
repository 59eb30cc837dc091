// What becomes of a connection that its user gives back.
//
// SPDX-License-Identifier: Apache-2.0
#include "conns/conns.h"

#include "platform/clock.h"
#include "platform/status.h"

namespace pool {

// Ends a lease. With `detached` the connection leaves the pool; with a reason it is closed.
pool_status Conns::give_back(Conn *conn, pool_conns_reason reason, void **detached) {
    Section section(mutex_);
    if (conn->state == ConnState::kForeign) {
        foreign_--;
        recycle(conn);
        leave(section);
        return fail(POOL_EFORKED, "the lease belongs to the parent process");
    }
    if (conn->state != ConnState::kLent)
        return fail(POOL_EMISUSE, "the lease has been ended before");
    conn->state = ConnState::kHeld;
    conn->uses++;
    if (detached != nullptr) {
        *detached = conn->handle;
        Key *key = conn->key;
        counters_.detached++;
        in_use_--;
        key->open--;
        recycle(conn);
        forget_if_unused(key);
        serve(section);
    } else {
        const int64_t now = clock_now();
        List<Conn> doomed;
        if (reason == 0)
            reason = past_use(conn, now);
        if (reason != 0)
            doom(conn, reason, &doomed);
        else
            keep(section, conn, now, &doomed);
        retire(section, &doomed);
    }
    leave(section);
    return POOL_OK;
}

// A good connection goes to the first waiter of its key, else to the idle ones.
void Conns::keep(Section &section, Conn *conn, int64_t now, List<Conn> *doomed) {
    Key *key = conn->key;
    ConnWaiter *first = key->waiters.first_live(section, now);
    if (first != nullptr && !starves(section, now, first->ticket)) {
        first->conn = conn;
        finish_wait(section, key, first, Outcome::kServed, now);
        return;
    }
    if (first == nullptr && key->idle_count >= max_idle_per_key_) {
        doom(conn, POOL_CONNS_MAX_IDLE, doomed);
        return;
    }
    make_idle(conn, now);
    serve(section);
    if (max_idle_ != 0 && idle_ > max_idle_)
        doom(by_age_.back()->conn, POOL_CONNS_MAX_IDLE, doomed);
}

// Is there a waiter, older than this one, whose key has no connection that could ever come back?
bool Conns::starves(Section &section, int64_t now, uint64_t before_ticket) {
    if (max_open_ == 0)
        return false;
    for (Key *key = waiting_keys_.front(); key != nullptr; key = waiting_keys_.next(key)) {
        if (key->open != 0)
            continue;
        ConnWaiter *waiter = key->waiters.first_live(section, now);
        if (waiter != nullptr && waiter->ticket < before_ticket)
            return true;
    }
    return false;
}

} // namespace pool
