// What a pool of connections says of itself.
//
// SPDX-License-Identifier: Apache-2.0
//
// Acquires are counted in the records of the connections, which the fast path writes anyhow. What
// lies in the front is counted by looking there, while others go on: each number is right if
// nothing happens meanwhile, and in_use is what is left, so that open = idle + in_use + dialing.
#include "conns/conns.h"

#include "platform/clock.h"
#include "platform/status.h"
#include "sync/callback.h"

#include <cstring>

namespace pool {

pool_conns_stats Conns::stats() {
    Turn turn(mutex_, this);
    pool_conns_stats stats = counters_;
    stats.size = sizeof stats;
    stats.acquires = past_uses_;
    records_.for_each(
        [&](const Conn *conn) { stats.acquires += conn->uses.load(std::memory_order_relaxed); });
    stats.hits = stats.acquires > fresh_lends_ ? stats.acquires - fresh_lends_ : 0;
    stats.closed_broken = closed_by_[POOL_CONNS_BROKEN];
    stats.closed_invalid = closed_by_[POOL_CONNS_INVALID];
    stats.closed_max_lifetime = closed_by_[POOL_CONNS_MAX_LIFETIME];
    stats.closed_idle_timeout = closed_by_[POOL_CONNS_IDLE_TIMEOUT];
    stats.closed_max_idle = closed_by_[POOL_CONNS_MAX_IDLE];
    stats.closed_pool = closed_by_[POOL_CONNS_POOL_CLOSED];
    stats.closed_cleared = closed_by_[POOL_CONNS_CLEARED];
    stats.closed_max_uses = closed_by_[POOL_CONNS_MAX_USES];
    uint64_t in_front = 0;
    front_.peek_all([&](const Conn *) { in_front++; });
    if (in_front > out_)
        in_front = out_;
    stats.open = open();
    stats.idle = idle_ + in_front;
    stats.in_use = out_ - in_front;
    stats.dialing = dialing_;
    stats.waiters = waiters_;
    const bool home_unused = home_ == nullptr || (home_->open == 0 && home_->line.empty());
    stats.keys = keys_.size() - (home_ != nullptr && home_unused ? 1 : 0);
    stats.validations = validations_.load(std::memory_order_relaxed);
    stats.validate_fails = validate_fails_.load(std::memory_order_relaxed);
    stats.reset_fails = reset_fails_.load(std::memory_order_relaxed);
    stats.threads = crew_.threads();
    stats.max_open = now_.max_open;
    stats.max_open_per_key = now_.max_open_per_key != UINT32_MAX ? now_.max_open_per_key : 0;
    stats.max_idle = now_.max_idle;
    stats.max_idle_per_key = now_.max_idle_per_key;
    stats.memory_bytes = memory_.bytes();
    return stats;
}

pool_conns_key_stats Conns::key_stats(const Wanted &wanted) {
    Turn turn(mutex_, this);
    pool_conns_key_stats stats = {};
    stats.size = sizeof stats;
    const Key *key = find(wanted);
    if (key == nullptr)
        return stats;
    stats.idle = key->idle_count;
    front_.peek(key->hash, [&](const Conn *conn) {
        if (conn->key == key)
            stats.idle++;
    });
    stats.open = key->open;
    stats.dialing = key->dialing;
    const uint64_t rest = stats.open - stats.dialing;
    if (stats.idle > rest)
        stats.idle = rest;
    stats.in_use = rest - stats.idle;
    for (const ConnWaiter *waiter = key->line.first(); waiter != nullptr;
         waiter = key->line.next(waiter))
        stats.waiters++;
    stats.dials = key->dials;
    stats.dial_fails = key->dial_fails;
    stats.fails_in_a_row = key->fails_in_a_row;
    const int64_t left = key->not_before - clock_now();
    stats.backoff_left = left > 0 ? left : 0;
    return stats;
}

const Histogram *Conns::histogram(pool_conns_time which) const {
    switch (which) {
    case POOL_CONNS_WAIT_TIME:
        return &waits_;
    case POOL_CONNS_DIAL_TIME:
        return &dials_;
    case POOL_CONNS_HOLD_TIME:
        return &holds_;
    default:
        return nullptr;
    }
}

// The leases are copied under the lock, and visited without it.
pool_status Conns::visit_leases(int64_t min_age, pool_conns_lease_fn visit, void *arg) {
    struct Copy {
        pool_conns_lease_info info;
        char taker[kTakerBytes];
        size_t key_at;
    };
    const int64_t now = clock_now();
    auto is_wanted = [&](const Conn *conn) {
        return conn->state == ConnState::kOut &&
               is_lent(conn->word.load(std::memory_order_acquire)) &&
               now - conn->lent_at.load(std::memory_order_relaxed) >= min_age;
    };
    // Memory is taken without the lock, so it may be too little by the time it is there.
    Copy *copies = nullptr;
    char *keys = nullptr;
    size_t most = 0, key_bytes = 0, count = 0, used = 0;
    for (;;) {
        size_t wanted = 0, wanted_bytes = 0;
        count = used = 0;
        {
            Turn turn(mutex_, this);
            records_.for_each([&](const Conn *conn) {
                if (!is_wanted(conn))
                    return;
                wanted++;
                wanted_bytes += conn->key->length;
                if (count == most || key_bytes - used < conn->key->length)
                    return;
                Copy &copy = copies[count++];
                copy.info = {};
                copy.info.size = sizeof copy.info;
                copy.info.conn = conn->handle;
                copy.info.age = now - conn->lent_at.load(std::memory_order_relaxed);
                copy.info.thread = conn->thread();
                copy.info.key_length = conn->key->length;
                copy_taker(conn, copy.taker);
                copy.key_at = used;
                memcpy(keys + used, conn->key->bytes(), conn->key->length);
                used += conn->key->length;
            });
        }
        if (wanted <= most && wanted_bytes <= key_bytes)
            break;
        if (copies != nullptr) {
            memory_.free(copies, most * sizeof(Copy), alignof(Copy));
            memory_.free(keys, key_bytes, alignof(void *));
        }
        most = wanted + wanted / 4 + 8;
        key_bytes = wanted_bytes + wanted_bytes / 4 + 256;
        copies = static_cast<Copy *>(memory_.alloc(most * sizeof(Copy), alignof(Copy)));
        keys = static_cast<char *>(memory_.alloc(key_bytes, alignof(void *)));
        if (copies == nullptr || keys == nullptr) {
            if (copies != nullptr)
                memory_.free(copies, most * sizeof(Copy), alignof(Copy));
            if (keys != nullptr)
                memory_.free(keys, key_bytes, alignof(void *));
            return fail(POOL_ENOMEM, "pool '%s': no memory for a list of its leases", name_);
        }
    }
    for (size_t i = 0; i < count; i++) {
        copies[i].info.taker = copies[i].taker;
        copies[i].info.key = keys + copies[i].key_at;
        call_contained("a visitor of leases", [&] { visit(&copies[i].info, arg); });
    }
    if (copies != nullptr) {
        memory_.free(copies, most * sizeof(Copy), alignof(Copy));
        memory_.free(keys, key_bytes, alignof(void *));
    }
    return POOL_OK;
}

} // namespace pool
