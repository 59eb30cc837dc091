// Budget: the bound that the bags of one pool share.
//
// SPDX-License-Identifier: Apache-2.0
//
// It bounds a number of objects, or the bytes that they hold, or both. Each bag has objects of one
// weight in bytes.
//
// Invariant:   room here + room in all bags = bound, of each kind
//
// where the room in a bag is the sum of its slabs' capacities and of the objects in its depots and
// under way. Room is taken from here before it is used, so no interleaving can exceed the bound.
// Each word holds an epoch that counts what was given back, so a reader who finds the same value
// twice knows that nothing was given in between.
#pragma once

#include "platform/lock.h"

#include <atomic>
#include <cstdint>

namespace pool {

class Shards;

constexpr uint64_t kUnbounded = UINT64_MAX;
// More bytes, or pointers, than any machine has memory for, so a larger bound is none.
constexpr uint64_t kMostBound = (uint64_t{1} << 44) - 1;

class Budget {
public:
    Budget(uint64_t most_objects, uint64_t most_bytes);

    bool bounded() const { return objects_.bounded() || bytes_.bounded(); }
    uint64_t most_objects() const { return objects_.bound(); }
    uint64_t most_bytes() const { return bytes_.bound(); }

    // Room for up to `most` objects of `weight` bytes, but no more than 1/parts of what is left, so
    // that the last of it goes to those who need it; for one if there is that much.
    uint32_t take(uint32_t most, uint64_t weight, uint64_t parts);
    void give(uint64_t objects, uint64_t weight);

    bool has_room(uint64_t weight) const;

    // What one reader compares with the next.
    struct Moment {
        uint64_t objects, bytes;
        bool operator==(const Moment &) const = default;
    };
    Moment moment() const { return {objects_.word(), bytes_.word()}; }

    // The bags, newest first. None ever leaves.
    void join(Shards *bag);
    Shards *bags() const { return bags_.load(std::memory_order_acquire); }

    // In the child after fork, on its only thread, when all bags have been repaired.
    void recount_after_fork();

private:
    // One kind of room.
    class Room {
    public:
        explicit Room(uint64_t bound) : bound_(bound), word_(bound <= kMostBound ? bound : 0) {}

        bool bounded() const { return bound_ <= kMostBound; }
        uint64_t bound() const { return bound_; }
        uint64_t word() const { return word_.load(std::memory_order_acquire); }
        uint64_t left() const { return word() & kMostBound; }

        // Up to `most` units of `size` each; 0 if there is none.
        uint64_t take(uint64_t most, uint64_t size, uint64_t parts);
        void give(uint64_t amount);
        void set_used(uint64_t used);

    private:
        const uint64_t bound_;
        std::atomic<uint64_t> word_; // epoch : 20 | room left : 44
    };

    Room objects_;
    Room bytes_;
    SpinLock join_lock_; // guards additions to bags_
    std::atomic<Shards *> bags_{nullptr};
};

} // namespace pool
