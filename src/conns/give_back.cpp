// What becomes of a connection that its user gives back.
//
// SPDX-License-Identifier: Apache-2.0
#include "conns/conns.h"

#include "platform/clock.h"
#include "platform/config.h"
#include "platform/status.h"
#include "sync/callback.h"

#include <cinttypes>

namespace pool {
namespace {

// Whoever moves the word of a connection from odd to even has ended the lease. acq_rel, since the
// connection goes from one user to the next through it: what this one did to its fields is ordered
// before, and what others have done is seen.
inline bool end_lease(const pool_conns_lease *lease, Conn *conn, uint32_t *word) {
    *word = conn->word.load(std::memory_order_relaxed);
    return is_lease_of(lease, *word) &&
           conn->word.compare_exchange_strong(*word, *word + 1, std::memory_order_acq_rel,
                                              std::memory_order_relaxed);
}

} // namespace

// ---- the fast way ---------------------------------------------------------------------------

pool_status Conns::release(pool_conns_lease *lease) {
    Conn *conn = conn_of(lease);
    uint32_t word;
    if (!end_lease(lease, conn, &word))
        return misused();
    Key *key = conn->key;
    if (key == nullptr) // it belongs to the parent process
        return conn->pool->give_back(conn, word, 0, nullptr);
    Conns *pool = key->pool;
    Front::Table *table = pool->front_.table();
    if (table != nullptr && pool->plain_return_ && !conn->marked(kReported) &&
        conn->generation.load(std::memory_order_relaxed) ==
            pool->generation_.load(std::memory_order_acquire)) {
        const int64_t now =
            pool->exact_ages_.load(std::memory_order_relaxed) ? clock_now() : clock_now_coarse();
        if (pool->past_use(conn, now) == 0) {
            pool->end_hold(conn);
            conn->idle_since.store(now, std::memory_order_relaxed);
            const uint64_t hash = key->hash;
            Gate &gate = pool->gate_;
            const uint64_t serial = pool->serial_;
            // From here on the connection, and the pool if it is being destroyed, may be gone; with
            // another connection in hand it is not.
            Front::Slot *slot;
            Conn *older = Front::fill(table, hash, key, conn, &slot);
            if (older != nullptr)
                pool->put_aside(older);
            if (gate.front.must_look(table, hash))
                look(gate, serial, pool, table, slot, hash);
            return POOL_OK;
        }
    }
    return pool->give_back(conn, word, 0, nullptr);
}

// A connection that made room for a newer one.
void Conns::put_aside(Conn *conn) {
    Turn turn(mutex_, this);
    ConnList doomed;
    if (pool_conns_reason reason = unwanted(conn))
        doom(conn, reason, &doomed);
    else
        keep(turn, conn, conn->idle_since.load(std::memory_order_relaxed), &doomed);
    retire(turn, &doomed);
    leave(turn);
}

// Somebody waits, or the slot is in a table that is used no more.
void Conns::look(Gate &gate, uint64_t serial, Conns *pool, Front::Table *table, Front::Slot *slot,
                 uint64_t hash) {
    Turn turn(gate.mutex, pool);
    if (gate.serial != serial)
        return; // ended, and its connections with it
    ConnList doomed;
    if (gate.front.table() != table)
        if (Conn *conn = Front::take(slot)) {
            if (pool_conns_reason reason = pool->unwanted(conn))
                pool->doom(conn, reason, &doomed);
            else
                pool->keep(turn, conn, conn->idle_since.load(std::memory_order_relaxed), &doomed);
        }
    Key *key = pool->waiting_keys_.front();
    while (key != nullptr && key->hash != hash)
        key = pool->waiting_keys_.next(key);
    pool->serve_from(turn, key);
    pool->retire(turn, &doomed);
    pool->leave(turn);
}

// ---- the slow way ---------------------------------------------------------------------------

pool_status Conns::misused() {
    return fail(POOL_EMISUSE, "the lease has been ended before");
}

pool_status Conns::discard(pool_conns_lease *lease) {
    Conn *conn = conn_of(lease);
    uint32_t word;
    if (!end_lease(lease, conn, &word))
        return misused();
    return conn->pool->give_back(conn, word, POOL_CONNS_BROKEN, nullptr);
}

pool_status Conns::detach(pool_conns_lease *lease, void **handle) {
    Conn *conn = conn_of(lease);
    uint32_t word;
    if (!end_lease(lease, conn, &word))
        return misused();
    return conn->pool->give_back(conn, word, 0, handle);
}

pool_status Conns::renew(pool_conns_lease *lease) {
    Conn *conn = conn_of(lease);
    const uint32_t word = conn->word.load(std::memory_order_relaxed);
    if (!is_lease_of(lease, word))
        return misused();
    // The time it is held is measured from its beginning, so it is not counted.
    conn->unmark(kSampled);
    conn->lent_at.store(clock_now(), std::memory_order_relaxed);
    return POOL_OK;
}

// The connection is the caller's. With `detached` it leaves the pool; with a reason it is closed.
pool_status Conns::give_back(Conn *conn, uint32_t word, pool_conns_reason reason, void **detached) {
    if (conn->state == ConnState::kForeign)
        return give_back_foreign(conn);
    end_hold(conn);
    if (conn->reported.load(std::memory_order_relaxed) == word)
        tell_returned(conn, word);
    if (reason == 0 && detached == nullptr && !plain_return_)
        reason = clean(conn);
    Turn turn(mutex_, this);
    if (conn->state == ConnState::kForeign) { // a callback has forked, and this is the child
        turn.unlock();
        return give_back_foreign(conn);
    }
    conn->state = ConnState::kHeld;
    Key *key = conn->key;
    if (detached != nullptr) {
        *detached = conn->handle;
        counters_.detached++;
        out_--;
        key->open--;
        recycle(conn);
        key->pins++;
        serve(turn, key);
        serve_all(turn);
        key->pins--;
        forget_if_unused(key);
    } else {
        const int64_t now = clock_now();
        ConnList doomed;
        if (reason == 0)
            reason = unwanted(conn);
        if (reason == 0)
            reason = past_use(conn, now);
        if (reason != 0)
            doom(conn, reason, &doomed);
        else
            keep(turn, conn, now, &doomed);
        retire(turn, &doomed);
    }
    leave(turn);
    return POOL_OK;
}

pool_status Conns::give_back_foreign(Conn *conn) {
    Turn turn(mutex_, this);
    if (!built_in_ && options_.abandon != nullptr && !callbacks_over_) {
        turn.unlock();
        call_contained("an abandon callback",
                       [&] { options_.abandon(conn->handle, options_.ctx); });
        turn.lock();
    }
    foreign_--;
    recycle(conn);
    leave(turn);
    return fail(POOL_EFORKED, "the lease belongs to the parent process");
}

// A good connection goes to a waiter, else to the idle ones, unless there are too many.
void Conns::keep(Turn &turn, Conn *conn, int64_t since, ConnList *doomed) {
    Key *key = conn->key;
    if (key->open > now_.max_open_per_key || (now_.max_open != 0 && open() > now_.max_open)) {
        doom(conn, POOL_CONNS_MAX_IDLE, doomed);
        return;
    }
    make_idle(conn, since);
    serve_from(turn, key);
    if (conn->state != ConnState::kIdle)
        return;
    if (key->idle_count > now_.max_idle_per_key)
        doom(conn, POOL_CONNS_MAX_IDLE, doomed);
    else if (now_.max_idle != 0 && idle_ > now_.max_idle)
        doom(static_cast<Conn *>(by_age_.back()), POOL_CONNS_MAX_IDLE, doomed);
}

void Conns::end_hold(Conn *conn) {
    if (!conn->marked(kSampled))
        return;
    conn->unmark(kSampled);
    holds_.add(clock_now() - conn->lent_at.load(std::memory_order_relaxed));
}

// It was reported as a leak, and is none.
void Conns::tell_returned(Conn *conn, uint32_t word) {
    uint32_t expected = word;
    conn->reported.compare_exchange_strong(expected, 0, std::memory_order_relaxed);
    pool_conns_lease_info info = {};
    info.size = sizeof info;
    char taker[kTakerBytes];
    copy_taker(conn, taker);
    info.taker = taker;
    info.key = conn->key->bytes();
    info.key_length = conn->key->length;
    info.conn = conn->handle;
    info.age = clock_now() - conn->lent_at.load(std::memory_order_relaxed);
    info.thread = conn->thread();
    info.returned = 1;
    if (options_.on_leak != nullptr)
        call_contained("an on_leak callback", [&] { options_.on_leak(&info, options_.ctx); });
    else
        log_line(1, "pool '%s': a lease that was reported has come back after %" PRId64 " ms",
                 name_, info.age / 1000000);
}

} // namespace pool
