// An object pool for tests, made and ended through the C functions.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pool/objects.h"
#include "support/ledger.h"

#include <gtest/gtest.h>
#include <vector>

namespace pool_test {

inline pool_objects_stats stats_of(pool_objects *pool) {
    pool_objects_stats stats;
    stats.size = sizeof stats;
    EXPECT_EQ(pool_objects_get_stats(pool, &stats), POOL_OK) << pool_last_error();
    return stats;
}

// The equations of a pool that no thread is using at this moment.
inline void expect_balanced(const pool_objects_stats &s) {
    uint64_t hits = s.hits_slab + s.hits_depot + s.hits_steal + s.hits_victim + s.hits_stray;
    EXPECT_EQ(s.gets, hits + s.created - s.prefilled);
    EXPECT_EQ(s.out, static_cast<int64_t>(s.gets - s.puts));
    EXPECT_EQ(static_cast<int64_t>(s.created), static_cast<int64_t>(s.idle + s.destroyed) + s.out);
    EXPECT_LE(s.dropped, s.puts);
    EXPECT_LE(s.dropped + s.swept, s.destroyed);
    EXPECT_LE(s.prefilled, s.created);
}

class ObjectPoolUnderTest {
public:
    explicit ObjectPoolUnderTest(const pool_objects_options &options) {
        EXPECT_EQ(pool_objects_create(&options, &pool_), POOL_OK) << pool_last_error();
    }
    ~ObjectPoolUnderTest() { EXPECT_EQ(destroy(), POOL_OK) << pool_last_error(); }
    ObjectPoolUnderTest(const ObjectPoolUnderTest &) = delete;
    ObjectPoolUnderTest &operator=(const ObjectPoolUnderTest &) = delete;

    operator pool_objects *() const { return pool_; }

    pool_status destroy() {
        pool_objects *pool = pool_;
        pool_ = nullptr;
        return pool_objects_destroy(pool);
    }
    // The end is the test's business from here on.
    pool_objects *leave() {
        pool_objects *pool = pool_;
        pool_ = nullptr;
        return pool;
    }

    Item *get() const { return held(pool_objects_get(pool_)); }
    Item *try_get() const { return held(pool_objects_try_get(pool_)); }
    void put(Item *item) const {
        EXPECT_TRUE(item->given()) << "object " << item->serial << " was not out";
        EXPECT_EQ(pool_objects_put(pool_, item), POOL_OK) << pool_last_error();
    }

    std::vector<Item *> get_some(int n) const {
        std::vector<Item *> items;
        for (int i = 0; i < n; i++)
            items.push_back(get());
        return items;
    }
    void put_all(const std::vector<Item *> &items) const {
        for (Item *item : items)
            put(item);
    }
    // So many idle objects, all seen by users before.
    void fill(int n) const { put_all(get_some(n)); }

    pool_objects_stats stats() const {
        pool_objects_stats stats = stats_of(pool_);
        expect_balanced(stats);
        return stats;
    }
    uint64_t idle() const { return stats_of(pool_).idle; }

private:
    static Item *held(void *object) {
        Item *item = static_cast<Item *>(object);
        if (item != nullptr) {
            EXPECT_TRUE(item->taken()) << "object " << item->serial << " was handed out twice";
            EXPECT_EQ(item->destroyed, 0) << "object " << item->serial << " was destroyed before";
        }
        return item;
    }

    pool_objects *pool_ = nullptr;
};

} // namespace pool_test
