// Who gets what: places, idle connections and the waiters in line for them.
//
// SPDX-License-Identifier: Apache-2.0
//
// Everything here happens under the lock and calls nobody.
//
// A connection that comes back while somebody waits is either handed over or only made idle. Handed
// over, nobody else can get it, but it lies idle until the thread that waits has woken up; if each
// release does that, every user runs at the speed of the scheduler. So as long as the first in line
// has not waited for long, it is only nudged: woken to take what is idle, in competition with those
// who happen to be running. While one is nudged, nobody else is woken and releases end in the front
// as usual; so a nudge costs one system call for all releases until it has been followed. One who
// finds nothing stays where it was in line. Once the first in line has waited for kPatience,
// connections are handed over.
//
// The attention of the front (`armed`) is set while a key has live waiters of whom none is nudged.
// Whoever sets it looks for idle connections after that, so none is missed.
#include "conns/conns.h"

#include "platform/clock.h"

namespace pool {

// The one end of every event that frees capacity for a key. `self` is the caller, if it stands in
// that line.
void Conns::serve(Turn &turn, Key *key, ConnWaiter *self) {
    if (closed_) {
        tell_drained(turn);
        return;
    }
    if (key->line.empty())
        return;
    const int64_t now = clock_now();
    while (serve_first(turn, key, now, self)) {
    }
}

// A connection of the key has become idle. nullptr: nobody waits for that key.
void Conns::serve_from(Turn &turn, Key *key) {
    if (closed_ || waiting_keys_.empty())
        return;
    const int64_t now = clock_now();
    ConnWaiter *first = key != nullptr ? key->line.first_live(turn, now) : nullptr;
    if (first != nullptr && starves(turn, now, first->ticket))
        serve_all(turn);
    if (key != nullptr)
        serve(turn, key);
    serve_all(turn);
}

// Serve the first in line, or see to it that it will be. True: look again.
bool Conns::serve_first(Turn &turn, Key *key, int64_t now, ConnWaiter *self) {
    ConnWaiter *first = key->line.first_live(turn, now);
    if (first == nullptr)
        return false;
    // One who wants a fresh connection does not hold up those who would take what is idle.
    ConnWaiter *taker = first;
    while (taker != nullptr && (taker->fresh || taker->expired(now)))
        taker = key->line.next(taker);
    if (taker != nullptr && has_idle(key)) {
        if (taker == self || hands_over(key, taker, now)) {
            if (taker != self)
                counters_.handoffs++;
            taker->conn = take_idle(key);
            finish_wait(turn, key, taker, Outcome::kServed, now);
            return true;
        }
        if (key->line.nudged == nullptr)
            nudge(turn, key, taker);
        if (taker == first)
            return false;
    }
    const bool crew_dials = crew_dials_for(first);
    if (may_dial(key, now, first->fresh)) {
        if (!crew_dials) {
            ConnList victim;
            take_place(key, now, first->fresh, &victim);
            first->victim = victim.pop_front();
            finish_wait(turn, key, first, Outcome::kServed, now);
            return true;
        }
        if (wanted_dials(key, now) > 0)
            crew_.poke(turn);
    } else if (now < key->not_before && first->timer != key->not_before) {
        // Somebody must come back to this: the waiter itself, or the crew.
        first->timer = key->not_before;
        if (crew_dials)
            crew_.poke(turn);
        else if (first != self)
            turn.wake(first->event);
    }
    if (key->armed || key->line.nudged != nullptr)
        return false;
    arm(key);
    return true;
}

bool Conns::hands_over(const Key *key, const ConnWaiter *first, int64_t now) const {
    if (first->request != nullptr || strict_)
        return true;
    if (key->idle_count > now_.max_idle_per_key || (now_.max_idle != 0 && idle_ > now_.max_idle))
        return true; // it could not stay idle
    if (now_.max_open != 0 && waiting_keys_.front() != waiting_keys_.back())
        return true; // one who waits for another key could have it closed
    return options_.handoff != POOL_CONNS_FREE && now - first->since >= kPatience;
}

void Conns::nudge(Turn &turn, Key *key, ConnWaiter *waiter) {
    key->line.nudged = waiter;
    disarm(key);
    turn.wake(waiter->event);
}

// With a bound on all connections, one of another key may make room for this one.
void Conns::arm(Key *key) {
    key->armed = true;
    key->armed_for_all = now_.max_open != 0;
    if (key->armed_for_all)
        front_.attend_all();
    else
        front_.attend(key->hash);
}

void Conns::disarm(Key *key) {
    if (!key->armed)
        return;
    key->armed = false;
    if (key->armed_for_all)
        front_.ignore_all();
    else
        front_.ignore(key->hash);
}

void Conns::finish_wait(Turn &turn, Key *key, ConnWaiter *waiter, Outcome outcome, int64_t now) {
    leave_line(key, waiter, outcome, now);
    if (waiter->request != nullptr)
        end_served(turn, waiter->request);
    else
        turn.wake(waiter->event);
}

// ---- across keys ----------------------------------------------------------------------------

// When capacity has become free that any key can use.
void Conns::serve_all(Turn &turn) {
    if (closed_) {
        tell_drained(turn);
        return;
    }
    if (waiting_keys_.empty() || (now_.max_open == 0 && now_.max_dials == 0))
        return;
    const int64_t now = clock_now();
    Key *key;
    while (ConnWaiter *waiter = next_servable(turn, now, &key))
        if (!serve_first(turn, key, now, nullptr) && key->line.first_live(turn, now) == waiter)
            break;
}

// When any line may have become easier to serve.
void Conns::serve_everybody(Turn &turn) {
    for (Key *next, *key = waiting_keys_.front(); key != nullptr; key = next) {
        next = waiting_keys_.next(key);
        serve(turn, key);
    }
    serve_all(turn);
}

// The oldest waiter for whom there is a place.
ConnWaiter *Conns::next_servable(Turn &turn, int64_t now, Key **of) {
    ConnWaiter *oldest = nullptr;
    for (Key *key = waiting_keys_.front(); key != nullptr; key = waiting_keys_.next(key)) {
        ConnWaiter *waiter = key->line.first_live(turn, now);
        if (waiter != nullptr && (oldest == nullptr || waiter->ticket < oldest->ticket) &&
            may_dial(key, now, waiter->fresh)) {
            oldest = waiter;
            *of = key;
        }
    }
    return oldest;
}

// Is there a waiter, older than this one, whose key has no connection that could ever come back?
bool Conns::starves(Turn &turn, int64_t now, uint64_t before_ticket) {
    if (now_.max_open == 0)
        return false;
    for (Key *key = waiting_keys_.front(); key != nullptr; key = waiting_keys_.next(key)) {
        if (key->open != 0)
            continue;
        ConnWaiter *waiter = key->line.first_live(turn, now);
        if (waiter != nullptr && waiter->ticket < before_ticket)
            return true;
    }
    return false;
}

// A request has no thread that could dial; with dialers nobody dials himself.
bool Conns::crew_dials_for(const ConnWaiter *waiter) const {
    return waiter->request != nullptr || has_dialers();
}

bool Conns::has_dialers() const {
    return (options_.flags & POOL_CONNS_DIALERS) != 0 && !crew_.unable();
}

// ---- idle connections -----------------------------------------------------------------------

// The next one to lend, nullptr if there is none; its state is up to the caller.
Conn *Conns::take_idle(Key *key) {
    if (!has_idle(key))
        return nullptr;
    Conn *conn = options_.idle_order == POOL_CONNS_FIFO ? key->idle.back() : key->idle.front();
    unlink_idle(conn);
    key->busy.push_back(conn);
    return conn;
}

bool Conns::has_idle(Key *key) {
    if (key->idle.empty())
        gather(key);
    return !key->idle.empty();
}

// From the front into the idle lists.
void Conns::gather(Key *key) {
    front_.collect(key->hash, [this](Conn *conn) { settle(conn); });
}

void Conns::gather_all() {
    front_.collect_all([this](Conn *conn) { settle(conn); });
}

void Conns::settle(Conn *conn) {
    make_idle(conn, conn->idle_since.load(std::memory_order_relaxed));
}

void Conns::make_idle(Conn *conn, int64_t since) {
    Key *key = conn->key;
    ConnList::remove(conn);
    key->idle.push_front(conn);
    // What comes from the front may have been idle for longer than others. Without a bound for all
    // keys together nobody asks which is the oldest.
    AgeLink *newer = nullptr;
    if (now_.max_open != 0 || now_.max_idle != 0)
        for (AgeLink *at = by_age_.front(); at != nullptr; at = by_age_.next(at)) {
            if (static_cast<Conn *>(at)->idle_since.load(std::memory_order_relaxed) <= since)
                break;
            newer = at;
        }
    by_age_.insert_behind(newer, conn);
    conn->state = ConnState::kIdle;
    conn->idle_since.store(since, std::memory_order_relaxed);
    key->idle_count++;
    out_--;
    idle_++;
    int64_t until = idle_until(since);
    const int64_t end = conn->expires.load(std::memory_order_relaxed);
    if (end < until)
        until = end;
    if (until < key->due.load(std::memory_order_relaxed))
        key->due.store(until, std::memory_order_relaxed);
}

// From idle to out; into no list.
void Conns::unlink_idle(Conn *conn) {
    ConnList::remove(conn);
    List<AgeLink>::remove(conn);
    conn->state = ConnState::kHeld;
    conn->key->idle_count--;
    idle_--;
    out_++;
}

} // namespace pool
