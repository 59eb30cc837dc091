// How a pool of connections is made, and what a fork does to it.
//
// SPDX-License-Identifier: Apache-2.0
#include "conns/conns.h"

#include "conns/dialer.h"
#include "platform/clock.h"
#include "platform/status.h"
#include "sync/callback.h"

#include <cstdio>
#include <new>
#include <unistd.h>

namespace pool {
namespace {

uint64_t make_seed(const void *where) {
    return (static_cast<uint64_t>(clock_now()) * 0x9e3779b97f4a7c15u) ^
           reinterpret_cast<uintptr_t>(where);
}

} // namespace

Conns::Conns(Gate &gate, const pool_conns_options &options, bool built_in, void (*dispose)(Conns *))
    : gate_(gate), mutex_(gate.mutex), front_(gate.front),
      strict_(options.handoff == POOL_CONNS_STRICT), built_in_(built_in),
      plain_borrow_(options.is_alive == nullptr && options.before_acquire == nullptr),
      plain_return_(options.reset == nullptr && options.after_release == nullptr),
      seed_(make_seed(this)), serial_(gate.serial), options_(options), dispose_(dispose),
      memory_(options.allocator), crew_(this), random_(make_seed(this) | 1) {
    snprintf(name_, sizeof name_, "%s", options.name);
    given_max_idle_ = options.max_idle;
    given_max_idle_per_key_ = options.max_idle_per_key;
    now_.max_open = options.max_open;
    now_.max_open_per_key = options.max_open_per_key;
    now_.max_waiters = options.max_waiters;
    now_.min_idle = options.min_idle;
    now_.max_dials = options.max_dials;
    now_.connect_timeout = options.connect_timeout;
    now_.keepalive = options.keepalive;
    now_.leak_threshold = options.leak_threshold;
    now_.reap_interval = options.reap_interval;
    now_.max_uses.store(options.max_uses != 0 ? options.max_uses : UINT64_MAX,
                        std::memory_order_relaxed);
    now_.max_lifetime.store(options.max_lifetime, std::memory_order_relaxed);
    now_.idle_timeout.store(options.idle_timeout, std::memory_order_relaxed);
    now_.validate_after.store(options.validate_after, std::memory_order_relaxed);
}

pool_status Conns::init(const void *key, size_t key_length, uint32_t initial) {
    fork_.in_child = in_child;
    fork_.pool = this;
    const Wanted home = {key, key_length, false, POOL_FOREVER, nullptr, 0, false};
    pool_status status = watch_fork(&fork_);
    watching_forks_ = status == POOL_OK;
    if (status == POOL_OK) {
        Surplus surplus(memory_);
        Turn turn(mutex_, this);
        status = find_key(turn, home, &surplus, &home_);
        if (home_ != nullptr) {
            home_->pins = 1;
            home_hash_ = home_->hash;
        }
    }
    Front::Table *table = status == POOL_OK ? Front::make(memory_, 1, 1) : nullptr;
    {
        Turn turn(mutex_, this);
        if (table != nullptr)
            front_.use(table); // without memory for it, the lock does everything
        front_.turn_off();
        put_in_force();
    }
    if (status == POOL_OK && initial != 0)
        status = fill(home, initial);
    if (status == POOL_OK && has_duties()) {
        Turn turn(mutex_, this);
        status = crew_.call(turn);
    }
    if (status == POOL_OK) {
        entry_.area = Area::kConns;
        entry_.name = name_;
        entry_.pool = this;
        entry_.read = read_stats;
        entry_.read_histogram = read_histogram;
        register_pool(&entry_);
    }
    return status;
}

void *Conns::no_handle() const {
    return built_in_ ? socket_conn(-1) : nullptr;
}

void Conns::read_stats(void *pool, void *stats) {
    *static_cast<pool_conns_stats *>(stats) = static_cast<Conns *>(pool)->stats();
}

bool Conns::read_histogram(void *pool, int32_t which, TimeHistogram *histogram) {
    const Histogram *of = static_cast<Conns *>(pool)->histogram(which);
    if (of != nullptr)
        *histogram = of->read<TimeHistogram>();
    return of != nullptr;
}

// ---- fork -----------------------------------------------------------------------------------

void Conns::in_child(ForkWatcher *watcher) {
    static_cast<Fork *>(watcher)->pool->repair_in_child();
}

// Nothing that the parent opened is used here: the protocol on it goes on over there. Of sockets of
// the built-in dialer the child closes its copies, which the parent's peer does not notice. What a
// dial callback made is handed to the abandon callback by the first call that uses the pool here;
// its close callback would say goodbye on the parent's connection. The keys are abandoned, but for
// the pool's own, since their lists may be half changed.
void Conns::repair_in_child() {
    new (&mutex_) Mutex;
    new (&keys_) KeyTable;
    new (&waiting_keys_) List<Key>;
    new (&forgotten_) List<Key>;
    new (&by_age_) List<AgeLink>;
    new (&abandoned_) ConnList;
    records_.forget_spare();
    front_.forget_all();
    drained_.forget_all();
    crew_.forget_all();
    idle_ = out_ = dialing_ = waiters_ = requests_ = foreign_ = 0;
    forks_++;
    uint32_t next = generation_.load(std::memory_order_relaxed) + 1;
    generation_.store(next != 0 ? next : 1, std::memory_order_relaxed);
    records_.for_each([this](Conn *conn) { abandon(conn); });
    if (home_ != nullptr) {
        home_->forget_all();
        keys_.insert(home_);
    }
}

void Conns::abandon(Conn *conn) {
    if (built_in_ && socket_fd(conn->handle) >= 0) {
        ::close(socket_fd(conn->handle));
        conn->handle = no_handle();
    }
    const bool lent = is_lent(conn->word.load(std::memory_order_relaxed));
    // One that is held may be in the middle of a dial, or of a close.
    const bool had_one = conn->state == ConnState::kIdle || conn->state == ConnState::kOut ||
                         (conn->state == ConnState::kHeld && conn->handle != no_handle() &&
                          conn->uses.load(std::memory_order_relaxed) != 0);
    new (static_cast<HomeLink *>(conn)) HomeLink;
    new (static_cast<AgeLink *>(conn)) AgeLink;
    conn->key = nullptr;
    conn->generation.store(0, std::memory_order_relaxed);
    past_uses_ += conn->uses.load(std::memory_order_relaxed);
    conn->uses.store(0, std::memory_order_relaxed);
    if (lent) {
        conn->state = ConnState::kForeign;
        foreign_++;
    } else if (had_one && !built_in_ && options_.abandon != nullptr) {
        conn->state = ConnState::kHeld;
        abandoned_.push_back(conn);
    } else {
        conn->state = ConnState::kSpare;
        records_.give_back(conn);
    }
}

// In the child: what was idle in the parent is given up. Those who hold leases of the parent have
// the connection itself.
void Conns::say_goodbye_to_abandoned(Turn &turn) {
    while (Conn *conn = abandoned_.pop_front()) {
        void *handle = conn->handle;
        recycle(conn);
        turn.unlock();
        call_contained("an abandon callback", [&] { options_.abandon(handle, options_.ctx); });
        turn.lock();
    }
}

} // namespace pool
