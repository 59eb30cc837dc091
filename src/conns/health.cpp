// Is a connection good enough for its next user? All of this runs without the lock, on a connection
// that nobody else can reach, but for what says otherwise.
//
// SPDX-License-Identifier: Apache-2.0
#include "conns/conns.h"

#include "platform/clock.h"
#include "sync/callback.h"

namespace pool {

namespace {

int64_t add(int64_t time, int64_t span) {
    int64_t sum;
    return span == POOL_CONNS_NONE || __builtin_add_overflow(time, span, &sum) ? INT64_MAX : sum;
}

// 16 bits that say nothing to anybody.
uint64_t by_chance_of(int64_t time, const void *where) {
    const uint64_t bits = static_cast<uint64_t>(time) ^ reinterpret_cast<uintptr_t>(where) << 20;
    return bits * 0x9e3779b97f4a7c15u >> 48;
}

int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

} // namespace

int64_t Conns::idle_until(int64_t idle_since) const {
    return add(idle_since, now_.idle_timeout.load(std::memory_order_relaxed));
}

// When a connection must go: up to a tenth early, so that those which were made together are not all
// replaced together. By chance, but always the same for one connection.
void Conns::set_expiry(Conn *conn) const {
    const int64_t lifetime = now_.max_lifetime.load(std::memory_order_relaxed);
    int64_t early = 0;
    if (lifetime != POOL_CONNS_NONE)
        early = static_cast<int64_t>(static_cast<uint64_t>(lifetime / 10) / 65536 *
                                     by_chance_of(conn->dialed_at, conn));
    conn->expires.store(add(conn->dialed_at, lifetime) - early, std::memory_order_relaxed);
}

// For how long an idle connection may be lent with no more than a look at the time.
int64_t Conns::fresh_for() const {
    if (!plain_borrow_)
        return INT64_MIN;
    const int64_t idle = add(0, now_.idle_timeout.load(std::memory_order_relaxed));
    return options_.validate == nullptr
               ? idle
               : least(idle, add(0, now_.validate_after.load(std::memory_order_relaxed)));
}

// The deadline of a call of validate or reset.
int64_t Conns::validate_until(int64_t now, int64_t deadline) const {
    int64_t until = add(now, options_.validate_timeout);
    if (deadline != POOL_FOREVER)
        until = least(until, deadline);
    return until == INT64_MAX ? POOL_FOREVER : until;
}

// May this connection be lent? 0, or why not.
pool_conns_reason Conns::examine(Conn *conn, int64_t deadline, bool fresh) {
    if (!fresh) {
        const int64_t now = clock_now();
        const int64_t since = conn->idle_since.load(std::memory_order_relaxed);
        const int64_t pinged = conn->lent_at.load(std::memory_order_relaxed);
        if (pool_conns_reason reason = past_use(conn, now))
            return reason;
        const bool ready = conn->key == home_ && now_.min_idle.load(std::memory_order_relaxed) != 0;
        if (now >= idle_until(since) && !ready)
            return POOL_CONNS_IDLE_TIMEOUT;
        if (options_.is_alive != nullptr) {
            CancellationOff off;
            bool alive = false;
            call_contained("an is_alive callback", [&] {
                alive = options_.is_alive(conn->handle, now - since, options_.ctx) != 0;
            });
            if (!alive)
                return POOL_CONNS_INVALID;
        }
        const int64_t after = now_.validate_after.load(std::memory_order_relaxed);
        if (options_.validate != nullptr && now >= add(since > pinged ? since : pinged, after) &&
            !call_validate(conn, deadline))
            return POOL_CONNS_INVALID;
    }
    return call_hook(options_.before_acquire, conn, "before_acquire") ? 0 : kRefused;
}

// What its last user left behind is undone. 0, or why it must be closed.
pool_conns_reason Conns::clean(Conn *conn) {
    if (!call_hook(options_.after_release, conn, "after_release"))
        return POOL_CONNS_INVALID;
    if (options_.reset == nullptr)
        return 0;
    CancellationOff off;
    pool_status status = POOL_EBAD;
    call_contained("a reset callback", [&] {
        status =
            options_.reset(conn->handle, validate_until(clock_now(), POOL_FOREVER), options_.ctx);
    });
    if (status == POOL_OK)
        return 0;
    reset_fails_.fetch_add(1, std::memory_order_relaxed);
    return POOL_CONNS_INVALID;
}

bool Conns::call_hook(pool_conns_hook_fn hook, Conn *conn, const char *what) {
    if (hook == nullptr)
        return true;
    CancellationOff off;
    bool good = false;
    call_contained(what, [&] {
        good = hook(conn->handle, conn->key->bytes(), conn->key->length, options_.ctx) != 0;
    });
    return good;
}

bool Conns::call_validate(Conn *conn, int64_t deadline) {
    CancellationOff off;
    pool_status status = POOL_EBAD;
    validations_.fetch_add(1, std::memory_order_relaxed);
    call_contained("a validate callback", [&] {
        status =
            options_.validate(conn->handle, validate_until(clock_now(), deadline), options_.ctx);
    });
    if (status != POOL_OK)
        validate_fails_.fetch_add(1, std::memory_order_relaxed);
    return status == POOL_OK;
}

// Has the pool been closed, or the connection cleared, since it was dialed? 0, or which. Under the
// lock.
pool_conns_reason Conns::unwanted(const Conn *conn) const {
    if (closed_)
        return POOL_CONNS_POOL_CLOSED;
    return conn->generation.load(std::memory_order_relaxed) !=
                   generation_.load(std::memory_order_relaxed)
               ? POOL_CONNS_CLEARED
               : 0;
}

// Why a connection may not be lent again, whatever it looks like; 0 if it may.
pool_conns_reason Conns::past_use(const Conn *conn, int64_t now) const {
    if (now >= conn->expires.load(std::memory_order_relaxed))
        return POOL_CONNS_MAX_LIFETIME;
    if (conn->uses.load(std::memory_order_relaxed) >= now_.max_uses.load(std::memory_order_relaxed))
        return POOL_CONNS_MAX_USES;
    return 0;
}

} // namespace pool
