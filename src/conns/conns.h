// Conns: connections by key, bounded, lent and taken back.
//
// SPDX-License-Identifier: Apache-2.0
//
// One mutex guards everything but the front: the slots in which connections wait that were just
// given back (front.h). Most acquires and releases end there and never come here. Connections are
// dialed, checked and closed without the mutex; what a thread does meanwhile is counted, so that the
// bounds hold at every instant:
//
//     open   = idle + out + dialing  <=  max_open
//     open(key)                      <=  max_open_per_key,  and the sum over keys is open
//
// `out` counts connections that are lent, those in the slots of the front, and those in the hands of
// a call that checks or closes them. A place in dialing is the right to dial. A connection keeps its
// place until it is really closed, unless a call takes the place over and closes it before it dials:
// that is how an idle connection of another key makes room (the least recently used one, as in
// http.Transport).
//
// Invariants, whenever mutex_ is free:
//   - No live waiter stands in line while it could be served, but for one that has been woken to
//     see to that itself: every event that frees a place, or makes a connection idle, ends in
//     serve(). A release that ends in the front is such an event too: if anybody waits for that
//     key, its bit in the front's attention is set, and the release goes on to serve().
//   - dials + adopted = dial_fails + closed by reason + detached + idle + out + those in dialing
//     that have begun, but for what a fork took away.
//   - A key is known while it has a place or a waiter. A thread that works without the lock holds a
//     place of its key, so the key stays.
//   - A fork may catch another thread anywhere, so the child trusts nothing here but single words
//     and the chain of records.
//   - The pool ends after destroy() with the last place and the last request. A call that gives one
//     back does not touch the pool afterwards, but for its gate, which is never unmapped.
//
// Who is served first: the first in the key's line; except that an older waiter whose key has no
// connection at all goes before, because nothing that others give back would ever serve it. Places
// go to the oldest waiter of any key that can use one.
#pragma once

#include "conns/crew.h"
#include "conns/front.h"
#include "conns/key.h"
#include "conns/key_table.h"
#include "conns/records.h"
#include "conns/request.h"
#include "conns/turn.h"
#include "platform/fork.h"
#include "platform/histogram.h"
#include "platform/memory.h"
#include "platform/registry.h"
#include "pool/conn_stats.h"
#include "sync/waiters.h"

#include <atomic>

namespace pool {

// The part of a pool that a late release may still look at when the pool has ended: it is used again
// for another pool, but never unmapped. The serial number changes when a pool ends, under the mutex.
struct Gate {
    Mutex mutex;
    uint64_t serial = 0;
    Front front;
};

// What an acquire wants.
struct Wanted {
    const void *bytes;
    size_t length;
    bool home; // the pool's own key, whatever `bytes` are
    int64_t timeout;
    const char *taker;
    int32_t priority;
    bool fresh;
};

// How long the first in line lets newcomers pass, ns. Long against what a thread takes to wake up,
// short for whoever waits; as for Go's sync.Mutex.
constexpr int64_t kPatience = 1000000;

// What examine() says of a connection that before_acquire refuses, beside the public reasons.
constexpr pool_conns_reason kRefused = -1;

class Conns {
public:
    // The options with every default filled in; `built_in`: dial and close are the built-in
    // dialer's. `dispose` frees the object itself, as the last thing that is done with it.
    Conns(Gate &gate, const pool_conns_options &options, bool built_in, void (*dispose)(Conns *));
    Conns(const Conns &) = delete;
    Conns &operator=(const Conns &) = delete;

    // Before anything else. After a failure call destroy() all the same.
    pool_status init(const void *key, size_t key_length, uint32_t initial);

    pool_status acquire(const void *key, size_t key_length, int64_t timeout,
                        pool_conns_lease **out);
    pool_status acquire(const Wanted &wanted, pool_conns_lease **out);
    static pool_status release(pool_conns_lease *lease);
    static pool_status discard(pool_conns_lease *lease);
    static pool_status detach(pool_conns_lease *lease, void **handle);
    static pool_status renew(pool_conns_lease *lease);
    pool_status run(const Wanted &wanted, pool_conns_run_fn fn, void *arg);

    pool_status start_request(const Wanted &wanted, pool_conns_request_fn on_done, void *ctx,
                              Request **out);
    pool_status wait_request(Request *request, int64_t timeout);
    pool_status cancel_request(Request *request);
    pool_status finish_request(Request *request, pool_conns_lease **out);
    void destroy_request(Request *request);
    int32_t request_fd(Request *request);

    pool_status fill(const Wanted &wanted, uint32_t count);
    pool_status adopt(const Wanted &wanted, void *handle);
    pool_status clear();
    pool_status clear_key(const Wanted &wanted);
    pool_status close_idle();
    pool_status reap();
    pool_status set(pool_conns_setting setting, int64_t value);
    pool_status close(int64_t timeout, uint64_t *still_out);
    pool_status destroy();

    pool_conns_stats stats();
    pool_conns_key_stats key_stats(const Wanted &wanted);
    const Histogram *histogram(pool_conns_time which) const;
    pool_status visit_leases(int64_t min_age, pool_conns_lease_fn visit, void *arg);
    const char *name() const { return name_; }
    bool built_in() const { return built_in_; }

private:
    friend class Crew;
    friend class Turn;

    // What find_key() has allocated for nothing; freed once the lock is let go.
    struct Surplus {
        explicit Surplus(Memory &from) : memory(from) {}
        ~Surplus();
        Surplus(const Surplus &) = delete;
        Surplus &operator=(const Surplus &) = delete;

        Memory &memory;
        Key *key = nullptr;
        KeyTable::Buckets buckets;
        Front::Table *table = nullptr;
    };

    // Bounds and times in force. Those that are atomic are read without the lock.
    struct Settings {
        uint32_t max_open;
        uint32_t max_open_per_key;
        uint32_t max_idle;
        uint32_t max_idle_per_key;
        uint32_t max_waiters;
        uint32_t max_dials;
        int64_t connect_timeout;
        int64_t keepalive;
        int64_t leak_threshold;
        int64_t reap_interval;
        std::atomic<int64_t> max_lifetime;
        std::atomic<uint32_t> min_idle;
        std::atomic<uint64_t> max_uses; // UINT64_MAX: no bound
        std::atomic<int64_t> idle_timeout;
        std::atomic<int64_t> validate_after;
    };

    // acquire.cpp
    pool_status acquire_slowly(const Wanted &wanted, Conn *taken, pool_conns_lease **out);
    pool_conns_lease *lend(Conn *conn, int64_t now);
    pool_status refused_new();
    void make_room_for_taker(Conn *conn);
    static void name_taker(Conn *conn, const char *name);
    static void copy_taker(const Conn *conn, char (&to)[kTakerBytes]);
    uint64_t hash(const Wanted &wanted) const;
    bool is_of(const Conn *conn, const Wanted &wanted, uint64_t hash) const;
    Key *find(const Wanted &wanted) const;
    pool_status find_key(Turn &turn, const Wanted &wanted, Surplus *surplus, Key **found);
    bool must_queue(Key *key, int64_t now);

    // health.cpp
    pool_conns_reason examine(Conn *conn, int64_t deadline, bool fresh);
    pool_conns_reason unwanted(const Conn *conn) const;
    pool_conns_reason past_use(const Conn *conn, int64_t now) const;
    bool call_hook(pool_conns_hook_fn hook, Conn *conn, const char *what);
    bool call_validate(Conn *conn, int64_t deadline);
    pool_conns_reason clean(Conn *conn);
    int64_t validate_until(int64_t now, int64_t deadline) const;
    int64_t fresh_for() const;
    int64_t idle_until(int64_t idle_since) const;
    void set_expiry(Conn *conn) const;

    // dialing.cpp
    bool may_dial(Key *key, int64_t now, bool fresh);
    bool may_dial_now(const Key *key, int64_t now) const;
    bool evictable();
    bool take_place(Key *key, int64_t now, bool fresh, ConnList *doomed);
    void claim_place(Key *key);
    void take_over(Conn *conn, Key *key);
    void drop_place(Turn &turn, Key *key);
    pool_status dial(Turn &turn, Key *key, int64_t deadline, Conn **out);
    pool_status call_dial(Turn &turn, Key *key, int64_t deadline, Conn *conn);
    void drop_dial(Turn &turn, Key *key, Conn *conn, pool_status status);
    void back_off(Key *key, pool_status status, int64_t now);
    Conn *new_record(Turn &turn);
    uint64_t random();

    // waiting.cpp
    pool_status wait_in_line(Turn &turn, Key *key, const Wanted &wanted, int64_t deadline,
                             ConnList *doomed, Conn **conn);
    void enter_line(Key *key, ConnWaiter *waiter, bool again = false);
    void leave_line(Key *key, ConnWaiter *waiter, Outcome outcome, int64_t now);
    pool_status time_out(Key *key);
    pool_status too_many_wait();
    pool_status failed_before(const Key *key);
    pool_status check_nested(Turn &turn, Key *key);
    bool waits_for_itself(const Key *key) const;

    // serve.cpp
    void serve(Turn &turn, Key *key, ConnWaiter *self = nullptr);
    void serve_from(Turn &turn, Key *key);
    bool serve_first(Turn &turn, Key *key, int64_t now, ConnWaiter *self);
    void serve_all(Turn &turn);
    void serve_everybody(Turn &turn);
    ConnWaiter *next_servable(Turn &turn, int64_t now, Key **key);
    bool starves(Turn &turn, int64_t now, uint64_t before_ticket);
    bool hands_over(const Key *key, const ConnWaiter *first, int64_t now) const;
    void finish_wait(Turn &turn, Key *key, ConnWaiter *waiter, Outcome outcome, int64_t now);
    void nudge(Turn &turn, Key *key, ConnWaiter *waiter);
    void arm(Key *key);
    void disarm(Key *key);
    Conn *take_idle(Key *key);
    bool has_idle(Key *key);
    void gather(Key *key);
    void gather_all();
    void settle(Conn *conn);
    void make_idle(Conn *conn, int64_t since);
    void unlink_idle(Conn *conn);
    bool crew_dials_for(const ConnWaiter *waiter) const;
    bool has_dialers() const;

    // give_back.cpp
    static pool_status misused();
    pool_status give_back(Conn *conn, uint32_t word, pool_conns_reason reason, void **detached);
    pool_status give_back_foreign(Conn *conn);
    void keep(Turn &turn, Conn *conn, int64_t since, ConnList *doomed);
    void put_aside(Conn *conn);
    void end_hold(Conn *conn);
    static void look(Gate &gate, uint64_t serial, Conns *pool, Front::Table *table,
                     Front::Slot *slot, uint64_t hash);
    void tell_returned(Conn *conn, uint32_t word);

    // closing.cpp
    void doom(Conn *conn, pool_conns_reason reason, ConnList *doomed);
    void doom_all_idle(pool_conns_reason reason, ConnList *doomed);
    bool is_kept_ready(const Key *key) const;
    void expire(Key *key, int64_t now, ConnList *doomed);
    void retire(Turn &turn, ConnList *doomed);
    void close_one(void *handle, pool_conns_reason reason);
    void recycle(Conn *conn);
    void forget_if_unused(Key *key);
    void forget_old_failures(int64_t now);
    void free_forgotten(Turn &turn);
    void free_key(Key *key);
    void shut(Turn &turn);
    void tell_drained(Turn &turn);
    void leave(Turn &turn);
    void free_everything();

    // requests.cpp
    void end_request(Turn &turn, Request *request, pool_status status, Conn *conn);
    void show_end(Turn &turn, Request *request);
    void end_served(Turn &turn, Request *request);
    void tell_ended(Request *request);
    void drop_request(Turn &turn, Request *request);
    void expire_requests(Turn &turn, int64_t now);

    // settings.cpp
    void put_in_force();
    void trim(ConnList *doomed);
    void look_for_overfull();
    pool_status store(pool_conns_setting setting, int64_t value);

    // duties.cpp: what the threads of the pool do
    bool do_duty(Turn &turn, int64_t now);
    int64_t next_duty(int64_t now) const;
    bool has_duties() const;
    bool has_dials(int64_t now);
    uint32_t crew_limit() const;
    uint32_t wanted_dials(const Key *key, int64_t now) const;
    Key *next_to_dial(int64_t now);
    bool dial_for_waiters(Turn &turn, int64_t now);
    bool dial_min_idle(Turn &turn, int64_t now);
    bool wants_min_idle(int64_t now);
    void dial_on_crew(Turn &turn, Key *key);
    bool keep_alive(Turn &turn, int64_t now);
    bool report_leaks(Turn &turn, int64_t now);

    // conns.cpp
    void *no_handle() const;
    static void read_stats(void *pool, void *stats);
    static bool read_histogram(void *pool, int32_t which, TimeHistogram *histogram);
    static void in_child(ForkWatcher *watcher);
    void repair_in_child();
    void abandon(Conn *conn);
    void say_goodbye_to_abandoned(Turn &turn);
    void tend_front();
    uint64_t front_most() const;
    uint64_t open() const { return idle_ + out_ + dialing_; }

    // Never change after the constructor.
    Gate &gate_;
    Mutex &mutex_; // the gate's; guards everything below
    Front &front_;
    const bool strict_; // nobody overtakes
    const bool built_in_;
    const bool plain_borrow_; // nothing is called before lending
    const bool plain_return_; // nor when it comes back
    Key *home_ = nullptr;
    uint64_t home_hash_ = 0;
    const uint64_t seed_;
    const uint64_t serial_;
    const pool_conns_options options_; // the callbacks, flags and rules in it
    void (*const dispose_)(Conns *);
    char name_[64];
    Memory memory_;

    Settings now_;
    uint32_t given_max_idle_; // as it was asked for: what is in force follows max_open
    uint32_t given_max_idle_per_key_;
    std::atomic<uint32_t> generation_{1}; // never 0
    std::atomic<int64_t> sampled_at_{INT64_MIN};
    std::atomic<int64_t> fresh_for_{INT64_MIN};
    std::atomic<bool> exact_ages_{false}; // there may be a choice whose connection makes room
    std::atomic<uint64_t> validations_{0};
    std::atomic<uint64_t> validate_fails_{0};
    std::atomic<uint64_t> reset_fails_{0};
    Histogram waits_;
    Histogram dials_;
    Histogram holds_;

    bool closed_ = false;
    bool front_suits_ = true; // no record has an address that a slot cannot hold
    bool overfull_ = false;   // more are open than a bound that was lowered allows
    bool destroyed_ = false;
    bool callbacks_over_ = false; // ctx_free has been, or is being, called
    unsigned forks_ = 0;          // that this process is away from the one that made the pool
    KeyTable keys_;
    List<Key> waiting_keys_; // those with waiters
    List<Key> forgotten_;    // no longer known, to be freed by a call that is not a release
    Records records_;
    List<AgeLink> by_age_;        // idle connections of all keys, most recently used first
    ConnList abandoned_;          // of the parent: to be told so
    WaiterQueue<Waiter> drained_; // callers of close
    Crew crew_;
    uint64_t next_ticket_ = 0;
    uint64_t random_; // never 0
    uint64_t idle_ = 0;
    uint64_t out_ = 0;
    uint64_t dialing_ = 0;
    uint64_t waiters_ = 0;
    uint64_t requests_ = 0;    // that exist
    uint64_t foreign_ = 0;     // leases that belong to the parent process
    uint64_t past_uses_ = 0;   // of connections that are gone
    uint64_t fresh_lends_ = 0; // leases of connections that were never lent before
    uint64_t closed_by_[POOL_CONNS_MAX_USES + 1] = {}; // connections closed, by reason
    pool_conns_stats counters_ = {};                   // the other fields that only grow
    int64_t reap_due_ = INT64_MAX;
    int64_t ping_due_ = INT64_MAX;
    int64_t leaks_due_ = INT64_MAX;

    struct Fork : ForkWatcher {
        Conns *pool = nullptr;
    } fork_;
    bool watching_forks_ = false;
    RegistryEntry entry_;
};

} // namespace pool
