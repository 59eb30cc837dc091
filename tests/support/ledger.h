// What became of every object: the callbacks of a pool under test, with an account of each object.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pool/objects.h"

#include <atomic>
#include <deque>
#include <gtest/gtest.h>
#include <mutex>

namespace pool_test {

// Kept by the ledger until its own end, so that a second destroy is counted and no use after free.
struct Item {
    int serial = 0;
    int value = 0; // for tests
    std::atomic<int> holders{0};
    std::atomic<int> resets{0};
    std::atomic<int> destroyed{0};

    // What a user does with an object between get and put: be the only one who has it.
    bool taken() { return holders.exchange(1, std::memory_order_relaxed) == 0; }
    bool given() { return holders.exchange(0, std::memory_order_relaxed) == 1; }
};

class Ledger {
public:
    ~Ledger() { EXPECT_EQ(wrong_, 0) << "an object was destroyed twice, or while it was held"; }

    // Options with this ledger's create and destroy.
    pool_objects_options options() {
        pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
        options.create = create;
        options.destroy = destroy;
        options.ctx = this;
        return options;
    }

    Item *make() {
        std::lock_guard<std::mutex> guard(mutex_);
        Item &item = items_.emplace_back();
        item.serial = static_cast<int>(items_.size()) - 1;
        return &item;
    }

    int created() {
        std::lock_guard<std::mutex> guard(mutex_);
        return static_cast<int>(items_.size());
    }
    int destroyed() const { return destroyed_; }
    int alive() { return created() - destroyed(); }
    Item &item(int serial) {
        std::lock_guard<std::mutex> guard(mutex_);
        return items_[static_cast<size_t>(serial)];
    }

    // The callbacks; ctx is the ledger.
    static void *create(void *ctx) { return static_cast<Ledger *>(ctx)->make(); }
    static void destroy(void *object, void *ctx) {
        auto *self = static_cast<Ledger *>(ctx);
        Item *item = static_cast<Item *>(object);
        if (item->destroyed++ != 0 || item->holders != 0)
            self->wrong_++;
        self->destroyed_++;
    }
    static pool_status reset(void *object, void *) {
        static_cast<Item *>(object)->resets++;
        return POOL_OK;
    }
    static pool_status refuse(void *, void *) { return POOL_EBAD; }

private:
    std::mutex mutex_;
    std::deque<Item> items_;
    std::atomic<int> destroyed_{0};
    std::atomic<int> wrong_{0};
};

} // namespace pool_test
