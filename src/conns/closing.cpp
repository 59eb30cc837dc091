// How connections are closed, and how the pool is.
//
// SPDX-License-Identifier: Apache-2.0
//
// A connection that must go is doomed under the lock, which puts it into a list of the calling
// thread; retire() closes what is in that list without the lock.
#include "conns/conns.h"

#include "platform/clock.h"
#include "platform/status.h"
#include "sync/callback.h"

#include <cinttypes>

namespace pool {

// Why a connection may not be lent again; 0 if it may.
pool_conns_reason Conns::past_use(const Conn *conn, int64_t now) const {
    if (pool_conns_reason reason = unwanted(conn))
        return reason;
    return now >= conn->expires_at ? POOL_CONNS_MAX_LIFETIME : 0;
}

int64_t Conns::idle_until(const Conn *conn) const {
    int64_t until;
    if (idle_timeout_ == POOL_CONNS_NONE ||
        __builtin_add_overflow(conn->idle_since, idle_timeout_, &until))
        return INT64_MAX;
    return until;
}

// It keeps its place until it is retired, or until the place is taken over.
void Conns::doom(Conn *conn, pool_conns_reason reason, List<Conn> *doomed) {
    if (conn->state == ConnState::kIdle)
        unlink_idle(conn);
    else
        List<Conn>::remove(conn);
    conn->reason = reason;
    doomed->push_back(conn);
}

void Conns::doom_all_idle(pool_conns_reason reason, List<Conn> *doomed) {
    keys_.for_each([&](Key *key) {
        while (Conn *conn = key->idle.front())
            doom(conn, reason, doomed);
    });
}

// Doom what has been idle or alive for too long.
void Conns::expire(Key *key, int64_t now, List<Conn> *doomed) {
    if (now < key->due)
        return;
    key->due = INT64_MAX;
    for (Conn *next, *conn = key->idle.front(); conn != nullptr; conn = next) {
        next = key->idle.next(conn);
        int64_t until = idle_until(conn);
        if (now >= conn->expires_at)
            doom(conn, POOL_CONNS_MAX_LIFETIME, doomed);
        else if (now >= until)
            doom(conn, POOL_CONNS_IDLE_TIMEOUT, doomed);
        else {
            int64_t due = conn->expires_at < until ? conn->expires_at : until;
            if (due < key->due)
                key->due = due;
        }
    }
}

// Close them, and let others have the places that have not been taken over.
void Conns::retire(Section &section, List<Conn> *doomed) {
    const unsigned forks = forks_;
    while (Conn *conn = doomed->pop_front()) {
        void *handle = conn->handle;
        conn->handle = no_handle();
        section.unlock();
        {
            CancellationOff off;
            call_contained("a close callback", [&] { close_(handle, conn->reason, ctx_); });
        }
        section.lock();
        if (forks_ != forks) // the callback has forked, and this is the child
            return;
        if (Key *key = conn->key) {
            closed_by_[conn->reason]++;
            in_use_--;
            key->open--;
            forget_if_unused(key);
        }
        recycle(conn);
        serve(section);
    }
}

void Conns::recycle(Conn *conn) {
    if (conn->linked())
        List<Conn>::remove(conn);
    conn->state = ConnState::kSpare;
    conn->key = nullptr;
    conn->handle = no_handle();
    spare_.push_front(conn);
}

// ---- keys -----------------------------------------------------------------------------------

void Conns::forget_if_unused(Key *key) {
    if (key->open != 0 || !key->waiters.empty())
        return;
    keys_.remove(key);
    forgotten_.push_back(key);
}

void Conns::free_key(Key *key) {
    size_t bytes = sizeof(Key) + key->length;
    key->~Key();
    memory_.free(key, bytes, alignof(Key));
}

// The lock is let go meanwhile.
void Conns::free_forgotten(Section &section) {
    List<Key> keys;
    while (Key *key = forgotten_.pop_front())
        keys.push_back(key);
    section.unlock();
    while (Key *key = keys.pop_front())
        free_key(key);
    section.lock();
}

// ---- clearing, closing, the end -------------------------------------------------------------

pool_status Conns::clear() {
    Section section(mutex_);
    if (closed_)
        return fail(POOL_ECLOSED, "pool '%s' is closed", name_);
    generation_++;
    List<Conn> doomed;
    doom_all_idle(POOL_CONNS_CLEARED, &doomed);
    retire(section, &doomed);
    return POOL_OK;
}

pool_status Conns::reap() {
    Section section(mutex_);
    if (closed_)
        return fail(POOL_ECLOSED, "pool '%s' is closed", name_);
    const int64_t now = clock_now();
    List<Conn> doomed;
    keys_.for_each([&](Key *key) { expire(key, now, &doomed); });
    retire(section, &doomed);
    free_forgotten(section);
    return POOL_OK;
}

void Conns::shut(Section &section) {
    closed_ = true;
    const int64_t now = clock_now();
    while (Key *key = waiting_keys_.front()) {
        while (ConnWaiter *waiter = key->waiters.first())
            finish_wait(section, key, waiter, Outcome::kCancelled, now);
        forget_if_unused(key);
    }
    List<Conn> doomed;
    doom_all_idle(POOL_CONNS_POOL_CLOSED, &doomed);
    retire(section, &doomed);
}

pool_status Conns::close(int64_t timeout, uint64_t *still_out) {
    const int64_t deadline = deadline_after(timeout);
    Section section(mutex_);
    shut(section);
    if (in_use_ + dialing_ > 0) {
        Waiter waiter(deadline);
        drained_.wait(section, waiter);
    }
    // A thread that dials, or that checks or closes a connection, counts as one that has a lease.
    const uint64_t out = in_use_ + dialing_;
    if (still_out != nullptr)
        *still_out = out;
    if (out == 0)
        return POOL_OK;
    return fail(POOL_ETIMEDOUT, "pool '%s' is closed, but %" PRIu64 " connections are still out",
                name_, out);
}

void Conns::destroy() {
    unregister_pool(&entry_);
    Section section(mutex_);
    destroyed_ = true;
    shut(section);
    leave(section);
}

// The last thing that a call does which may have given back a place. Whoever gives back the last
// one of a destroyed pool ends it; nobody else may touch the pool behind this.
void Conns::leave(Section &section) {
    if (!destroyed_ || open() != 0)
        return;
    const bool free_ctx = !callbacks_over_ && ctx_free_ != nullptr;
    const bool last = foreign_ == 0;
    const auto ctx_free = ctx_free_;
    void *const ctx = ctx_;
    callbacks_over_ = true;
    section.unlock();
    if (free_ctx)
        call_contained("ctx_free of a connection pool", [=] { ctx_free(ctx); });
    if (last)
        free_everything();
}

void Conns::free_everything() {
    if (watching_forks_)
        unwatch_fork(&fork_);
    while (Key *key = forgotten_.pop_front())
        free_key(key);
    for (Conn *before, *conn = made_.load(std::memory_order_relaxed); conn != nullptr;
         conn = before) {
        before = conn->made_before;
        memory_.destroy(conn);
    }
    KeyTable::Buckets buckets = keys_.buckets();
    if (buckets.array != nullptr)
        memory_.free(buckets.array, buckets.count * sizeof(Key *), alignof(Key *));
    dispose_(this);
}

} // namespace pool
