// One connection, and the key that it belongs to.
//
// SPDX-License-Identifier: Apache-2.0
//
// A connection's record is at the same time the lease that its user holds: the C handle points to
// it. Records are reused, never freed before their pool, so a lease that was ended twice finds a
// record that says so. All of them are in a chain that only grows.
//
// Everything is guarded by the pool's mutex, except that handle and uses may be read by the holder
// of the lease. With the built-in dialer handle is a socket exactly while that socket is open and
// the pool's: it is set to -1 before the socket is closed, so that the child of a fork, whatever
// other threads were doing, can close its copies and nothing else.
#pragma once

#include "platform/list.h"
#include "pool/conns.h"
#include "sync/waiters.h"

#include <cstdint>

namespace pool {

class Conns;
struct Key;

enum class ConnState : uint8_t {
    kSpare,   // a record without a connection
    kIdle,    // in its key's idle list and in the pool's list by age
    kLent,    // its user's; in its key's busy list
    kHeld,    // dialed, checked or closed by a call of the pool; in its key's busy list, or in a
              // list of that call
    kForeign, // lent by the parent process before a fork; in no list
};

} // namespace pool

struct pool_conns_lease : pool::ListLink {
    pool_conns_lease(pool::Conns *owner, void *no_handle) : pool(owner), handle(no_handle) {
        by_age.conn = this;
    }

    struct AgeLink : pool::ListLink {
        pool_conns_lease *conn = nullptr;
    };

    pool::Conns *const pool;
    pool::Key *key = nullptr; // whose place it takes; nullptr: its place is taken over already
    void *handle;             // what dial stored
    pool::ConnState state = pool::ConnState::kSpare;
    pool_conns_reason reason = 0; // why it is closed
    uint64_t uses = 0;            // how often it was lent before
    uint64_t generation = 0;      // the pool's when its dial began
    int64_t expires_at = 0;       // the end of its lifetime
    int64_t idle_since = 0;
    AgeLink by_age;
    pool_conns_lease *made_before = nullptr;
};

namespace pool {

using Conn = pool_conns_lease;

// A thread in line for a connection to one key. It is served with either of the two.
struct ConnWaiter : Waiter {
    ConnWaiter(int64_t until, uint64_t number, int64_t now)
        : Waiter(until), ticket(number), since(now) {}

    const uint64_t ticket; // who came earlier, across keys
    const int64_t since;
    Conn *conn = nullptr;   // a connection; or, where it is nullptr, the right to dial one,
    Conn *victim = nullptr; // after closing this one, if any
};

// A sub-pool. It exists while it has a connection or a waiter.
//
//     open = connections in idle and busy, and in the lists of calls that close or check them
struct Key : ListLink {
    Key(uint64_t its_hash, uint32_t its_length) : hash(its_hash), length(its_length) {}

    // The key's bytes follow the struct.
    char *bytes() { return reinterpret_cast<char *>(this + 1); }

    Key *chain = nullptr; // the next one in its bucket
    const uint64_t hash;
    const uint32_t length;
    uint32_t open = 0;
    uint32_t idle_count = 0;
    int64_t due = INT64_MAX; // no idle connection is to be closed before this moment
    List<Conn> idle;         // most recently used first
    List<Conn> busy;
    WaiterQueue<ConnWaiter> waiters; // if any, the key is in the pool's waiting_keys_
};

} // namespace pool
