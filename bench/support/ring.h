// Ring: a bounded queue from one thread to one other.
//
// SPDX-License-Identifier: Apache-2.0
//
// Slots in [head, tail) are the consumer's, all others the producer's. Each side keeps a copy of
// the other's index and reads the real one only when the copy says full or empty. peers/go/objects/ring.go
// is the same queue in Go.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>

namespace bench {

// Room for `capacity` items, a power of two.
template <class Item, size_t capacity>
class Ring {
public:
    static constexpr size_t kCapacity = capacity;

    // Producer only.
    bool has_room() {
        const size_t tail = tail_.load(std::memory_order_relaxed);
        if (tail - head_seen_ == kCapacity)
            head_seen_ = head_.load(std::memory_order_acquire); // pairs with the release in pop()
        return tail - head_seen_ < kCapacity;
    }

    // Producer only. False: full.
    bool push(const Item &item) {
        if (!has_room())
            return false;
        const size_t tail = tail_.load(std::memory_order_relaxed);
        slots_[tail % kCapacity] = item;
        tail_.store(tail + 1, std::memory_order_release);
        return true;
    }

    // Consumer only. False: empty.
    bool pop(Item &item) {
        const size_t head = head_.load(std::memory_order_relaxed);
        if (head == tail_seen_) {
            tail_seen_ = tail_.load(std::memory_order_acquire); // pairs with the release in push()
            if (head == tail_seen_)
                return false;
        }
        item = slots_[head % kCapacity];
        head_.store(head + 1, std::memory_order_release);
        return true;
    }

private:
    static constexpr size_t kApart = 128; // two lines, as processors fetch them in pairs

    alignas(kApart) std::atomic<size_t> tail_{0};
    size_t head_seen_ = 0; // producer's
    alignas(kApart) std::atomic<size_t> head_{0};
    size_t tail_seen_ = 0; // consumer's
    alignas(kApart) std::array<Item, kCapacity> slots_{};
};

} // namespace bench
