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

// It keeps its place until it is retired, or until the place is taken over.
void Conns::doom(Conn *conn, pool_conns_reason reason, ConnList *doomed) {
    if (conn->state == ConnState::kIdle)
        unlink_idle(conn);
    else
        ConnList::remove(conn);
    conn->state = ConnState::kHeld;
    conn->reason = static_cast<uint8_t>(reason != kRefused ? reason : POOL_CONNS_INVALID);
    doomed->push_back(conn);
}

void Conns::doom_all_idle(pool_conns_reason reason, ConnList *doomed) {
    gather_all();
    keys_.for_each([&](Key *key) {
        while (Conn *conn = key->idle.front())
            doom(conn, reason, doomed);
    });
}

// Those that min_idle asks for do not go for being idle.
bool Conns::is_kept_ready(const Key *key) const {
    return key == home_ && key->idle_count <= now_.min_idle.load(std::memory_order_relaxed);
}

// Doom what has been idle or alive for too long. Of those that were idle for long, the last ones in
// the list were so for longest.
void Conns::expire(Key *key, int64_t now, ConnList *doomed) {
    if (now < key->due.load(std::memory_order_relaxed))
        return;
    int64_t first = INT64_MAX;
    for (Conn *next, *conn = key->idle.back(); conn != nullptr; conn = next) {
        next = key->idle.prev(conn);
        int64_t until = idle_until(conn->idle_since.load(std::memory_order_relaxed));
        const int64_t end = conn->expires.load(std::memory_order_relaxed);
        if (now >= end)
            doom(conn, POOL_CONNS_MAX_LIFETIME, doomed);
        else if (now >= until && !is_kept_ready(key))
            doom(conn, POOL_CONNS_IDLE_TIMEOUT, doomed);
        else {
            int64_t due = end < until ? end : until;
            if (due < first)
                first = due;
        }
    }
    key->due.store(first, std::memory_order_relaxed);
}

void Conns::close_one(void *handle, pool_conns_reason reason) {
    CancellationOff off;
    if (options_.before_close != nullptr)
        call_contained("a before_close callback",
                       [&] { options_.before_close(handle, reason, options_.ctx); });
    call_contained("a close callback", [&] { options_.close(handle, reason, options_.ctx); });
}

// Close them, and let others have the places that have not been taken over.
void Conns::retire(Turn &turn, ConnList *doomed) {
    const unsigned forks = forks_;
    while (Conn *conn = doomed->pop_front()) {
        void *handle = conn->handle;
        conn->handle = no_handle();
        turn.unlock();
        close_one(handle, conn->reason);
        turn.lock();
        if (forks_ != forks) // the callback has forked, and this is the child
            return;
        Key *key = conn->key;
        if (key != nullptr) {
            closed_by_[conn->reason]++;
            out_--;
            key->open--;
        }
        recycle(conn);
        if (key != nullptr) {
            key->pins++;
            serve(turn, key);
            serve_all(turn);
            key->pins--;
            if (overfull_)
                look_for_overfull();
            if (key == home_ && now_.min_idle != 0)
                crew_.poke(turn);
            tend_front();
            forget_if_unused(key);
        }
    }
}

void Conns::recycle(Conn *conn) {
    if (ConnList::listed(conn))
        ConnList::remove(conn);
    past_uses_ += conn->uses.load(std::memory_order_relaxed);
    conn->uses.store(0, std::memory_order_relaxed);
    conn->state = ConnState::kSpare;
    conn->key = nullptr;
    conn->handle = no_handle();
    records_.give_back(conn);
}

// ---- keys -----------------------------------------------------------------------------------

// One that is backing off stays for a while, or its next dial would not know.
void Conns::forget_if_unused(Key *key) {
    if (key->open != 0 || key->pins != 0 || !key->line.empty())
        return;
    if (key->not_before != 0 && !closed_)
        return;
    keys_.remove(key);
    forgotten_.push_back(key);
}

void Conns::free_key(Key *key) {
    if (key->failure_text != nullptr)
        memory_.free(key->failure_text, kFailureBytes, alignof(void *));
    size_t bytes = Key::size_for(key->length);
    key->~Key();
    memory_.free(key, bytes, alignof(Key));
}

// Those whose last dial failed long ago have nothing to remember.
void Conns::forget_old_failures(int64_t now) {
    keys_.for_each([&](Key *key) {
        if (key->not_before != 0 && now - key->not_before >= options_.dial_backoff_max) {
            key->not_before = 0;
            key->fails_in_a_row = 0;
            forget_if_unused(key);
        }
    });
}

// The lock is let go meanwhile.
void Conns::free_forgotten(Turn &turn) {
    List<Key> keys;
    while (Key *key = forgotten_.pop_front())
        keys.push_back(key);
    if (keys.empty())
        return;
    turn.unlock();
    while (Key *key = keys.pop_front())
        free_key(key);
    turn.lock();
}

// ---- clearing -------------------------------------------------------------------------------

pool_status Conns::clear() {
    Turn turn(mutex_, this);
    if (closed_)
        return fail(POOL_ECLOSED, "pool '%s' is closed", name_);
    // release: a fast acquire that sees a connection made from now on sees the new number.
    uint32_t next = generation_.load(std::memory_order_relaxed) + 1;
    generation_.store(next != 0 ? next : 1, std::memory_order_release);
    ConnList doomed;
    doom_all_idle(POOL_CONNS_CLEARED, &doomed);
    keys_.for_each([this](Key *key) {
        key->not_before = 0;
        key->fails_in_a_row = 0;
        forget_if_unused(key);
    });
    serve_everybody(turn);
    retire(turn, &doomed);
    return POOL_OK;
}

pool_status Conns::clear_key(const Wanted &wanted) {
    Turn turn(mutex_, this);
    if (closed_)
        return fail(POOL_ECLOSED, "pool '%s' is closed", name_);
    Key *key = find(wanted);
    if (key == nullptr)
        return POOL_OK;
    gather(key);
    for (Conn *conn = key->busy.front(); conn != nullptr; conn = key->busy.next(conn))
        conn->generation.store(0, std::memory_order_relaxed);
    ConnList doomed;
    while (Conn *conn = key->idle.front())
        doom(conn, POOL_CONNS_CLEARED, &doomed);
    key->not_before = 0;
    key->fails_in_a_row = 0;
    key->pins++;
    serve(turn, key);
    retire(turn, &doomed);
    key->pins--;
    forget_if_unused(key);
    return POOL_OK;
}

pool_status Conns::close_idle() {
    Turn turn(mutex_, this);
    if (closed_)
        return fail(POOL_ECLOSED, "pool '%s' is closed", name_);
    ConnList doomed;
    doom_all_idle(POOL_CONNS_CLEARED, &doomed);
    retire(turn, &doomed);
    return POOL_OK;
}

pool_status Conns::reap() {
    Turn turn(mutex_, this);
    if (closed_)
        return fail(POOL_ECLOSED, "pool '%s' is closed", name_);
    const int64_t now = clock_now();
    ConnList doomed;
    gather_all();
    keys_.for_each([&](Key *key) { expire(key, now, &doomed); });
    forget_old_failures(now);
    retire(turn, &doomed);
    free_forgotten(turn);
    return POOL_OK;
}

// ---- closing, the end -----------------------------------------------------------------------

void Conns::shut(Turn &turn) {
    closed_ = true;
    front_.turn_off();
    crew_.wake_all(); // there is nothing to do any more
    const int64_t now = clock_now();
    while (Key *key = waiting_keys_.front()) {
        while (ConnWaiter *waiter = key->line.first())
            finish_wait(turn, key, waiter, Outcome::kCancelled, now);
        forget_if_unused(key);
    }
    keys_.for_each([this](Key *key) { forget_if_unused(key); }); // that were backing off
    ConnList doomed;
    doom_all_idle(POOL_CONNS_POOL_CLOSED, &doomed);
    retire(turn, &doomed);
}

// The callers of close wait for leases, and for threads that dial, check or close a connection.
void Conns::tell_drained(Turn &turn) {
    if (out_ + dialing_ == 0)
        while (Waiter *waiter = drained_.first())
            drained_.finish(turn, waiter, Outcome::kServed);
}

pool_status Conns::close(int64_t timeout, uint64_t *still_out) {
    const int64_t deadline = deadline_after(timeout);
    Turn turn(mutex_, this);
    say_goodbye_to_abandoned(turn);
    shut(turn);
    if (out_ + dialing_ > 0) {
        turn.unlock(); // tells the requests that have ended
        turn.lock();
        Waiter waiter(deadline);
        if (out_ + dialing_ > 0)
            drained_.wait(turn, waiter);
    }
    const uint64_t out = out_ + dialing_;
    if (still_out != nullptr)
        *still_out = out;
    if (out == 0)
        return POOL_OK;
    return fail(POOL_ETIMEDOUT, "pool '%s' is closed, but %" PRIu64 " connections are still out",
                name_, out);
}

pool_status Conns::destroy() {
    if (crew_.on_own_thread())
        return fail(POOL_EDEADLK, "pool '%s' cannot be destroyed by one of its own threads", name_);
    unregister_pool(&entry_);
    Turn turn(mutex_, this);
    say_goodbye_to_abandoned(turn);
    shut(turn);
    crew_.stop(turn);
    destroyed_ = true;
    leave(turn);
    return POOL_OK;
}

// The last thing that a call does which may have given back a place. Whoever gives back the last
// one of a destroyed pool ends it; nobody else may touch the pool behind this, but for its gate.
void Conns::leave(Turn &turn) {
    if (!destroyed_ || open() != 0)
        return;
    const bool free_ctx = !callbacks_over_ && options_.ctx_free != nullptr;
    const bool last = foreign_ == 0 && requests_ == 0;
    const auto ctx_free = options_.ctx_free;
    void *const ctx = options_.ctx;
    callbacks_over_ = true;
    if (last)
        gate_.serial++;
    turn.unlock();
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
    if (home_ != nullptr)
        free_key(home_);
    records_.free_all(memory_);
    front_.free_tables(memory_);
    KeyTable::Buckets buckets = keys_.buckets();
    if (buckets.array != nullptr)
        memory_.free(buckets.array, buckets.count * sizeof(Key *), alignof(Key *));
    dispose_(this);
}

} // namespace pool
