// How a pool of connections is made, what it says of itself, and what a fork does to it.
//
// SPDX-License-Identifier: Apache-2.0
#include "conns/conns.h"

#include "conns/dialer.h"
#include "platform/clock.h"

#include <cstdio>
#include <new>
#include <unistd.h>

namespace pool {

Conns::Conns(const pool_conns_options &options, bool built_in, void (*dispose)(Conns *))
    : dial_(options.dial), close_(options.close), is_alive_(options.is_alive), ctx_(options.ctx),
      ctx_free_(options.ctx_free), dispose_(dispose), max_open_(options.max_open),
      max_open_per_key_(options.max_open_per_key), max_idle_(options.max_idle),
      max_idle_per_key_(options.max_idle_per_key), max_waiters_(options.max_waiters),
      connect_timeout_(options.connect_timeout), idle_timeout_(options.idle_timeout),
      max_lifetime_(options.max_lifetime), built_in_(built_in),
      custom_allocator_(options.allocator != nullptr),
      allocator_(custom_allocator_ ? *options.allocator : pool_allocator{}),
      memory_(options.allocator) {
    snprintf(name_, sizeof name_, "%s", options.name);
    random_ = (static_cast<uint64_t>(clock_now()) ^ reinterpret_cast<uintptr_t>(this)) | 1;
}

pool_status Conns::init() {
    fork_.in_child = in_child;
    fork_.pool = this;
    pool_status status = watch_fork(&fork_);
    watching_forks_ = status == POOL_OK;
    if (status == POOL_OK) {
        entry_.area = Area::kConns;
        entry_.name = name_;
        entry_.pool = this;
        entry_.read = read_stats;
        register_pool(&entry_);
    }
    return status;
}

// When a connection made now must go: up to a tenth early, so that those which were made together
// are not all replaced together.
int64_t Conns::end_of_life(int64_t now) {
    if (max_lifetime_ == POOL_CONNS_NONE)
        return INT64_MAX;
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    uint64_t tenth = static_cast<uint64_t>(max_lifetime_ / 10);
    int64_t life = max_lifetime_ - static_cast<int64_t>(random_ % (tenth + 1));
    int64_t end;
    return __builtin_add_overflow(now, life, &end) ? INT64_MAX : end;
}

pool_conns_stats Conns::stats() {
    Section section(mutex_);
    pool_conns_stats stats = counters_;
    stats.size = sizeof stats;
    stats.closed_broken = closed_by_[POOL_CONNS_BROKEN];
    stats.closed_invalid = closed_by_[POOL_CONNS_INVALID];
    stats.closed_max_lifetime = closed_by_[POOL_CONNS_MAX_LIFETIME];
    stats.closed_idle_timeout = closed_by_[POOL_CONNS_IDLE_TIMEOUT];
    stats.closed_max_idle = closed_by_[POOL_CONNS_MAX_IDLE];
    stats.closed_pool = closed_by_[POOL_CONNS_POOL_CLOSED];
    stats.closed_cleared = closed_by_[POOL_CONNS_CLEARED];
    stats.open = open();
    stats.idle = idle_;
    stats.in_use = in_use_;
    stats.dialing = dialing_;
    stats.waiters = waiters_;
    stats.keys = keys_.size();
    return stats;
}

// ---- fork -----------------------------------------------------------------------------------

void Conns::read_stats(void *pool, void *stats) {
    *static_cast<pool_conns_stats *>(stats) = static_cast<Conns *>(pool)->stats();
}

void Conns::in_child(ForkWatcher *watcher) {
    static_cast<Fork *>(watcher)->pool->repair_in_child();
}

// Nothing that the parent opened is used here: the protocol on it goes on over there. Of sockets of
// the built-in dialer the child closes its copies, which the parent's peer does not notice. What a
// dial callback made is only forgotten: its close callback would say goodbye on the parent's
// connection. The keys are abandoned, since their lists may be half changed.
void Conns::repair_in_child() {
    new (&mutex_) std::mutex;
    new (&keys_) KeyTable;
    new (&waiting_keys_) List<Key>;
    new (&forgotten_) List<Key>;
    new (&spare_) List<Conn>;
    new (&by_age_) List<Conn::AgeLink>;
    drained_.forget_all();
    idle_ = in_use_ = dialing_ = waiters_ = foreign_ = 0;
    forks_++;
    for (Conn *conn = made_.load(std::memory_order_relaxed); conn != nullptr;
         conn = conn->made_before)
        abandon(conn);
}

void Conns::abandon(Conn *conn) {
    if (built_in_ && socket_fd(conn->handle) >= 0)
        ::close(socket_fd(conn->handle));
    if (built_in_)
        conn->handle = no_handle();
    conn->key = nullptr;
    conn->prev = conn->next = nullptr;
    if (conn->state == ConnState::kLent || conn->state == ConnState::kForeign) {
        conn->state = ConnState::kForeign;
        foreign_++;
    } else {
        conn->state = ConnState::kSpare;
        spare_.push_front(conn);
    }
}

void *Conns::no_handle() const {
    return built_in_ ? socket_conn(-1) : nullptr;
}

} // namespace pool
