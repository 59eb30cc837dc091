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

// Never destroyed. Everything but `stale` is guarded by fork_mutex().
struct Sweeper : ForkWatcher {
    List<SweepClient> clients;
    SweepClient *sweeping = nullptr; // a sweep of it is running
    bool running = false;
    bool stopping = false;
    bool watching = false; // for forks
    pthread_t thread = {};
    pthread_cond_t changed; // a client, `sweeping` or `stopping`
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

Sweeper &sweeper() {
    alignas(Sweeper) static unsigned char memory[sizeof(Sweeper)];
    static Sweeper *const instance = [] {
        auto *made = new (memory) Sweeper;
        made->init_condition();
        return made;
    }();
    return *instance;
}

void after_fork(ForkWatcher *) {
    Sweeper &s = sweeper();
    s.init_condition();
    s.sweeping = nullptr;
    s.stopping = false;
    s.pressure.close();
    s.stale.store(s.running, std::memory_order_relaxed);
    s.running = false;
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
            int64_t round = clock_now();
            sweep_clients(s, lock, [&](SweepClient *client) {
                if (!client->on_pressure || client->pressed_at == round)
                    return false;
                client->pressed_at = round;
                return true;
            });
        }
    }
}

pool_status start(Sweeper &s) {
    s.stopping = false;
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
    if (!s.watching) {
        s.in_child = after_fork;
        pool_status status = watch_fork(&s);
        if (status != POOL_OK)
            return status;
        s.watching = true;
    }
    std::lock_guard<std::mutex> guard(fork_mutex());
    client->due = clock_now() + client->period;
    s.clients.push_back(client);
    pool_status status = open_pressure(s);
    if (status == POOL_OK && !s.running)
        status = start(s);
    if (status != POOL_OK) {
        List<SweepClient>::remove(client);
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
    bool on_sweeper = s.running && pthread_equal(s.thread, pthread_self());
    while (s.sweeping == client && !on_sweeper)
        pthread_cond_wait(&s.changed, lock.mutex()->native_handle());
    List<SweepClient>::remove(client);
    if (!s.clients.empty() || !s.running)
        return;
    s.stopping = true;
    pthread_cond_broadcast(&s.changed);
    s.pressure.wake();
    pthread_t thread = s.thread;
    s.running = false;
    lock.unlock();
    // A pool may be destroyed by another pool's callback on the sweeper itself.
    if (on_sweeper)
        pthread_detach(thread);
    else
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
