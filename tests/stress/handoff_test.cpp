// Objects that are taken on one CPU and given back on another.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/object_pool.h"
#include "torment.h"

#include <array>
#include <thread>

namespace {

using namespace pool_test;

// One thread writes, another reads.
class Ring {
public:
    bool push(Item *item) {
        size_t tail = tail_.load(std::memory_order_relaxed);
        if (tail - head_.load(std::memory_order_acquire) == slots_.size())
            return false;
        slots_[tail % slots_.size()] = item;
        tail_.store(tail + 1, std::memory_order_release);
        return true;
    }
    Item *pop() {
        size_t head = head_.load(std::memory_order_relaxed);
        if (head == tail_.load(std::memory_order_acquire))
            return nullptr;
        Item *item = slots_[head % slots_.size()];
        head_.store(head + 1, std::memory_order_release);
        return item;
    }

private:
    std::atomic<size_t> head_{0}, tail_{0};
    std::array<Item *, 64> slots_{};
};

void carry(ObjectPoolUnderTest &pool, int count, bool pinned) {
    std::vector<size_t> cpus = allowed_cpus();
    Ring ring;
    std::thread taker([&] {
        if (pinned)
            move_to(pthread_self(), cpus.front());
        for (int i = 0; i < count; i++) {
            Item *item = pool.get();
            while (!ring.push(item))
                std::this_thread::yield();
        }
    });
    std::thread giver([&] {
        if (pinned)
            move_to(pthread_self(), cpus.back());
        for (int i = 0; i < count;) {
            if (Item *item = ring.pop()) {
                pool.put(item);
                i++;
            } else {
                std::this_thread::yield();
            }
        }
    });
    taker.join();
    giver.join();
}

// On its way are at most what the ring holds and one in the hands of each thread.
TEST(HandOff, OneWayNeedsNoMoreObjectsThanAreOnTheirWay) {
    for (bool pinned : {true, false}) {
        Ledger ledger;
        ObjectPoolUnderTest pool(ledger.options());
        carry(pool, 100000 * kScale, pinned);
        EXPECT_LE(ledger.created(), 64 + 2);
        EXPECT_EQ(stats_of(pool).idle, static_cast<uint64_t>(ledger.created()));
        expect_balanced(stats_of(pool));
    }
}

TEST(HandOff, ManyPairsAtOnceUnderTorment) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    Tormentor tormentor;
    std::vector<std::thread> pairs;
    for (int i = 0; i < 3; i++)
        pairs.emplace_back([&] { carry(pool, 100000 * kScale, false); });
    for (std::thread &pair : pairs)
        pair.join();
    EXPECT_LE(ledger.created(), 3 * (64 + 2));
    expect_balanced(stats_of(pool));
}

TEST(HandOff, OneObjectSufficesForThreadsThatTakeTurns) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    std::vector<size_t> cpus = allowed_cpus();
    std::atomic<int> turn{0};
    const int turns = 2000 * kScale;
    auto play = [&](int side) {
        move_to(pthread_self(), side == 0 ? cpus.front() : cpus.back());
        for (int mine = side; mine < turns; mine += 2) {
            while (turn != mine)
                std::this_thread::yield();
            Item *item = pool.get();
            item->value++;
            pool.put(item);
            turn = mine + 1;
        }
    };
    std::thread other([&] { play(1); });
    std::thread([&] { play(0); }).join();
    other.join();
    EXPECT_EQ(ledger.created(), 1);
    EXPECT_EQ(pool.get()->value, turns);
    pool.put(&ledger.item(0));
}

TEST(HandOff, WhatLiesOnAnotherCpuIsFoundBeforeTheFactoryIsCalled) {
    std::vector<size_t> cpus = allowed_cpus();
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    for (int round = 0; round < 300 * kScale; round++) {
        int count = round % 200 + 1;
        std::thread([&] {
            move_to(pthread_self(), cpus[static_cast<size_t>(round) % cpus.size()]);
            std::vector<Item *> items = pool.get_some(count);
            for (Item *item : items)
                pool.put(item);
        }).join();
        EXPECT_LE(ledger.created(), 200);
    }
    EXPECT_EQ(ledger.created(), 200);
}

} // namespace
