// Conns: connections by key, bounded, lent and taken back.
//
// SPDX-License-Identifier: Apache-2.0
//
// One mutex guards everything. Connections are dialed, checked and closed without it; what a thread
// does meanwhile is counted, so that the bounds hold at every instant:
//
//     open   = idle + in_use + dialing  <=  max_open
//     open(key)                         <=  max_open_per_key,  and the sum over keys is open
//
// in_use counts connections that are lent and those in the hands of a call that checks or closes
// them. A place in dialing is a thread's right to dial. A connection keeps its place until it is
// really closed, unless a thread takes the place over and closes it before it dials: that is how an
// idle connection of another key makes room (the least recently used one, as in http.Transport).
//
// Invariants, whenever mutex_ is free:
//   - No live waiter stands in line while it could be served: every event that frees a place, or
//     makes a connection idle, ends in serve(), which goes on until nobody can be served.
//   - dials = dial_fails + closed by reason + detached + idle + in_use + those in dialing that have
//     begun, but for what a fork took away.
//   - A key is known while it has a place or a waiter. A thread that works without the lock holds a
//     place of its key, so the key stays.
//   - A fork may catch another thread anywhere, so the child trusts nothing here but single words
//     and the chain of records.
//   - The pool ends after destroy() with the last place. A call that gives one back does not touch
//     the pool afterwards.
//
// Who is served first: the oldest waiter of the key whose connection comes back; except that an
// older waiter whose key has no connection at all goes before, because nothing that others give
// back would ever serve it. Places go to the oldest waiter of any key that can use one.
#pragma once

#include "conns/conn.h"
#include "conns/key_table.h"
#include "platform/fork.h"
#include "platform/memory.h"
#include "platform/registry.h"
#include "sync/event.h"

#include <atomic>
#include <mutex>

namespace pool {

class Conns {
public:
    // The options with every default filled in; `built_in`: their callbacks are the built-in
    // dialer. `dispose` frees the object itself, as the last thing that is done with it.
    Conns(const pool_conns_options &options, bool built_in, void (*dispose)(Conns *));
    Conns(const Conns &) = delete;
    Conns &operator=(const Conns &) = delete;

    // Before anything else. After a failure call destroy() all the same.
    pool_status init();

    pool_status acquire(const void *key, size_t key_length, int64_t timeout, Conn **out);
    pool_status release(Conn *conn) { return give_back(conn, 0, nullptr); }
    pool_status discard(Conn *conn) { return give_back(conn, POOL_CONNS_BROKEN, nullptr); }
    pool_status detach(Conn *conn, void **handle) { return give_back(conn, 0, handle); }

    pool_status clear();
    pool_status reap();
    pool_status close(int64_t timeout, uint64_t *still_out);
    void destroy();

    pool_conns_stats stats();
    const char *name() const { return name_; }
    bool built_in() const { return built_in_; }
    const pool_allocator *allocator() const { return custom_allocator_ ? &allocator_ : nullptr; }

private:
    // What find_key() has allocated for nothing; freed once the lock is let go.
    struct Surplus {
        explicit Surplus(Memory &from) : memory(from) {}
        ~Surplus();
        Surplus(const Surplus &) = delete;
        Surplus &operator=(const Surplus &) = delete;

        Memory &memory;
        Key *key = nullptr;
        KeyTable::Buckets buckets;
    };

    // acquire.cpp
    pool_status find_key(Section &section, const void *bytes, size_t length, Surplus *surplus,
                         Key **found);
    pool_conns_reason check(Section &section, Conn *conn);
    pool_conns_reason unwanted(const Conn *conn) const;
    pool_status dial(Section &section, Key *key, int64_t deadline, Conn **out);
    pool_status call_dial(Section &section, Key *key, int64_t deadline, Conn *conn);
    void drop_dial(Section &section, Key *key, Conn *conn);
    pool_status wait_in_line(Section &section, Key *key, int64_t deadline, List<Conn> *doomed,
                             Conn **conn);
    pool_status lend(Conn *conn, bool fresh, Conn **out);
    pool_status time_out(Key *key);

    // give_back.cpp
    pool_status give_back(Conn *conn, pool_conns_reason reason, void **detached);
    void keep(Section &section, Conn *conn, int64_t now, List<Conn> *doomed);
    bool starves(Section &section, int64_t now, uint64_t before_ticket);

    // serve.cpp
    void serve(Section &section);
    ConnWaiter *next_servable(Section &section, int64_t now, Key **key);
    bool can_serve(const Key *key) const;
    void finish_wait(Section &section, Key *key, ConnWaiter *waiter, Outcome outcome, int64_t now);
    void leave_line(Key *key);
    Conn *take_idle(Key *key);
    void make_idle(Conn *conn, int64_t now);
    void unlink_idle(Conn *conn);
    bool take_place(Key *key, List<Conn> *doomed);
    void take_over(Conn *conn, Key *key);
    void drop_place(Section &section, Key *key);

    // closing.cpp
    pool_conns_reason past_use(const Conn *conn, int64_t now) const;
    void doom(Conn *conn, pool_conns_reason reason, List<Conn> *doomed);
    void doom_all_idle(pool_conns_reason reason, List<Conn> *doomed);
    void expire(Key *key, int64_t now, List<Conn> *doomed);
    int64_t idle_until(const Conn *conn) const;
    void retire(Section &section, List<Conn> *doomed);
    void recycle(Conn *conn);
    void forget_if_unused(Key *key);
    void free_forgotten(Section &section);
    void free_key(Key *key);
    void shut(Section &section);
    void leave(Section &section);
    void free_everything();

    // conns.cpp
    int64_t end_of_life(int64_t now);
    void *no_handle() const;
    static void read_stats(void *pool, void *stats);
    static void in_child(ForkWatcher *watcher);
    void repair_in_child();
    void abandon(Conn *conn);

    uint64_t open() const { return idle_ + in_use_ + dialing_; }

    // Never change after the constructor.
    char name_[64];
    const pool_conns_dial_fn dial_;
    const pool_conns_close_fn close_;
    const pool_conns_is_alive_fn is_alive_;
    void *const ctx_;
    void (*const ctx_free_)(void *ctx);
    void (*const dispose_)(Conns *);
    const uint32_t max_open_; // 0: no bound
    const uint32_t max_open_per_key_;
    const uint32_t max_idle_; // 0: no bound
    const uint32_t max_idle_per_key_;
    const uint32_t max_waiters_; // 0: no bound
    const int64_t connect_timeout_;
    const int64_t idle_timeout_;
    const int64_t max_lifetime_;
    const bool built_in_;
    const bool custom_allocator_;
    const pool_allocator allocator_;
    Memory memory_;

    std::mutex mutex_; // guards everything below
    bool closed_ = false;
    bool destroyed_ = false;
    bool callbacks_over_ = false; // ctx_free has been, or is being, called
    unsigned forks_ = 0;          // that this process is away from the one that made the pool
    KeyTable keys_;
    List<Key> waiting_keys_; // those with waiters
    List<Key> forgotten_;    // no longer known, to be freed by a call that is not a release
    List<Conn> spare_;       // records without a connection
    std::atomic<Conn *> made_{nullptr}; // the newest of all records
    List<Conn::AgeLink> by_age_;        // idle connections of all keys, most recently used first
    WaiterQueue<Waiter> drained_;       // callers of close
    uint64_t next_ticket_ = 0;
    uint64_t generation_ = 0;
    uint64_t random_; // never 0
    uint64_t idle_ = 0;
    uint64_t in_use_ = 0;
    uint64_t dialing_ = 0;
    uint64_t waiters_ = 0;
    uint64_t foreign_ = 0;                            // leases that belong to the parent process
    uint64_t closed_by_[POOL_CONNS_CLEARED + 1] = {}; // connections closed, by reason
    pool_conns_stats counters_ = {};                  // the other fields that only grow

    struct Fork : ForkWatcher {
        Conns *pool = nullptr;
    } fork_;
    bool watching_forks_ = false;
    RegistryEntry entry_;
};

} // namespace pool
