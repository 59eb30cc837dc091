// One connection: its record, and the lease that a user holds on it.
//
// SPDX-License-Identifier: Apache-2.0
//
// Records are reused, never freed before their pool, so a lease that was ended twice finds a record
// that says so. `word` counts how often the connection was lent and given back: odd while it is
// lent. Whoever moves it from odd to even has ended the lease, once; only the owner of a connection
// that is not lent moves it from even to odd. A lease is the record's address with the low bits of
// that count in it, so a stale one is recognized although the connection has been lent again (but
// for one time in 64).
//
// Who may touch what:
//   word                            atomically, anybody
//   handle, uses, fresh_until,      the one who holds the connection: the holder of the lease, the
//   idle_since, lent_at, holder,    call that took it out of a list or a slot; statistics and
//   taker, dialed_at, sampled      reports look at the atomic ones
//   key                             changed under the lock, while a call holds the connection
//   everything else                 under the pool's lock
//
// With the built-in dialer handle is a socket exactly while that socket is open and the pool's: it
// is set to -1 before the socket is closed, so that the child of a fork, whatever other threads were
// doing, can close its copies and nothing else.
#pragma once

#include "platform/list.h"
#include "pool/conns.h"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pool {

class Conns;
struct Key;

enum class ConnState : uint8_t {
    kSpare,   // a record without a connection
    kIdle,    // in its key's idle list
    kOut,     // lent, or in a slot of the front; in its key's busy list
    kHeld,    // dialed, checked or closed by a call of the pool; in its key's busy list, or in a
              // list of that call
    kForeign, // lent by the parent process before a fork; in no list
};

constexpr size_t kTakerBytes = 24;

// A record is in two lists: one of its key or of a call, and that of the idle ones by age.
struct HomeLink : ListLink {};
struct AgeLink : ListLink {};

struct alignas(64) Conn : HomeLink, AgeLink {
    std::atomic<uint32_t> word{0};
    std::atomic<uint32_t> generation{0}; // the pool's when its dial began; 0: to be closed
    Key *key = nullptr;                  // whose place it takes; nullptr: taken over already
    void *handle = nullptr;              // what dial stored
    Conns *pool = nullptr;
    std::atomic<uint64_t> uses{0};       // how often it was lent
    std::atomic<int64_t> fresh_until{0}; // up to then it may be lent without a closer look
    std::atomic<int64_t> idle_since{0};
    std::atomic<int64_t> lent_at{0}; // while idle: when it was last found alive, if later
    int64_t dialed_at = 0;
    std::atomic<uintptr_t> holder{0};   // the thread that took it
    std::atomic<char *> taker{nullptr}; // kTakerBytes, once there has been a name
    std::atomic<uint32_t> reported{0};  // the word of the lease that was reported as a leak
    ConnState state = ConnState::kSpare;
    bool sampled = false; // lent_at is exact, and the time it is held is counted
    uint8_t reason = 0;   // why it is closed
};

static_assert(sizeof(Conn) == 128, "two cache lines: they are most of what an idle one costs");

// Records, each in one such list at most.
class ConnList {
public:
    bool empty() const { return list_.empty(); }
    void push_back(Conn *conn) { list_.push_back(conn); }
    void push_front(Conn *conn) { list_.push_front(conn); }
    Conn *front() const { return static_cast<Conn *>(list_.front()); }
    Conn *back() const { return static_cast<Conn *>(list_.back()); }
    Conn *pop_front() { return static_cast<Conn *>(list_.pop_front()); }
    Conn *next(const Conn *conn) const { return static_cast<Conn *>(list_.next(conn)); }
    Conn *prev(const Conn *conn) const { return static_cast<Conn *>(list_.prev(conn)); }
    static void remove(Conn *conn) { List<HomeLink>::remove(conn); }
    static bool listed(const Conn *conn) { return static_cast<const HomeLink *>(conn)->linked(); }

private:
    List<HomeLink> list_;
};

constexpr uint32_t kTagMask = alignof(Conn) - 1;

inline pool_conns_lease *lease_of(Conn *conn, uint32_t word) {
    return reinterpret_cast<pool_conns_lease *>(reinterpret_cast<uintptr_t>(conn) |
                                                (word >> 1 & kTagMask));
}
inline Conn *conn_of(const pool_conns_lease *lease) {
    return reinterpret_cast<Conn *>(reinterpret_cast<uintptr_t>(lease) & ~uintptr_t{kTagMask});
}
inline bool is_lent(uint32_t word) {
    return (word & 1) != 0;
}
inline bool is_lease_of(const pool_conns_lease *lease, uint32_t word) {
    return is_lent(word) &&
           (reinterpret_cast<uintptr_t>(lease) & kTagMask) == (word >> 1 & kTagMask);
}

} // namespace pool
