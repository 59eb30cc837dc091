// Bounds and times: how they come into force, at first and later.
//
// SPDX-License-Identifier: Apache-2.0
#include "conns/conns.h"

#include "conns/defaults.h"
#include "platform/clock.h"
#include "platform/status.h"

#include <cinttypes>

namespace pool {
namespace {

uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

} // namespace

// The idle ones are no more than the open ones, as in database/sql. A bound that can never be
// reached is none: with bounds on idle connections the front is not used, since what lies there is
// not counted.
void Conns::put_in_force() {
    const uint32_t wanted = given_max_idle_per_key_;
    now_.max_idle_per_key = wanted == POOL_CONNS_KEEP_NONE ? 0
                            : wanted == 0                  ? now_.max_open_per_key
                                                           : least(wanted, now_.max_open_per_key);
    if (now_.max_open != 0 && given_max_idle_ != POOL_CONNS_KEEP_NONE &&
        given_max_idle_ >= now_.max_open)
        now_.max_idle = 0;
    else if (given_max_idle_ == POOL_CONNS_KEEP_NONE)
        now_.max_idle_per_key = now_.max_idle = 0;
    else
        now_.max_idle = given_max_idle_;
    tend_front();
    fresh_for_.store(fresh_for(), std::memory_order_relaxed);
    const int64_t now = clock_now();
    auto due = [now](int64_t period, int64_t parts, int64_t *at) {
        int64_t next = period == 0 ? INT64_MAX : now + period / parts;
        *at = period == 0 || next < *at ? next : *at;
    };
    due(now_.reap_interval, 1, &reap_due_);
    due(now_.keepalive, 10, &ping_due_);
    due(now_.leak_threshold, 4, &leaks_due_);
}

// Is the front to be used? Where the idle ones need counting, or an order of their own, or where a
// thread of the pool must notice that there are few, it is not.
void Conns::tend_front() {
    exact_ages_.store(now_.max_open != 0 && keys_.size() > 2, std::memory_order_relaxed);
    const bool bounded = now_.max_idle != 0 || now_.max_idle_per_key < now_.max_open_per_key;
    const bool refilled = now_.min_idle != 0 && home_ != nullptr &&
                          home_->open < now_.max_open_per_key &&
                          (now_.max_open == 0 || open() < now_.max_open);
    const bool wanted = !closed_ && !bounded && !refilled && !overfull_ &&
                        options_.idle_order == POOL_CONNS_LIFO && front_.has_table() &&
                        front_suits_;
    if (wanted == front_.on())
        return;
    if (wanted) {
        front_.turn_on();
    } else {
        front_.turn_off();
        gather_all();
    }
}

// After a bound was lowered there may be more open than it allows; until they have come back, every
// release must look.
void Conns::look_for_overfull() {
    overfull_ = now_.max_open != 0 && open() > now_.max_open;
    keys_.for_each(
        [this](Key *key) { overfull_ = overfull_ || key->open > now_.max_open_per_key; });
}

// Slots that the front may have at most: its memory is bounded by that of the connections.
uint64_t Conns::front_most() const {
    return 4 * (open() + 1);
}

// What is idle beyond the bounds.
void Conns::trim(ConnList *doomed) {
    gather_all();
    keys_.for_each([&](Key *key) {
        while (!key->idle.empty() &&
               (key->idle_count > now_.max_idle_per_key || key->open > now_.max_open_per_key)) {
            Conn *conn = key->idle.back();
            doom(conn, POOL_CONNS_MAX_IDLE, doomed);
            conn->key = nullptr; // its place is free at once
            closed_by_[POOL_CONNS_MAX_IDLE]++;
            out_--;
            key->open--;
        }
    });
    while (AgeLink *oldest = by_age_.back()) {
        if ((now_.max_idle == 0 || idle_ <= now_.max_idle) &&
            (now_.max_open == 0 || open() <= now_.max_open))
            break;
        Conn *conn = static_cast<Conn *>(oldest);
        Key *key = conn->key;
        doom(conn, POOL_CONNS_MAX_IDLE, doomed);
        conn->key = nullptr;
        closed_by_[POOL_CONNS_MAX_IDLE]++;
        out_--;
        key->open--;
        forget_if_unused(key);
    }
}

namespace {

bool is_time(pool_conns_setting setting) {
    return setting >= POOL_CONNS_SET_CONNECT_TIMEOUT && setting <= POOL_CONNS_SET_REAP_INTERVAL;
}

} // namespace

// Under the lock. Nothing has changed if it fails.
pool_status Conns::store(pool_conns_setting setting, int64_t value) {
    if (setting < POOL_CONNS_SET_MAX_OPEN || setting > POOL_CONNS_SET_REAP_INTERVAL)
        return fail(POOL_EINVAL, "setting %d is unknown", setting);
    if (value < 0 || (!is_time(setting) && value > UINT32_MAX))
        return fail(POOL_EINVAL, "setting %d cannot be %" PRId64, setting, value);
    if (setting == POOL_CONNS_SET_KEEPALIVE && value != 0 && options_.validate == nullptr)
        return fail(POOL_EINVAL, "keepalive needs a validate callback");
    const auto count = static_cast<uint32_t>(value);
    auto time = [value](int64_t if_zero) { return value != 0 ? value : if_zero; };
    switch (setting) {
    case POOL_CONNS_SET_MAX_OPEN:
        now_.max_open = count;
        break;
    case POOL_CONNS_SET_MAX_OPEN_PER_KEY:
        now_.max_open_per_key = count != 0 ? count : kDefaultOpenPerKey;
        break;
    case POOL_CONNS_SET_MAX_IDLE:
        given_max_idle_ = count;
        break;
    case POOL_CONNS_SET_MAX_IDLE_PER_KEY:
        given_max_idle_per_key_ = count;
        break;
    case POOL_CONNS_SET_MAX_WAITERS:
        now_.max_waiters = count;
        break;
    case POOL_CONNS_SET_MIN_IDLE:
        now_.min_idle = count;
        break;
    case POOL_CONNS_SET_MAX_DIALS:
        now_.max_dials = count;
        break;
    case POOL_CONNS_SET_MAX_USES:
        now_.max_uses.store(count != 0 ? count : UINT64_MAX, std::memory_order_relaxed);
        break;
    case POOL_CONNS_SET_CONNECT_TIMEOUT:
        now_.connect_timeout = time(kDefaultConnectTimeout);
        break;
    case POOL_CONNS_SET_IDLE_TIMEOUT:
        now_.idle_timeout.store(time(kDefaultIdleTimeout), std::memory_order_relaxed);
        break;
    case POOL_CONNS_SET_MAX_LIFETIME:
        now_.max_lifetime.store(time(kDefaultMaxLifetime), std::memory_order_relaxed);
        break;
    case POOL_CONNS_SET_VALIDATE_AFTER:
        now_.validate_after.store(time(kDefaultValidateAfter), std::memory_order_relaxed);
        break;
    case POOL_CONNS_SET_KEEPALIVE:
        now_.keepalive = value;
        break;
    case POOL_CONNS_SET_LEAK_THRESHOLD:
        now_.leak_threshold = value;
        break;
    default:
        now_.reap_interval = value;
        break;
    }
    return POOL_OK;
}

pool_status Conns::set(pool_conns_setting setting, int64_t value) {
    Turn turn(mutex_, this);
    if (closed_)
        return fail(POOL_ECLOSED, "pool '%s' is closed", name_);
    if (pool_status status = store(setting, value))
        return status;
    ConnList doomed;
    put_in_force();
    trim(&doomed);
    look_for_overfull();
    tend_front();
    // What is idle was last looked at by other rules.
    keys_.for_each([](Key *key) { key->due.store(INT64_MIN, std::memory_order_relaxed); });
    if (setting == POOL_CONNS_SET_MAX_LIFETIME)
        records_.for_each([this](Conn *conn) { set_expiry(conn); });
    serve_everybody(turn);
    retire(turn, &doomed);
    if (has_duties() && crew_.threads() == 0)
        return crew_.call(turn);
    crew_.poke(turn);
    return POOL_OK;
}

} // namespace pool
