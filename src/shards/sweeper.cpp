// SPDX-License-Identifier: Apache-2.0
#include "shards/sweeper.h"

#include "platform/clock.h"
#include "platform/fork.h"
#include "platform/pressure.h"
#include "platform/status.h"
#include "platform/thread.h"

#include <atomic>
#include <cerrno>
#include <ctime>
#include <new>
#include <pthread.h>

namespace pool {
namespace {

constexpr int64_t kSecond = 1000000000;

// What becomes of an order to stop. Lives with the thread that gave it and waits.
struct Stop {
    bool ended = false;     // the thread is at its end: join it
    bool withdrawn = false; // there is a client again
};

// Never destroyed. Everything but `stale` is guarded by fork_mutex().
//
// There is one thread at most: it is told to stop, and has stopped when it has said so itself. Who
// adds a client in between waits for that, but on the thread itself, which then goes on instead.
struct Sweeper : ForkWatcher {
    List<SweepClient> clients;
    SweepClient *sweeping = nullptr; // a sweep of it is running
    bool running = false;            // there is a thread
    bool stopping = false;           // and it has been told to stop
    Stop *stop = nullptr;            // by this; nullptr: by a callback of its own
    uint64_t rounds = 0;             // of sweeps for memory pressure
    pthread_t thread = {};
    pthread_cond_t changed; // any of these
    PressureWatch pressure;
    std::atomic<bool> stale{false}; // forked: the thread is the parent's

    void init_condition() {
        pthread_condattr_t attributes;
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&changed, &attributes);
        pthread_condattr_destroy(&attributes);
    }
};

void after_fork(ForkWatcher *);

Sweeper &sweeper() {
    alignas(Sweeper) static unsigned char memory[sizeof(Sweeper)];
    static Sweeper *const instance = [] {
        auto *made = new (memory) Sweeper;
        made->init_condition();
        made->in_child = after_fork;
        return made;
    }();
    return *instance;
}

void after_fork(ForkWatcher *) {
    Sweeper &s = sweeper();
    s.init_condition();
    s.sweeping = nullptr;
    s.pressure.close();
    if (s.running)
        s.stale.store(true, std::memory_order_relaxed);
    s.running = s.stopping = false;
    s.stop = nullptr;
}

bool on_sweeper(const Sweeper &s) {
    return s.running && pthread_equal(s.thread, pthread_self());
}

// The time to sleep until the first client is due, at most a second: a replaced clock may run
// faster than the one that sleeps.
int64_t time_to_next(const Sweeper &s, int64_t now) {
    int64_t wait = kSecond;
    for (SweepClient *client = s.clients.front(); client != nullptr;
         client = s.clients.next(client)) {
        if (client->period != 0 && client->due - now < wait)
            wait = client->due - now;
    }
    return wait > 0 ? wait : 0;
}

bool periodic(const Sweeper &s) {
    for (SweepClient *client = s.clients.front(); client != nullptr;
         client = s.clients.next(client))
        if (client->period != 0)
            return true;
    return false;
}

void wait_changed(Sweeper &s, std::unique_lock<std::mutex> &lock, int64_t wait) {
    timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanoseconds = until.tv_nsec + wait;
    until.tv_sec += nanoseconds / kSecond;
    until.tv_nsec = nanoseconds % kSecond;
    pthread_cond_timedwait(&s.changed, lock.mutex()->native_handle(), &until);
}

// Sweep, without the lock, every client for which `pick` holds at some moment of the round.
template <class Pick>
void sweep_clients(Sweeper &s, std::unique_lock<std::mutex> &lock, Pick pick) {
    SweepClient *client = s.clients.front();
    // A client that is removed meanwhile takes its place in the list with it, so each round begins
    // anew; `pick` no longer holds for those that are done.
    while (client != nullptr && !s.stopping) {
        if (!pick(client)) {
            client = s.clients.next(client);
            continue;
        }
        s.sweeping = client;
        lock.unlock();
        client->sweep(client);
        lock.lock();
        s.sweeping = nullptr;
        pthread_cond_broadcast(&s.changed);
        client = s.clients.front();
    }
}

void run(void *) {
    Sweeper &s = sweeper();
    std::unique_lock<std::mutex> lock(fork_mutex());
    while (!s.stopping) {
        int64_t now = clock_now();
        sweep_clients(s, lock, [&](SweepClient *client) {
            if (client->period == 0 || client->due > now)
                return false;
            client->due = now + client->period;
            return true;
        });
        if (s.stopping)
            break;
        int64_t wait = time_to_next(s, clock_now());
        if (!s.pressure.open()) {
            wait_changed(s, lock, wait);
            continue;
        }
        bool sleep_long = !periodic(s);
        lock.unlock();
        bool pressed = s.pressure.wait(sleep_long ? POOL_FOREVER : wait);
        lock.lock();
        // Twice, so that what nobody has taken since the last sweep goes, victims and all.
        for (int generation = 0; pressed && generation < 2; generation++) {
            s.rounds++;
            sweep_clients(s, lock, [&](SweepClient *client) {
                if (!client->on_pressure || client->round == s.rounds)
                    return false;
                client->round = s.rounds;
                return true;
            });
        }
    }
    if (s.stop != nullptr)
        s.stop->ended = true;
    else
        pthread_detach(s.thread); // nobody will join it
    s.running = s.stopping = false;
    s.stop = nullptr;
    s.pressure.close();
    pthread_cond_broadcast(&s.changed);
}

pool_status start(Sweeper &s) {
    pool_status status = start_thread({"pool-sweeper", 0, run, nullptr}, &s.thread);
    if (status == POOL_OK) {
        s.running = true;
        s.stale.store(false, std::memory_order_relaxed);
    }
    return status;
}

pool_status open_pressure(Sweeper &s) {
    for (SweepClient *client = s.clients.front(); client != nullptr;
         client = s.clients.next(client))
        if (client->on_pressure)
            return s.pressure.open() ? POOL_OK : s.pressure.start();
    return POOL_OK;
}

} // namespace

pool_status sweeper_add(SweepClient *client) {
    Sweeper &s = sweeper();
    pool_status watched = watch_fork(&s);
    if (watched != POOL_OK)
        return watched;
    std::unique_lock<std::mutex> lock(fork_mutex());
    if (s.stopping && on_sweeper(s)) {
        if (s.stop != nullptr)
            s.stop->withdrawn = true;
        s.stopping = false;
        s.stop = nullptr;
        pthread_cond_broadcast(&s.changed);
    }
    while (s.stopping)
        pthread_cond_wait(&s.changed, lock.mutex()->native_handle());
    client->due = clock_now() + client->period;
    s.clients.push_back(client);
    pool_status status = open_pressure(s);
    if (status == POOL_OK && !s.running)
        status = start(s);
    if (status != POOL_OK) {
        List<SweepClient>::remove(client);
        if (!s.running)
            s.pressure.close();
        return status;
    }
    pthread_cond_broadcast(&s.changed);
    s.pressure.wake();
    return POOL_OK;
}

void sweeper_remove(SweepClient *client) {
    Sweeper &s = sweeper();
    std::unique_lock<std::mutex> lock(fork_mutex());
    if (!client->linked())
        return;
    // A pool may be destroyed by another pool's callback on the sweeper itself.
    bool here = on_sweeper(s);
    while (s.sweeping == client && !here)
        pthread_cond_wait(&s.changed, lock.mutex()->native_handle());
    List<SweepClient>::remove(client);
    if (!s.clients.empty() || !s.running)
        return;
    Stop stop;
    s.stopping = true;
    s.stop = here ? nullptr : &stop;
    pthread_cond_broadcast(&s.changed);
    s.pressure.wake();
    if (here)
        return;
    pthread_t thread = s.thread;
    while (!stop.ended && !stop.withdrawn)
        pthread_cond_wait(&s.changed, lock.mutex()->native_handle());
    lock.unlock();
    if (stop.ended)
        pthread_join(thread, nullptr);
}

void sweeper_revive() {
    Sweeper &s = sweeper();
    if (!s.stale.load(std::memory_order_relaxed))
        return;
    std::lock_guard<std::mutex> guard(fork_mutex());
    if (!s.running && !s.clients.empty() && open_pressure(s) == POOL_OK)
        start(s);
}

} // namespace pool
