// How a thread comes by a connection.
//
// SPDX-License-Identifier: Apache-2.0
//
// An acquire has one of three things in its hands whenever it lets the lock go: a connection, a
// place to dial, or a place in line. It hands on whatever it does not need in the end.
#include "conns/conns.h"

#include "platform/clock.h"
#include "platform/status.h"
#include "sync/callback.h"

#include <cstring>
#include <new>

namespace pool {
namespace {

// A key as it may stand in a message.
struct KeyText {
    explicit KeyText(Key *key) {
        size_t length = key->length < sizeof text ? key->length : sizeof text - 1;
        for (size_t i = 0; i < length; i++) {
            char byte = key->bytes()[i];
            text[i] = byte >= ' ' && byte <= '~' ? byte : '?';
        }
        text[length] = '\0';
    }
    char text[64];
};

pool_status forked() {
    return fail(POOL_EFORKED, "a callback of this acquire forked, and this is the child");
}

} // namespace

pool_status Conns::acquire(const void *bytes, size_t length, int64_t timeout, Conn **out) {
    const int64_t deadline = deadline_after(timeout);
    const bool may_wait = timeout != 0;
    Surplus surplus(memory_);
    Section section(mutex_);
    const unsigned forks = forks_;
    Key *key = keys_.find(KeyTable::hash(bytes, length), bytes, length);
    if (key == nullptr && may_wait && !closed_)
        if (pool_status status = find_key(section, bytes, length, &surplus, &key))
            return status;

    List<Conn> doomed;
    while (key != nullptr && !closed_) {
        // Either a connection or, with it still nullptr, a place to dial one.
        expire(key, clock_now(), &doomed);
        Conn *conn = take_idle(key);
        if (conn == nullptr && may_wait) {
            if (Conn *unfit = doomed.front()) {
                take_over(unfit, key);
            } else if (!take_place(key, &doomed)) {
                if (pool_status status = wait_in_line(section, key, deadline, &doomed, &conn))
                    return status;
                if (conn != nullptr)
                    return lend(conn, false, out);
            }
        }
        const bool fresh = conn == nullptr;
        if (fresh && !may_wait)
            key = nullptr; // it may go with the last connection
        retire(section, &doomed);
        if (forks_ != forks)
            return forked();
        if (key == nullptr)
            break;
        if (fresh)
            if (pool_status status = dial(section, key, deadline, &conn))
                return status;
        pool_conns_reason reason = fresh ? unwanted(conn) : check(section, conn);
        if (forks_ != forks)
            return forked();
        if (reason == 0)
            return lend(conn, fresh, out);
        doom(conn, reason, &doomed);
    }
    if (!closed_)
        return fail(POOL_EAGAIN, "pool '%s': no connection is idle, and the timeout is 0", name_);
    if (key != nullptr)
        forget_if_unused(key);
    retire(section, &doomed);
    return fail(POOL_ECLOSED, "pool '%s' is closed", name_);
}

// The caller has looked and not found it: make it, unless another thread does so meanwhile.
pool_status Conns::find_key(Section &section, const void *bytes, size_t length, Surplus *surplus,
                            Key **found) {
    const uint64_t hash = KeyTable::hash(bytes, length);
    const size_t wanted = keys_.wants();
    free_forgotten(section);
    section.unlock();
    void *memory = memory_.alloc(sizeof(Key) + length, alignof(Key));
    if (memory == nullptr)
        return fail(POOL_ENOMEM, "pool '%s': no memory for a key", name_);
    Key *key = new (memory) Key(hash, static_cast<uint32_t>(length));
    if (length != 0)
        memcpy(key->bytes(), bytes, length);
    KeyTable::Buckets buckets; // it can do without
    if (wanted != 0) {
        size_t size = wanted * sizeof(Key *);
        buckets = {static_cast<Key **>(memory_.alloc(size, alignof(Key *))), wanted};
        if (buckets.array != nullptr)
            memset(static_cast<void *>(buckets.array), 0, size);
    }
    section.lock();
    surplus->buckets = buckets;
    if (buckets.array != nullptr && keys_.wants() == wanted)
        surplus->buckets = keys_.adopt(buckets);
    *found = keys_.find(hash, bytes, length);
    if (*found != nullptr) {
        surplus->key = key;
    } else {
        keys_.insert(key);
        *found = key;
    }
    return POOL_OK;
}

Conns::Surplus::~Surplus() {
    if (key != nullptr) {
        size_t bytes = sizeof(Key) + key->length;
        key->~Key();
        memory.free(key, bytes, alignof(Key));
    }
    if (buckets.array != nullptr)
        memory.free(buckets.array, buckets.count * sizeof(Key *), alignof(Key *));
}

// May this connection, which was idle, be lent? 0, or why not.
pool_conns_reason Conns::check(Section &section, Conn *conn) {
    if (is_alive_ == nullptr)
        return 0;
    bool alive = false;
    section.unlock();
    {
        CancellationOff off;
        const int64_t idle_time = clock_now() - conn->idle_since;
        call_contained("an is_alive callback",
                       [&] { alive = is_alive_(conn->handle, idle_time, ctx_) != 0; });
    }
    section.lock();
    return alive ? unwanted(conn) : POOL_CONNS_INVALID;
}

// Has the pool been closed or cleared since the connection was dialed? 0, or which.
pool_conns_reason Conns::unwanted(const Conn *conn) const {
    if (closed_)
        return POOL_CONNS_POOL_CLOSED;
    return conn->generation != generation_ ? POOL_CONNS_CLEARED : 0;
}

// ---- dialing --------------------------------------------------------------------------------

// Use a place of the key. If it fails the place is free again.
pool_status Conns::dial(Section &section, Key *key, int64_t deadline, Conn **out) {
    const unsigned forks = forks_;
    if (closed_) {
        drop_place(section, key);
        return fail(POOL_ECLOSED, "pool '%s' is closed", name_);
    }
    const int64_t now = clock_now();
    if (deadline != POOL_FOREVER && now >= deadline) {
        pool_status status = time_out(key);
        drop_place(section, key); // last: the key may go with it
        return status;
    }
    Conn *conn = spare_.pop_front();
    if (conn == nullptr) {
        section.unlock();
        conn = memory_.make<Conn>(this, no_handle());
        section.lock();
        if (conn == nullptr) {
            drop_place(section, key);
            return fail(POOL_ENOMEM, "pool '%s': no memory for a connection", name_);
        }
        // The release orders the link before the head, for a child that a fork makes in between.
        conn->made_before = made_.load(std::memory_order_relaxed);
        made_.store(conn, std::memory_order_release);
    }
    int64_t until = deadline;
    int64_t limit;
    if (connect_timeout_ != POOL_CONNS_NONE &&
        !__builtin_add_overflow(now, connect_timeout_, &limit) &&
        (deadline == POOL_FOREVER || limit < deadline))
        until = limit;
    conn->key = key;
    conn->state = ConnState::kHeld;
    conn->uses = 0;
    conn->generation = generation_;
    key->busy.push_back(conn);
    counters_.dials++;
    section.unlock();
    pool_status status = call_dial(section, key, until, conn);
    section.lock();
    if (forks_ != forks)
        return forked();
    const int64_t done = clock_now();
    if (status == POOL_OK) {
        dialing_--;
        in_use_++;
        conn->expires_at = end_of_life(done);
        *out = conn;
        return POOL_OK;
    }
    const KeyText text(key);
    drop_dial(section, key, conn);
    if (!built_in_)
        return fail(status, "pool '%s': the dial callback failed with %d for key '%s'", name_,
                    status, text.text);
    if (deadline != POOL_FOREVER && done >= deadline)
        return fail(POOL_ETIMEDOUT, "the timeout passed while '%s' was dialed", text.text);
    return status; // the dialer has said why
}

void Conns::drop_dial(Section &section, Key *key, Conn *conn) {
    counters_.dial_fails++;
    recycle(conn);
    drop_place(section, key);
}

POOL_CATCHES_FORCED_UNWIND pool_status Conns::call_dial(Section &section, Key *key,
                                                        int64_t deadline, Conn *conn) {
    try {
        return dial_(key->bytes(), key->length, deadline, &conn->handle, ctx_);
    } catch (abi::__forced_unwind &) {
        // The callback ends this thread. What it has dialed is lost, its place is not.
        section.lock();
        if (conn->key == key)
            drop_dial(section, key, conn);
        section.unlock();
        throw;
    } catch (...) {
        return POOL_EDIAL;
    }
}

// ---- waiting --------------------------------------------------------------------------------

// Stand in line. POOL_OK with a connection in *conn, or else with a place to dial; what must be
// closed before is in `doomed`. After a failure the key may be gone.
pool_status Conns::wait_in_line(Section &section, Key *key, int64_t deadline, List<Conn> *doomed,
                                Conn **conn) {
    if (max_waiters_ != 0 && waiters_ >= max_waiters_) {
        forget_if_unused(key);
        return fail(POOL_EFULL, "pool '%s': %u threads wait already", name_, max_waiters_);
    }
    ConnWaiter waiter(deadline, next_ticket_++, clock_now());
    if (key->waiters.empty())
        waiting_keys_.push_back(key);
    waiters_++;
    counters_.waits++;
    switch (key->waiters.wait(section, waiter)) {
    case Outcome::kServed:
        *conn = waiter.conn;
        if (waiter.victim != nullptr)
            doomed->push_back(waiter.victim);
        return POOL_OK;
    case Outcome::kExpired: {
        counters_.wait_time += static_cast<uint64_t>(clock_now() - waiter.since);
        leave_line(key);
        pool_status status = time_out(key);
        forget_if_unused(key);
        return status;
    }
    default:
        return fail(POOL_ECLOSED, "pool '%s' was closed while the caller waited", name_);
    }
}

pool_status Conns::time_out(Key *key) {
    counters_.timeouts++;
    return fail(POOL_ETIMEDOUT, "pool '%s': no connection for key '%s' within the timeout", name_,
                KeyText(key).text);
}

pool_status Conns::lend(Conn *conn, bool fresh, Conn **out) {
    conn->state = ConnState::kLent;
    counters_.acquires++;
    if (!fresh)
        counters_.hits++;
    *out = conn;
    return POOL_OK;
}

} // namespace pool
