// Depot: a stack of magazines that hold objects.
//
// SPDX-License-Identifier: Apache-2.0
//
// Guarded by the lock of the shard that it belongs to; only objects() may be read without it.
// Invariant: objects() is the sum of the magazines' counts, and no magazine in it is empty.
//
// Each change commits with one store to top_, a release so that the compiler keeps it last: a fork
// in the middle of it finds the stack either before or after the change, never torn.
#pragma once

#include "shards/magazine.h"

#include <atomic>

namespace pool {

class Depot {
public:
    // How many objects it holds; without the lock, at some moment of the call.
    uint64_t objects() const { return objects_.load(std::memory_order_acquire); }

    Magazine *top() const { return top_.load(std::memory_order_relaxed); }

    void push(Magazine *magazine) {
        magazine->next = top();
        top_.store(magazine, std::memory_order_release);
        add(magazine->count);
    }

    Magazine *pop() {
        Magazine *magazine = top();
        if (magazine != nullptr) {
            top_.store(magazine->next, std::memory_order_release);
            add(-uint64_t{magazine->count});
        }
        return magazine;
    }

    // All of it, as a list.
    Magazine *take_all() {
        Magazine *list = top();
        top_.store(nullptr, std::memory_order_release);
        objects_.store(0, std::memory_order_relaxed);
        return list;
    }

    // Put a list made by take_all() on top.
    void push_all(Magazine *list) {
        while (list != nullptr) {
            Magazine *next = list->next;
            push(list);
            list = next;
        }
    }

    // Put one object on the top magazine, if there is one with room.
    bool push_object(void *object) {
        Magazine *magazine = top();
        if (magazine == nullptr || magazine->full())
            return false;
        magazine->slots[magazine->count] = object;
        magazine->count++;
        add(1);
        return true;
    }

    // Move up to `n` objects from the top magazine into `out`, newest last. The magazine is popped
    // into *emptied if that leaves it empty. Returns how many.
    uint32_t take_objects(void **out, uint32_t n, Magazine **emptied) {
        Magazine *magazine = top();
        if (magazine == nullptr)
            return 0;
        if (n > magazine->count)
            n = magazine->count;
        magazine->count -= n;
        add(-uint64_t{n});
        for (uint32_t i = 0; i < n; i++)
            out[i] = magazine->slots[magazine->count + i];
        if (magazine->count == 0) {
            top_.store(magazine->next, std::memory_order_release);
            *emptied = magazine;
        }
        return n;
    }

    void recount_after_fork() {
        uint64_t objects = 0;
        for (Magazine *magazine = top(); magazine != nullptr; magazine = magazine->next)
            objects += magazine->count;
        objects_.store(objects, std::memory_order_relaxed);
    }

private:
    void add(uint64_t n) {
        objects_.store(objects_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }

    std::atomic<Magazine *> top_{nullptr};
    std::atomic<uint64_t> objects_{0};
};

} // namespace pool
