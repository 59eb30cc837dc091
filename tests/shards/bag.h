// A bag of shards by itself, in memory that is accounted for.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "shards/shards.h"
#include "support/allocator.h"
#include "support/two_cpus.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <new>
#include <vector>

namespace pool_test {

// Objects are numbers from 1 on.
inline void *object(uintptr_t n) {
    return reinterpret_cast<void *>(n);
}
inline uintptr_t number(void *object) {
    return reinterpret_cast<uintptr_t>(object);
}

class Bag {
public:
    explicit Bag(pool_cpu_mode mode, uint64_t bound = pool::kUnbounded,
                 pool::Shards::Direct direct = pool::Shards::Direct::kAll)
        : allocator_(accounting_.allocator()), memory_(&allocator_),
          budget_(bound, pool::kUnbounded) {
        block_ = aligned_alloc(pool::kCacheLine, (pool::Shards::bytes() + pool::kCacheLine - 1) &
                                                     ~(pool::kCacheLine - 1));
        shards_ = new (block_) pool::Shards(memory_, mode, &budget_, 1, direct);
        EXPECT_EQ(shards_->init(), POOL_OK);
    }
    // Whatever is left goes first, as the bag must be drained.
    ~Bag() {
        shards_->stop(true);
        shards_->shrink(0, disposal());
        EXPECT_EQ(shards_->idle(), 0u);
        shards_->clear();
        EXPECT_EQ(memory_.bytes(), 0u);
        shards_->~Shards();
        free(block_);
    }
    Bag(const Bag &) = delete;
    Bag &operator=(const Bag &) = delete;

    pool::Shards *operator->() { return shards_; }
    AccountingAllocator &memory() { return accounting_; }

    pool::Disposal disposal() {
        return {[](void *const *objects, size_t count, void *ctx) {
                    auto *self = static_cast<Bag *>(ctx);
                    self->disposed.insert(self->disposed.end(), objects, objects + count);
                },
                this};
    }
    std::vector<void *> disposed;

    // Objects first .. first + n - 1, as a user puts them: the fast path where it serves.
    void put(uintptr_t first, uintptr_t n) {
        for (uintptr_t i = first; i < first + n; i++)
            EXPECT_TRUE(put_one(object(i)));
    }
    bool put_fast(void *one) {
        int32_t zero = -1;
        bool put = shards_->put_fast(one, &zero);
        EXPECT_TRUE(!put || zero == 0);
        return put;
    }
    bool put_one(void *one) {
        return put_fast(one) || shards_->put_locked(one) || shards_->put(one);
    }
    void *get_one() {
        void *one;
        return shards_->get_fast(&one) || shards_->get_locked(&one) ? one : shards_->get();
    }
    std::vector<uintptr_t> get(size_t n) {
        std::vector<uintptr_t> numbers;
        for (size_t i = 0; i < n; i++)
            numbers.push_back(number(get_one()));
        return numbers;
    }
    uint64_t hits(pool::Origin origin) { return shards_->stats().hits[static_cast<int>(origin)]; }

private:
    AccountingAllocator accounting_;
    pool_allocator allocator_;
    pool::Memory memory_;
    pool::Budget budget_;
    void *block_;
    pool::Shards *shards_;
};

// Tests that run in both CPU modes.
class InBothModes : public testing::TestWithParam<pool_cpu_mode> {
protected:
    void SetUp() override {
        pool_cpu_mode mode;
        if (pool::resolve_cpu_mode(GetParam(), &mode) != POOL_OK)
            GTEST_SKIP() << pool_last_error();
    }
};

inline std::string mode_name(const testing::TestParamInfo<pool_cpu_mode> &info) {
    return info.param == POOL_CPU_RSEQ ? "rseq" : "fallback";
}

} // namespace pool_test
