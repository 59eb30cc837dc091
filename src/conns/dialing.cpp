// Places to dial, dialing, and backing off from a key whose dials fail.
//
// SPDX-License-Identifier: Apache-2.0
//
// A place is the right to dial. It counts as an open connection of its key from the moment it is
// given out, so however long the dials take, the bounds hold.
#include "conns/conns.h"

#include "conns/key_text.h"
#include "platform/clock.h"
#include "platform/status.h"
#include "sync/callback.h"

#include <cinttypes>
#include <cstdio>

namespace pool {
namespace {

int64_t later(int64_t now, int64_t span) {
    int64_t sum;
    return __builtin_add_overflow(now, span, &sum) ? INT64_MAX : sum;
}

} // namespace

// ---- places ---------------------------------------------------------------------------------

// While the key's last dial has failed, one at a time is enough to see whether the next one does.
bool Conns::may_dial_now(const Key *key, int64_t now) const {
    if (now < key->not_before || (key->fails_in_a_row != 0 && key->dialing != 0))
        return false;
    return now_.max_dials == 0 || dialing_ < now_.max_dials;
}

// Is there a place for the key, if need be that of an idle connection?
bool Conns::may_dial(Key *key, int64_t now, bool fresh) {
    if (!may_dial_now(key, now))
        return false;
    if (key->open >= now_.max_open_per_key)
        return fresh && key->open == now_.max_open_per_key && has_idle(key);
    return now_.max_open == 0 || open() < now_.max_open || evictable();
}

// An idle connection of any key may have to go for one that is wanted.
bool Conns::evictable() {
    if (open() != now_.max_open)
        return false; // the bound was lowered: there are too many anyhow
    if (idle_ == 0)
        gather_all();
    return idle_ > 0;
}

// A place for the key. If an idle connection had to make room it is in `doomed`, and must be closed
// first.
bool Conns::take_place(Key *key, int64_t now, bool fresh, ConnList *doomed) {
    if (!may_dial(key, now, fresh))
        return false;
    Conn *victim = nullptr;
    if (key->open >= now_.max_open_per_key) {
        victim = key->idle.back();
    } else if (now_.max_open != 0 && open() >= now_.max_open) {
        gather_all(); // the oldest may lie in the front
        victim = static_cast<Conn *>(by_age_.back());
    } else {
        claim_place(key);
        return true;
    }
    doom(victim, POOL_CONNS_MAX_IDLE, doomed);
    take_over(victim, key);
    return true;
}

void Conns::claim_place(Key *key) {
    dialing_++;
    key->dialing++;
    key->open++;
}

// The place of a doomed connection becomes a place for the key.
void Conns::take_over(Conn *conn, Key *key) {
    Key *before = conn->key;
    conn->key = nullptr;
    closed_by_[conn->reason]++;
    out_--;
    before->open--;
    claim_place(key);
    forget_if_unused(before);
}

void Conns::drop_place(Turn &turn, Key *key) {
    dialing_--;
    key->dialing--;
    key->open--;
    key->pins++;
    serve(turn, key);
    serve_all(turn);
    key->pins--;
    forget_if_unused(key);
}

// ---- dialing --------------------------------------------------------------------------------

// nullptr if there is no memory. The lock may be let go meanwhile.
Conn *Conns::new_record(Turn &turn) {
    Conn *conn = records_.take();
    if (conn != nullptr)
        return conn;
    const uint32_t count = records_.next_count();
    turn.unlock();
    Records::Block *block = Records::make(memory_, count, this, no_handle());
    turn.lock();
    if (block != nullptr) {
        records_.add(block);
        if (!Front::suits(block)) {
            front_suits_ = false;
            tend_front();
        }
    }
    return records_.take();
}

// Use a place of the key. If it fails the place is free again.
pool_status Conns::dial(Turn &turn, Key *key, int64_t deadline, Conn **out) {
    const unsigned forks = forks_;
    if (closed_) {
        drop_place(turn, key);
        return fail(POOL_ECLOSED, "pool '%s' is closed", name_);
    }
    const int64_t now = clock_now();
    if (deadline != POOL_FOREVER && now >= deadline) {
        pool_status status = time_out(key);
        drop_place(turn, key); // last: the key may go with it
        return status;
    }
    Conn *conn = new_record(turn);
    if (conn == nullptr) {
        drop_place(turn, key);
        return fail(POOL_ENOMEM, "pool '%s': no memory for a connection", name_);
    }
    int64_t until = deadline;
    if (now_.connect_timeout != POOL_CONNS_NONE) {
        int64_t limit = later(now, now_.connect_timeout);
        if (deadline == POOL_FOREVER || limit < deadline)
            until = limit;
    }
    conn->key = key;
    conn->state = ConnState::kHeld;
    conn->uses.store(0, std::memory_order_relaxed);
    conn->generation.store(generation_.load(std::memory_order_relaxed), std::memory_order_relaxed);
    conn->idle_since.store(0, std::memory_order_relaxed);
    conn->lent_at.store(0, std::memory_order_relaxed);
    key->busy.push_back(conn);
    counters_.dials++;
    key->dials++;
    turn.unlock();
    pool_status status = call_dial(turn, key, until, conn);
    const bool refused =
        status == POOL_OK && !call_hook(options_.after_connect, conn, "after_connect");
    if (refused) {
        void *handle = conn->handle;
        conn->handle = no_handle();
        close_one(handle, POOL_CONNS_INVALID);
        status = fail(POOL_EBAD, "after_connect refused the connection");
    }
    char *text = nullptr;
    if (status != POOL_OK) // for the key, if it has none
        text = static_cast<char *>(memory_.alloc(kFailureBytes, 1 * alignof(void *)));
    turn.lock();
    if (forks_ != forks)
        return fail(POOL_EFORKED, "a callback of this acquire forked, and this is the child");
    const int64_t done = clock_now();
    dials_.add(done - now);
    if (status == POOL_OK) {
        dialing_--;
        key->dialing--;
        out_++;
        const bool had_failed = key->fails_in_a_row != 0;
        key->fails_in_a_row = 0;
        key->not_before = 0;
        if (had_failed) // until now one at a time was enough
            serve(turn, key);
        serve_all(turn);
        counters_.dial_time += static_cast<uint64_t>(done - now);
        conn->dialed_at = done;
        set_expiry(conn);
        *out = conn;
        return POOL_OK;
    }
    if (text != nullptr && key->failure_text == nullptr) {
        key->failure_text = text;
        text = nullptr;
    }
    if (!built_in_ && !refused)
        fail(status, "pool '%s': the dial callback failed with %d for key '%s'", name_, status,
             KeyText(key).text);
    else if (deadline != POOL_FOREVER && done >= deadline)
        status =
            fail(POOL_ETIMEDOUT, "the timeout passed while '%s' was dialed", KeyText(key).text);
    if (key->failure_text != nullptr)
        snprintf(key->failure_text, kFailureBytes, "%s", last_error_text());
    drop_dial(turn, key, conn, status);
    if (text != nullptr) {
        turn.unlock();
        memory_.free(text, kFailureBytes, alignof(void *));
        turn.lock();
    }
    return status;
}

// The last error says why, and must still do so behind this.
void Conns::drop_dial(Turn &turn, Key *key, Conn *conn, pool_status status) {
    counters_.dial_fails++;
    key->dial_fails++;
    recycle(conn);
    back_off(key, status, clock_now());
    if ((options_.flags & POOL_CONNS_FAIL_FAST) != 0)
        while (ConnWaiter *waiter = key->line.first()) {
            waiter->failure = status;
            counters_.backed_off++;
            finish_wait(turn, key, waiter, Outcome::kCancelled, clock_now());
        }
    drop_place(turn, key);
}

// Each failure in a row doubles the time to the next dial, up to a bound. Half of it at least, the
// rest by chance: those who share a server come back one after the other.
void Conns::back_off(Key *key, pool_status status, int64_t now) {
    key->last_failure = status;
    key->fails_in_a_row++;
    if (options_.dial_backoff == POOL_CONNS_NONE)
        return;
    int64_t span = options_.dial_backoff;
    for (uint32_t i = 1; i < key->fails_in_a_row && span < options_.dial_backoff_max; i++)
        span = span > INT64_MAX / 2 ? INT64_MAX : 2 * span;
    if (span > options_.dial_backoff_max)
        span = options_.dial_backoff_max;
    span -= static_cast<int64_t>(random() % static_cast<uint64_t>(span / 2 + 1));
    key->not_before = later(now, span);
}

POOL_CATCHES_FORCED_UNWIND pool_status Conns::call_dial(Turn &turn, Key *key, int64_t deadline,
                                                        Conn *conn) {
    try {
        return options_.dial(key->bytes(), key->length, deadline, &conn->handle, options_.ctx);
    } catch (abi::__forced_unwind &) {
        // The callback ends this thread. What it has dialed is lost, its place is not.
        turn.lock();
        if (conn->key == key)
            drop_dial(turn, key, conn, POOL_EDIAL);
        turn.unlock();
        throw;
    } catch (...) {
        return fail(POOL_EDIAL, "the dial callback threw an exception");
    }
}

uint64_t Conns::random() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return random_;
}

} // namespace pool
