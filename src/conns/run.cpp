// Calls that acquire and give back by themselves.
//
// SPDX-License-Identifier: Apache-2.0
#include "conns/conns.h"

#include "platform/clock.h"
#include "platform/status.h"
#include "sync/callback.h"

namespace pool {
namespace {

constexpr int kCachedTries = 2; // as in database/sql

// What is left of a timeout.
int64_t left_of(int64_t deadline) {
    if (deadline == POOL_FOREVER)
        return POOL_FOREVER;
    const int64_t left = deadline - clock_now();
    return left > 0 ? left : 0;
}

} // namespace

POOL_CATCHES_FORCED_UNWIND pool_status Conns::run(const Wanted &wanted, pool_conns_run_fn fn,
                                                  void *arg) {
    const int64_t deadline = deadline_after(wanted.timeout);
    for (int attempt = 0;; attempt++) {
        Wanted now = wanted;
        now.fresh = attempt == kCachedTries;
        if (attempt > 0)
            now.timeout = left_of(deadline);
        pool_conns_lease *lease = nullptr;
        if (pool_status status = acquire(now, &lease))
            return status;
        pool_status status;
        try {
            status = fn(lease, conn_of(lease)->handle, arg);
        } catch (abi::__forced_unwind &) {
            discard(lease);
            throw;
        } catch (...) {
            discard(lease);
            return fail(POOL_ETASK, "pool '%s': the function threw an exception", name_);
        }
        if (status != POOL_EBAD) {
            release(lease);
            return status;
        }
        discard(lease);
        if (now.fresh)
            return fail(POOL_EBAD, "pool '%s': a fresh connection is broken too", name_);
    }
}

pool_status Conns::fill(const Wanted &wanted, uint32_t count) {
    const int64_t deadline = deadline_after(wanted.timeout);
    Surplus surplus(memory_);
    Turn turn(mutex_, this);
    if (closed_)
        return fail(POOL_ECLOSED, "pool '%s' is closed", name_);
    Key *key = find(wanted);
    if (key == nullptr)
        if (pool_status status = find_key(turn, wanted, &surplus, &key))
            return status;
    const unsigned forks = forks_;
    pool_status status = POOL_OK;
    key->pins++;
    while (status == POOL_OK && !closed_ && key->open < count &&
           key->open < now_.max_open_per_key && (now_.max_open == 0 || open() < now_.max_open) &&
           key->open - key->dialing < now_.max_idle_per_key) {
        claim_place(key);
        Conn *conn = nullptr;
        status = dial(turn, key, deadline, &conn);
        if (forks_ != forks)
            return status;
        if (status == POOL_OK) {
            ConnList doomed;
            pool_conns_reason reason = unwanted(conn);
            if (reason != 0)
                doom(conn, reason, &doomed);
            else
                keep(turn, conn, clock_now(), &doomed);
            retire(turn, &doomed);
        }
    }
    if (status == POOL_OK && closed_)
        status = fail(POOL_ECLOSED, "pool '%s' was closed meanwhile", name_);
    key->pins--;
    forget_if_unused(key);
    return status;
}

pool_status Conns::adopt(const Wanted &wanted, void *handle) {
    Surplus surplus(memory_);
    Turn turn(mutex_, this);
    if (closed_)
        return fail(POOL_ECLOSED, "pool '%s' is closed", name_);
    Key *key = find(wanted);
    if (key == nullptr)
        if (pool_status status = find_key(turn, wanted, &surplus, &key))
            return status;
    key->pins++;
    Conn *conn = new_record(turn);
    key->pins--;
    const int64_t now = clock_now();
    pool_status status = POOL_OK;
    if (conn == nullptr)
        status = fail(POOL_ENOMEM, "pool '%s': no memory for a connection", name_);
    else if (closed_)
        status = fail(POOL_ECLOSED, "pool '%s' is closed", name_);
    else if (key->open >= now_.max_open_per_key || (now_.max_open != 0 && open() >= now_.max_open))
        status = fail(POOL_EFULL, "pool '%s' has as many open connections as it may", name_);
    else if (key->line.first_live(turn, now) == nullptr &&
             (key->idle_count >= now_.max_idle_per_key ||
              (now_.max_idle != 0 && idle_ >= now_.max_idle)))
        status = fail(POOL_EFULL, "pool '%s' has as many idle connections as it may", name_);
    if (status != POOL_OK) {
        if (conn != nullptr)
            records_.give_back(conn);
        forget_if_unused(key);
        return status;
    }
    conn->handle = handle;
    conn->key = key;
    conn->state = ConnState::kHeld;
    conn->generation.store(generation_.load(std::memory_order_relaxed), std::memory_order_relaxed);
    conn->lent_at.store(0, std::memory_order_relaxed);
    conn->dialed_at = now;
    set_expiry(conn);
    key->busy.push_back(conn);
    key->open++;
    out_++;
    counters_.adopted++;
    ConnList doomed;
    keep(turn, conn, now, &doomed);
    retire(turn, &doomed);
    return POOL_OK;
}

} // namespace pool
