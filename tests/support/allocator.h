// An allocator that keeps account, and fails where it is told to.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pool/common.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <map>
#include <mutex>

namespace pool_test {

class AccountingAllocator {
public:
    ~AccountingAllocator() {
        EXPECT_EQ(blocks_.size(), 0u) << "memory was not given back";
        EXPECT_EQ(wrong_frees_, 0) << "memory was freed with another size, alignment, or twice";
    }

    pool_allocator allocator() { return {sizeof(pool_allocator), alloc, free, this}; }

    // From now on the n-th allocation fails, counted from 1, and if `all` every one behind it too.
    void fail_at(int n, bool all) {
        std::lock_guard<std::mutex> guard(mutex_);
        calls_ = 0;
        fail_at_ = n;
        fail_all_ = all;
    }
    int calls() {
        std::lock_guard<std::mutex> guard(mutex_);
        return calls_;
    }
    size_t bytes() {
        std::lock_guard<std::mutex> guard(mutex_);
        size_t sum = 0;
        for (const auto &block : blocks_)
            sum += block.second.bytes;
        return sum;
    }

private:
    struct Block {
        size_t bytes;
        size_t alignment;
    };

    static void *alloc(size_t bytes, size_t alignment, void *ctx) {
        auto *self = static_cast<AccountingAllocator *>(ctx);
        std::lock_guard<std::mutex> guard(self->mutex_);
        self->calls_++;
        EXPECT_GT(bytes, 0u);
        EXPECT_GE(alignment, sizeof(void *));
        EXPECT_EQ(alignment & (alignment - 1), 0u);
        if (self->fail_at_ != 0 &&
            (self->fail_all_ ? self->calls_ >= self->fail_at_ : self->calls_ == self->fail_at_))
            return nullptr;
        void *memory = nullptr;
        if (posix_memalign(&memory, alignment, bytes) != 0)
            return nullptr;
        self->blocks_[memory] = {bytes, alignment};
        return memory;
    }

    static void free(void *memory, size_t bytes, size_t alignment, void *ctx) {
        auto *self = static_cast<AccountingAllocator *>(ctx);
        std::lock_guard<std::mutex> guard(self->mutex_);
        auto found = self->blocks_.find(memory);
        if (found == self->blocks_.end() || found->second.bytes != bytes ||
            found->second.alignment != alignment) {
            self->wrong_frees_++;
            return;
        }
        self->blocks_.erase(found);
        ::free(memory);
    }

    std::mutex mutex_;
    std::map<void *, Block> blocks_;
    int calls_ = 0;
    int fail_at_ = 0;
    bool fail_all_ = false;
    int wrong_frees_ = 0;
};

} // namespace pool_test
