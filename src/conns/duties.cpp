// What the threads of a pool do: dial for those who wait, keep some connections ready, ask whether
// idle ones are still good, reap, and report leases that are out for too long.
//
// SPDX-License-Identifier: Apache-2.0
//
// Each duty is looked for under the lock; whoever does one lets the lock go for the part that takes
// time. A connection that is being pinged is held as if it were lent, so nobody else gets it.
#include "conns/conns.h"

#include "conns/key_text.h"
#include "platform/clock.h"
#include "platform/config.h"
#include "platform/status.h"
#include "sync/callback.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace pool {
namespace {

constexpr uint32_t kMostThreads = 16; // unless max_dials says otherwise
constexpr int64_t kLeastPeriod = 1000000;

int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int64_t period_of(int64_t time, int64_t parts) {
    int64_t period = time / parts;
    return period > kLeastPeriod ? period : kLeastPeriod;
}

// A copy of what is reported, since the lease may end meanwhile.
struct Report {
    pool_conns_lease_info info;
    char taker[kTakerBytes];
    char key[256];
};

} // namespace

uint32_t Conns::crew_limit() const {
    return now_.max_dials != 0 ? now_.max_dials : kMostThreads;
}

// Is there anything that could need a thread, now or later?
bool Conns::has_duties() const {
    if (closed_)
        return false;
    if (now_.min_idle != 0 || now_.keepalive != 0 || now_.leak_threshold != 0 ||
        now_.reap_interval != 0)
        return true;
    for (const Key *key = waiting_keys_.front(); key != nullptr; key = waiting_keys_.next(key))
        for (const ConnWaiter *waiter = key->line.first(); waiter != nullptr;
             waiter = key->line.next(waiter))
            if (crew_dials_for(waiter))
                return true;
    return false;
}

// True: something was done, look again.
bool Conns::do_duty(Turn &turn, int64_t now) {
    say_goodbye_to_abandoned(turn);
    expire_requests(turn, now);
    if (dial_for_waiters(turn, now) || dial_min_idle(turn, now))
        return true;
    if (now >= reap_due_) {
        reap_due_ = now + now_.reap_interval;
        turn.unlock();
        reap();
        turn.lock();
        return true;
    }
    if (now >= ping_due_)
        return keep_alive(turn, now);
    if (now >= leaks_due_)
        return report_leaks(turn, now);
    return false;
}

// When do_duty() will have something to do, if nothing happens until then.
int64_t Conns::next_duty(int64_t now) const {
    int64_t due = earlier(reap_due_, earlier(ping_due_, leaks_due_));
    for (const Key *key = waiting_keys_.front(); key != nullptr; key = waiting_keys_.next(key)) {
        bool dials = false;
        for (const ConnWaiter *waiter = key->line.first(); waiter != nullptr;
             waiter = key->line.next(waiter)) {
            dials = dials || crew_dials_for(waiter);
            if (waiter->request != nullptr && waiter->deadline != POOL_FOREVER)
                due = earlier(due, waiter->deadline);
        }
        if (dials && key->not_before > now)
            due = earlier(due, key->not_before);
    }
    if (now_.min_idle != 0 && home_->not_before > now)
        due = earlier(due, home_->not_before);
    return due;
}

// ---- dialing --------------------------------------------------------------------------------

// One dial for each who waits for the crew, and no key more than half of the threads: one that is
// slow must not hold up the others.
uint32_t Conns::wanted_dials(const Key *key, int64_t now) const {
    uint32_t fresh = 0, others = 0;
    for (const ConnWaiter *waiter = key->line.first(); waiter != nullptr;
         waiter = key->line.next(waiter))
        if (crew_dials_for(waiter) && !waiter->expired(now))
            (waiter->fresh ? fresh : others)++;
    // Some may have been woken to take what is idle.
    others -= others < key->idle_count ? others : key->idle_count;
    const uint32_t waiters = fresh + others;
    const uint32_t half = (crew_limit() + 1) / 2;
    const uint32_t most = waiters < half ? waiters : half;
    return most > key->crew_dialing ? most - key->crew_dialing : 0;
}

Key *Conns::next_to_dial(int64_t now) {
    Key *best = nullptr;
    for (Key *key = waiting_keys_.front(); key != nullptr; key = waiting_keys_.next(key))
        if (wanted_dials(key, now) > 0 && may_dial(key, now, key->line.first()->fresh) &&
            (best == nullptr || key->line.first()->ticket < best->line.first()->ticket))
            best = key;
    return best;
}

bool Conns::has_dials(int64_t now) {
    return next_to_dial(now) != nullptr || wants_min_idle(now);
}

bool Conns::dial_for_waiters(Turn &turn, int64_t now) {
    Key *key = next_to_dial(now);
    if (key == nullptr)
        return false;
    ConnList doomed;
    take_place(key, now, key->line.first()->fresh, &doomed);
    key->crew_dialing++; // counts, before the lock is let go
    if (next_to_dial(now) != nullptr)
        crew_.poke(turn);
    retire(turn, &doomed);
    dial_on_crew(turn, key);
    return true;
}

// With a place of the key, which was counted in crew_dialing. Whoever waits gets the connection, or
// one of them the failure.
void Conns::dial_on_crew(Turn &turn, Key *key) {
    key->pins++;
    Conn *conn = nullptr;
    const pool_status status = dial(turn, key, POOL_FOREVER, &conn);
    key->crew_dialing--;
    ConnList doomed;
    if (status == POOL_OK) {
        const int64_t now = clock_now();
        ConnWaiter *waiter = key->line.first_live(turn, now);
        while (waiter != nullptr && !(waiter->fresh && crew_dials_for(waiter)))
            waiter = key->line.next(waiter);
        if (pool_conns_reason reason = unwanted(conn)) {
            doom(conn, reason, &doomed);
        } else if (waiter != nullptr) { // who takes nothing that was idle
            conn->idle_since.store(now, std::memory_order_relaxed);
            waiter->conn = conn;
            finish_wait(turn, key, waiter, Outcome::kServed, now);
            serve(turn, key);
        } else {
            keep(turn, conn, now, &doomed);
        }
        retire(turn, &doomed);
    } else {
        ConnWaiter *waiter = key->line.first_live(turn, clock_now());
        while (waiter != nullptr && !crew_dials_for(waiter))
            waiter = key->line.next(waiter);
        if (waiter != nullptr) {
            waiter->failure = status;
            finish_wait(turn, key, waiter, Outcome::kCancelled, clock_now());
        }
        serve(turn, key);
    }
    key->pins--;
    forget_if_unused(key);
}

bool Conns::wants_min_idle(int64_t now) {
    if (closed_ || now_.min_idle == 0 || !home_->line.empty())
        return false;
    uint64_t idle = home_->idle_count;
    front_.peek(home_->hash, [&](const Conn *conn) { idle += conn->key == home_ ? 1 : 0; });
    return idle + home_->crew_dialing < now_.min_idle && may_dial_now(home_, now) &&
           home_->open < now_.max_open_per_key && (now_.max_open == 0 || open() < now_.max_open);
}

bool Conns::dial_min_idle(Turn &turn, int64_t now) {
    if (!wants_min_idle(now))
        return false;
    claim_place(home_);
    home_->crew_dialing++;
    if (wants_min_idle(now))
        crew_.poke(turn);
    dial_on_crew(turn, home_);
    tend_front();
    return true;
}

// ---- pings ----------------------------------------------------------------------------------

bool Conns::keep_alive(Turn &turn, int64_t now) {
    gather_all();
    Conn *due = nullptr;
    const int64_t least =
        now_.keepalive -
        static_cast<int64_t>(random() % static_cast<uint64_t>(now_.keepalive / 5 + 1));
    keys_.for_each([&](Key *key) {
        for (Conn *conn = key->idle.front(); conn != nullptr && due == nullptr;
             conn = key->idle.next(conn)) {
            const int64_t since = conn->idle_since.load(std::memory_order_relaxed);
            const int64_t pinged = conn->lent_at.load(std::memory_order_relaxed);
            if (now - (since > pinged ? since : pinged) >= least)
                due = conn;
        }
    });
    if (due == nullptr) {
        ping_due_ = now + period_of(now_.keepalive, 10);
        return false;
    }
    Key *key = due->key;
    const int64_t since = due->idle_since.load(std::memory_order_relaxed);
    unlink_idle(due);
    key->busy.push_back(due);
    turn.unlock();
    const bool good = call_validate(due, POOL_FOREVER);
    turn.lock();
    ConnList doomed;
    pool_conns_reason reason = good ? unwanted(due) : POOL_CONNS_INVALID;
    if (reason != 0) {
        doom(due, reason, &doomed);
    } else {
        due->lent_at.store(clock_now(), std::memory_order_relaxed);
        make_idle(due, since); // a ping is no use: it grows older all the same
        serve(turn, key);
    }
    retire(turn, &doomed);
    return true;
}

// ---- leases that are out for too long -------------------------------------------------------

bool Conns::report_leaks(Turn &turn, int64_t now) {
    const int64_t threshold = now_.leak_threshold;
    leaks_due_ = now + period_of(threshold, 4);
    constexpr int kAtOnce = 16;
    Report reports[kAtOnce];
    int count = 0;
    records_.for_each([&](Conn *conn) {
        const uint32_t word = conn->word.load(std::memory_order_acquire);
        const int64_t age = now - conn->lent_at.load(std::memory_order_relaxed);
        if (count == kAtOnce || !is_lent(word) || conn->state != ConnState::kOut ||
            age < threshold || conn->reported.load(std::memory_order_relaxed) == word)
            return;
        // It cannot be closed without the lock, so its key stays.
        Report &report = reports[count];
        report.info = {};
        report.info.size = sizeof report.info;
        report.info.age = age;
        report.info.conn = conn->handle;
        report.info.thread = conn->thread();
        copy_taker(conn, report.taker);
        const size_t length =
            conn->key->length < sizeof report.key ? conn->key->length : sizeof report.key;
        memcpy(report.key, conn->key->bytes(), length);
        report.info.key = report.key;
        report.info.key_length = length;
        report.info.taker = report.taker;
        conn->reported.store(word, std::memory_order_relaxed);
        conn->mark(kReported); // if it is another's by now, he finds no report of his
        if (conn->word.load(std::memory_order_acquire) == word)
            count++; // else it has just come back
    });
    if (count == 0)
        return false;
    counters_.leaks += static_cast<uint64_t>(count);
    turn.unlock();
    for (int i = 0; i < count; i++) {
        const pool_conns_lease_info &info = reports[i].info;
        if (options_.on_leak != nullptr)
            call_contained("an on_leak callback", [&] { options_.on_leak(&info, options_.ctx); });
        else
            log_line(2, "pool '%s': a lease of '%s' is out since %" PRId64 " ms, key '%.*s'", name_,
                     info.taker, info.age / 1000000, static_cast<int>(info.key_length),
                     static_cast<const char *>(info.key));
    }
    turn.lock();
    return true;
}

} // namespace pool
