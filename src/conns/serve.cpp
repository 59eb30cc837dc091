// Who gets what: places, idle connections and the waiters in line for them.
//
// SPDX-License-Identifier: Apache-2.0
//
// Everything here happens under the lock and calls nobody.
#include "conns/conns.h"

namespace pool {

// The one end of every event that frees capacity.
void Conns::serve(Section &section) {
    if (closed_) {
        if (in_use_ + dialing_ == 0)
            while (Waiter *waiter = drained_.first())
                drained_.finish(section, waiter, Outcome::kServed);
        return;
    }
    if (waiting_keys_.empty())
        return;
    const int64_t now = clock_now();
    Key *key;
    while (ConnWaiter *waiter = next_servable(section, now, &key)) {
        waiter->conn = take_idle(key);
        if (waiter->conn == nullptr) {
            List<Conn> victim;
            take_place(key, &victim);
            waiter->victim = victim.pop_front();
        }
        finish_wait(section, key, waiter, Outcome::kServed, now);
    }
}

// The oldest waiter that can be served.
ConnWaiter *Conns::next_servable(Section &section, int64_t now, Key **of) {
    ConnWaiter *oldest = nullptr;
    for (Key *key = waiting_keys_.front(); key != nullptr; key = waiting_keys_.next(key)) {
        if (!can_serve(key))
            continue;
        ConnWaiter *waiter = key->waiters.first_live(section, now);
        if (waiter != nullptr && (oldest == nullptr || waiter->ticket < oldest->ticket)) {
            oldest = waiter;
            *of = key;
        }
    }
    return oldest;
}

bool Conns::can_serve(const Key *key) const {
    if (!key->idle.empty())
        return true;
    return key->open < max_open_per_key_ && (max_open_ == 0 || open() < max_open_ || idle_ > 0);
}

void Conns::finish_wait(Section &section, Key *key, ConnWaiter *waiter, Outcome outcome,
                        int64_t now) {
    counters_.wait_time += static_cast<uint64_t>(now - waiter->since);
    key->waiters.finish(section, waiter, outcome);
    leave_line(key);
}

// A waiter of the key has left its line.
void Conns::leave_line(Key *key) {
    waiters_--;
    if (key->waiters.empty())
        List<Key>::remove(key);
}

// ---- idle connections -----------------------------------------------------------------------

// The most recently used one, nullptr if there is none; its state is up to the caller.
Conn *Conns::take_idle(Key *key) {
    Conn *conn = key->idle.front();
    if (conn == nullptr)
        return nullptr;
    unlink_idle(conn);
    key->busy.push_back(conn);
    return conn;
}

void Conns::make_idle(Conn *conn, int64_t now) {
    Key *key = conn->key;
    List<Conn>::remove(conn);
    key->idle.push_front(conn);
    by_age_.push_front(&conn->by_age);
    conn->state = ConnState::kIdle;
    conn->idle_since = now;
    key->idle_count++;
    in_use_--;
    idle_++;
    int64_t until = idle_until(conn);
    if (conn->expires_at < until)
        until = conn->expires_at;
    if (until < key->due)
        key->due = until;
}

// From idle to in_use; into no list.
void Conns::unlink_idle(Conn *conn) {
    List<Conn>::remove(conn);
    List<Conn::AgeLink>::remove(&conn->by_age);
    conn->state = ConnState::kHeld;
    conn->key->idle_count--;
    idle_--;
    in_use_++;
}

// ---- places ---------------------------------------------------------------------------------

// The right to dial for the key. If an idle connection had to make room it is in `doomed`, and must
// be closed first.
bool Conns::take_place(Key *key, List<Conn> *doomed) {
    if (key->open >= max_open_per_key_)
        return false;
    if (max_open_ == 0 || open() < max_open_) {
        dialing_++;
        key->open++;
        return true;
    }
    Conn::AgeLink *oldest = by_age_.back();
    if (oldest == nullptr)
        return false;
    doom(oldest->conn, POOL_CONNS_MAX_IDLE, doomed);
    take_over(oldest->conn, key);
    return true;
}

// The place of a doomed connection becomes a place to dial for the key.
void Conns::take_over(Conn *conn, Key *key) {
    Key *before = conn->key;
    conn->key = nullptr;
    closed_by_[conn->reason]++;
    in_use_--;
    dialing_++;
    before->open--;
    key->open++;
    forget_if_unused(before);
}

void Conns::drop_place(Section &section, Key *key) {
    dialing_--;
    key->open--;
    forget_if_unused(key);
    serve(section);
}

} // namespace pool
