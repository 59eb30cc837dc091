// Standing in line.
//
// SPDX-License-Identifier: Apache-2.0
#include "conns/conns.h"

#include "conns/key_text.h"
#include "platform/clock.h"
#include "platform/config.h"
#include "platform/status.h"

namespace pool {

// POOL_OK with a connection in *conn, or else with a place to dial; what must be closed before is in
// `doomed`. After a failure the key may be gone.
pool_status Conns::wait_in_line(Turn &turn, Key *key, const Wanted &wanted, int64_t deadline,
                                ConnList *doomed, Conn **conn) {
    int64_t now = clock_now();
    pool_status status = POOL_OK;
    if ((options_.flags & POOL_CONNS_FAIL_FAST) != 0 && now < key->not_before) {
        counters_.backed_off++;
        status = failed_before(key);
    } else if (now_.max_waiters != 0 && waiters_ >= now_.max_waiters) {
        status = too_many_wait();
    } else {
        status = check_nested(turn, key);
        if (status == POOL_OK && closed_)
            status = fail(POOL_ECLOSED, "pool '%s' is closed", name_);
    }
    if (status != POOL_OK) {
        forget_if_unused(key);
        return status;
    }
    ConnWaiter waiter(deadline, wanted.priority, wanted.fresh, now);
    enter_line(key, &waiter);
    counters_.waits++;
    if (crew_dials_for(&waiter))
        crew_.poke(turn);
    // Each time it is awake it serves whoever comes first, which may be itself.
    for (;;) {
        if (key->line.nudged == &waiter)
            key->line.nudged = nullptr;
        serve(turn, key, &waiter);
        if (waiter.outcome != Outcome::kWaiting)
            break;
        now = clock_now();
        if (waiter.expired(now)) {
            leave_line(key, &waiter, Outcome::kExpired, now);
            status = time_out(key);
            key->pins++;
            serve(turn, key);
            key->pins--;
            forget_if_unused(key);
            return status;
        }
        const int64_t until =
            deadline == POOL_FOREVER || waiter.timer < deadline ? waiter.timer : deadline;
        waiter.event.clear();
        turn.unlock();
        waiter.event.wait(until == INT64_MAX ? POOL_FOREVER : until);
        turn.lock();
        waiter.timer = INT64_MAX;
        if (waiter.outcome != Outcome::kWaiting)
            break;
    }
    if (waiter.outcome == Outcome::kServed) {
        *conn = waiter.conn;
        if (waiter.victim != nullptr)
            doomed->push_back(waiter.victim);
        return POOL_OK;
    }
    if (waiter.failure != POOL_OK) {
        const Key *known = find(wanted); // it may have gone meanwhile
        const char *text = known != nullptr ? known->failure_text : nullptr;
        return fail(waiter.failure, "pool '%s': the dial that the caller waited for failed: %s",
                    name_, text != nullptr ? text : "the pool knows no more of it");
    }
    return fail(POOL_ECLOSED, "pool '%s' was closed while the caller waited", name_);
}

// One that comes back, since what it was given was no good, stands where it stood.
void Conns::enter_line(Key *key, ConnWaiter *waiter, bool again) {
    if (!again)
        waiter->ticket = next_ticket_++;
    if (key->line.empty())
        waiting_keys_.push_back(key);
    key->line.enter(waiter, again);
    waiters_++;
}

void Conns::leave_line(Key *key, ConnWaiter *waiter, Outcome outcome, int64_t now) {
    key->line.leave(waiter, outcome);
    counters_.wait_time += static_cast<uint64_t>(now - waiter->since);
    waits_.add(now - waiter->since);
    waiters_--;
    if (key->line.empty()) {
        List<Key>::remove(key);
        disarm(key);
    }
}

pool_status Conns::time_out(Key *key) {
    counters_.timeouts++;
    if (key->fails_in_a_row != 0 && key->failure_text != nullptr)
        return fail(POOL_ETIMEDOUT,
                    "pool '%s': no connection for key '%s' within the timeout; the last dial: %s",
                    name_, KeyText(key).text, key->failure_text);
    return fail(POOL_ETIMEDOUT, "pool '%s': no connection for key '%s' within the timeout", name_,
                KeyText(key).text);
}

pool_status Conns::too_many_wait() {
    counters_.refused++;
    return fail(POOL_EFULL, "pool '%s': %u wait already", name_, now_.max_waiters);
}

pool_status Conns::failed_before(const Key *key) {
    return fail(key->last_failure, "pool '%s': key '%s' is backing off; the last dial: %s", name_,
                KeyText(key).text, key->failure_text != nullptr ? key->failure_text : "failed");
}

// A thread that holds every connection there may be for the key can only be helped by itself, unless
// it has handed some of them to other threads.
bool Conns::waits_for_itself(const Key *key) const {
    if (key->open < now_.max_open_per_key)
        return false;
    const auto self = reinterpret_cast<uintptr_t>(__builtin_thread_pointer());
    uint32_t own = 0;
    for (const Conn *conn = key->busy.front(); conn != nullptr; conn = key->busy.next(conn))
        if (!is_lent(conn->word.load(std::memory_order_relaxed)) || conn->thread() != self)
            return false;
        else
            own++;
    return own == key->open;
}

pool_status Conns::check_nested(Turn &turn, Key *key) {
    if (!waits_for_itself(key))
        return POOL_OK;
    counters_.nested++;
    const uint32_t open = key->open;
    const KeyText text(key);
    if ((options_.flags & POOL_CONNS_FAIL_NESTED) != 0)
        return fail(POOL_EDEADLK,
                    "pool '%s': the calling thread holds all %u connections of key '%s' itself",
                    name_, open, text.text);
    key->pins++;
    turn.unlock();
    log_line(2, "pool '%s': a thread waits for a connection of key '%s' and holds all %u itself",
             name_, text.text, open);
    turn.lock();
    key->pins--;
    return POOL_OK;
}

} // namespace pool
