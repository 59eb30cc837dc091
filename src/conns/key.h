// A key: a sub-pool with connections of its own and a line of those who wait for one.
//
// SPDX-License-Identifier: Apache-2.0
//
// It exists while it has a connection or a waiter, or is the pool's own key. Everything is guarded
// by the pool's lock, but for what comes first: hash, bytes and pool never change, and may
// be read, like `due`, by whoever holds one of its connections, since the key cannot go before that.
//
//     open = connections in idle and busy, in the lists of calls that close or check them, and
//            places from which a dial has not begun
#pragma once

#include "conns/conn.h"
#include "conns/line.h"

#include <cstring>
#include <new>

namespace pool {

constexpr size_t kFailureBytes = 160;

// What acquire and release look at on their fast ways, in one cache line.
struct alignas(64) HotKey {
    // Short ones stand here, others behind the struct.
    static constexpr size_t kShort = 28;

    HotKey(Conns *its_pool, uint64_t its_hash, size_t its_length)
        : hash(its_hash), length(static_cast<uint32_t>(its_length)), pool(its_pool) {}

    const uint64_t hash;
    const uint32_t length;
    char few[kShort];
    // No idle connection is to be closed before this moment. Read without the lock, to come here in
    // time; relaxed, since a little late is soon enough.
    std::atomic<int64_t> due{INT64_MAX};
    Conns *const pool;
    Key *chain = nullptr; // the next one in its bucket
};

static_assert(sizeof(HotKey) == 64);

struct Key : HotKey, ListLink {
    Key(Conns *its_pool, uint64_t its_hash, const void *its_bytes, size_t its_length)
        : HotKey(its_pool, its_hash, its_length) {
        if (its_length != 0)
            memcpy(text(), its_bytes, its_length);
    }

    static size_t size_for(size_t length) { return sizeof(Key) + (length > kShort ? length : 0); }
    const char *bytes() const {
        return length <= kShort ? few : reinterpret_cast<const char *>(this + 1);
    }
    bool is(uint64_t other_hash, const void *other, size_t other_length) const {
        return hash == other_hash && length == other_length &&
               (other_length == 0 || memcmp(bytes(), other, other_length) == 0);
    }

    uint32_t pins = 0;          // stays although it is unused
    bool armed = false;         // a release of the key looks whether somebody waits
    bool armed_for_all = false; // of any key
    uint32_t open = 0;
    uint32_t idle_count = 0;
    uint32_t dialing = 0;      // of open: places, and dials under way
    uint32_t crew_dialing = 0; // of those, on threads of the pool
    uint32_t fails_in_a_row = 0;
    int64_t not_before = 0; // no dial before this moment
    uint64_t dials = 0;
    uint64_t dial_fails = 0;
    pool_status last_failure = POOL_OK;
    char *failure_text = nullptr; // kFailureBytes, once a dial has failed
    ConnList idle;                // most recently used first
    ConnList busy;
    Line line; // if anybody is in it, the key is in the pool's waiting_keys_

    // In the child after fork.
    void forget_all() {
        chain = nullptr;
        armed = false;
        pins = 1;
        open = idle_count = dialing = crew_dialing = fails_in_a_row = 0;
        not_before = 0;
        due.store(INT64_MAX, std::memory_order_relaxed);
        prev = next = nullptr;
        new (&idle) ConnList;
        new (&busy) ConnList;
        new (&line) Line;
    }

private:
    char *text() { return length <= kShort ? few : reinterpret_cast<char *>(this + 1); }
};

} // namespace pool
