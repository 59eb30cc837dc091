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
//   handle, uses, idle_since,       the one who holds the connection: the holder of the lease, the
//   lent_at, holder, taker,         call that took it out of a list or a slot; statistics and
//   dialed_at                       reports look at the atomic ones, and a report marks the holder
//   expires                         atomically, the one who dialed it, or under the lock
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

// What acquire and release need on their fast ways, in one cache line: with many idle connections
// each line is one more wait for memory.
struct alignas(64) HotConn {
    std::atomic<uint32_t> word{0};
    std::atomic<uint32_t> generation{0}; // the pool's when its dial began; 0: to be closed
    Key *key = nullptr;                  // whose place it takes; nullptr: taken over already
    void *handle = nullptr;              // what dial stored
    std::atomic<uint64_t> uses{0};       // how often it was lent
    std::atomic<int64_t> expires{0};     // when it must go, whatever it is doing
    std::atomic<int64_t> idle_since{0};
    std::atomic<int64_t> lent_at{0};  // while idle: when it was last found alive, if later
    std::atomic<uintptr_t> holder{0}; // the thread that took it, and the marks of the lease
};

// Marks of a lease, in the low bits of its holder.
constexpr uintptr_t kSampled = 1;  // lent_at is exact, and the time it is held is counted
constexpr uintptr_t kNamed = 2;    // taker has its name
constexpr uintptr_t kReported = 4; // as a leak, perhaps: `reported` says which lease it was
constexpr uintptr_t kMarks = kSampled | kNamed | kReported;

struct Conn : HotConn, HomeLink, AgeLink {
    Conns *pool = nullptr; // never changes
    int64_t dialed_at = 0;
    std::atomic<char *> taker{nullptr}; // kTakerBytes, once there has been a name
    std::atomic<uint32_t> reported{0};  // the word of the lease that was reported as a leak
    ConnState state = ConnState::kSpare;
    uint8_t reason = 0; // why it is closed

    uintptr_t thread() const { return holder.load(std::memory_order_relaxed) & ~kMarks; }
    bool marked(uintptr_t mark) const {
        return (holder.load(std::memory_order_relaxed) & mark) != 0;
    }
    void mark(uintptr_t mark) { holder.fetch_or(mark, std::memory_order_relaxed); }
    void unmark(uintptr_t mark) { holder.fetch_and(~mark, std::memory_order_relaxed); }
};

static_assert(sizeof(HotConn) == 64);
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
