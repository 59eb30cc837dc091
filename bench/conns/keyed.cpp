// keyed_<n>: a thread visits n keys with 10 idle connections each, in an order that says nothing to
// the processor. keyed_memory: the pool's own bytes per idle connection, with 100,000 of 10,000
// keys.
//
// SPDX-License-Identifier: Apache-2.0
//
// The keys lie in memory as they are visited, and are as long and as many for one key as for all,
// so that the loop's own memory costs the same.
#include "conns/scenarios.h"
#include "conns/subjects.h"
#include "support/rows.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <random>

namespace bench {
namespace {

constexpr size_t kVisits = 10'000;
constexpr unsigned kPasses = 20;
constexpr uint32_t kPerKey = 10;

// "10.0.112.134:8080"
struct Key {
    explicit Key(size_t number) {
        std::snprintf(text.data(), text.size(), "10.0.%zu.%zu:8080", 100 + number / 100 % 100,
                      100 + number % 100);
    }
    static constexpr size_t kLength = 17;
    std::array<char, 32> text;
};

// `count` different ones, in kVisits places.
std::vector<Key> keys_to_visit(size_t count) {
    std::vector<Key> keys;
    keys.reserve(kVisits);
    for (size_t i = 0; i < kVisits; ++i)
        keys.emplace_back(i % count);
    std::shuffle(keys.begin(), keys.end(), std::mt19937_64(1));
    return keys;
}

pool_conns_lease *acquire(pool_conns *pool, const Key &key) {
    pool_conns_lease *lease;
    pool_conns_acquire(pool, key.text.data(), Key::kLength, kTimeout, &lease);
    return lease;
}

// Open all connections of the first `count` numbers. They come back in any order, so which of them
// a key lends from then on says nothing to the processor either.
void fill(pool_conns *pool, size_t count) {
    std::mt19937_64 random(2);
    std::array<pool_conns_lease *, kPerKey> leases;
    for (size_t i = 0; i < count; ++i) {
        const Key key(i);
        for (pool_conns_lease *&lease : leases)
            lease = acquire(pool, key);
        std::shuffle(leases.begin(), leases.end(), random);
        for (pool_conns_lease *lease : leases)
            pool_conns_release(lease);
    }
}

void visit(pool_conns *pool, const std::vector<Key> &keys) {
    for (const Key &key : keys)
        pool_conns_release(acquire(pool, key));
}

void keyed(benchmark::State &state, size_t count) {
    for (auto _ : state) {
        pool_conns_options options = stub_options();
        options.max_open_per_key = kPerKey;
        ConnPool pool(options);
        if (pool.problem() != nullptr) {
            state.SkipWithError(pool.problem());
            return;
        }
        const std::vector<Key> keys = keys_to_visit(count);
        fill(pool.get(), count);
        visit(pool.get(), keys); // on this CPU from now on
        const auto begin = std::chrono::steady_clock::now();
        for (unsigned pass = 0; pass < kPasses; ++pass)
            visit(pool.get(), keys);
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
        state.SetIterationTime(time.count() / (kVisits * kPasses));
    }
}

// Counts what a pool takes from malloc.
class Counted {
public:
    Counted() {
        allocator_.size = sizeof allocator_;
        allocator_.alloc = [](size_t bytes, size_t alignment, void *self) {
            static_cast<Counted *>(self)->bytes_ += bytes;
            return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
        };
        allocator_.free = [](void *memory, size_t bytes, size_t, void *self) {
            static_cast<Counted *>(self)->bytes_ -= bytes;
            std::free(memory);
        };
        allocator_.ctx = this;
    }
    const pool_allocator *allocator() const { return &allocator_; }
    size_t bytes() const { return bytes_; }

private:
    pool_allocator allocator_{};
    std::atomic<size_t> bytes_{0};
};

void keyed_memory(benchmark::State &state) {
    for (auto _ : state) {
        Counted counted;
        pool_conns_options options = stub_options();
        options.max_open_per_key = kPerKey;
        options.allocator = counted.allocator();
        ConnPool pool(options);
        if (pool.problem() != nullptr) {
            state.SkipWithError(pool.problem());
            return;
        }
        fill(pool.get(), kVisits);
        state.counters["bytes"] = static_cast<double>(counted.bytes()) / (kVisits * kPerKey);
        state.SetIterationTime(1e-9);
    }
}

} // namespace

void register_keyed() {
    add_row("keyed_1/pool", keyed, size_t{1});
    add_row("keyed_10000/pool", keyed, kVisits);
    add_row("keyed_memory/pool", keyed_memory);
}

} // namespace bench
