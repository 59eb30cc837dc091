// Buffer pools by random calls from several threads: gets, puts, growth, sweeps and trims.
//
// SPDX-License-Identifier: Apache-2.0
//
// Every buffer that is out carries its holder's stamp at both ends, so one that two threads hold
// shows. Whenever all threads rest, the accounts must close: what the allocator has given for
// buffers is what is idle, no bound is exceeded, nothing is out.
#include "pool/pool.h"
#include "torment.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <thread>
#include <vector>

namespace {

using namespace pool_test;

// Tells buffers from the pool's own memory by their alignment.
class Account {
public:
    static constexpr size_t kAlignment = 512;

    pool_allocator allocator() { return {sizeof(pool_allocator), alloc, free, this}; }
    uint64_t buffer_bytes() const { return bytes_; }

private:
    static void *alloc(size_t bytes, size_t alignment, void *ctx) {
        void *memory = nullptr;
        if (posix_memalign(&memory, alignment, bytes) != 0)
            return nullptr;
        if (alignment >= kAlignment)
            static_cast<Account *>(ctx)->bytes_ += bytes;
        return memory;
    }
    static void free(void *memory, size_t bytes, size_t alignment, void *ctx) {
        if (alignment >= kAlignment)
            static_cast<Account *>(ctx)->bytes_ -= bytes;
        ::free(memory);
    }

    std::atomic<uint64_t> bytes_{0};
};

uint32_t pick(std::mt19937 &random, size_t below) {
    return static_cast<uint32_t>(random() % below);
}

struct Stamp {
    uint64_t thread, serial;
    bool operator==(const Stamp &) const = default;
};

void write_stamp(pool_buffer buffer, Stamp stamp) {
    auto *bytes = static_cast<char *>(buffer.data);
    memcpy(bytes, &stamp, sizeof stamp);
    memcpy(bytes + buffer.capacity - sizeof stamp, &stamp, sizeof stamp);
}

bool has_stamp(pool_buffer buffer, Stamp stamp) {
    const auto *bytes = static_cast<const char *>(buffer.data);
    Stamp first, last;
    memcpy(&first, bytes, sizeof first);
    memcpy(&last, bytes + buffer.capacity - sizeof last, sizeof last);
    return first == stamp && last == stamp;
}

class Crowd {
public:
    explicit Crowd(pool_buffers_options options) : options_(options) {
        allocator_ = account_.allocator();
        options_.allocator = &allocator_;
        options_.alignment = Account::kAlignment;
        EXPECT_EQ(pool_buffers_create(&options_, &pool_), POOL_OK) << pool_last_error();
    }
    ~Crowd() {
        EXPECT_EQ(pool_buffers_destroy(pool_), POOL_OK) << pool_last_error();
        EXPECT_EQ(account_.buffer_bytes(), 0u);
    }

    void play(unsigned seed, unsigned threads, int calls) {
        torment(threads, [&](Tormentor::Victim &, unsigned index, std::minstd_rand &) {
            act(std::mt19937(seed * 100 + index), index, calls);
        });
        expect_closed_accounts();
    }

private:
    void act(std::mt19937 random, uint64_t self, int calls) {
        struct Held {
            pool_buffer buffer;
            Stamp stamp;
        };
        std::vector<Held> held;
        uint64_t serial = 0;
        auto put_one = [&](size_t which) {
            EXPECT_TRUE(has_stamp(held[which].buffer, held[which].stamp)) << "it is shared";
            EXPECT_EQ(pool_buffers_put(pool_, held[which].buffer), POOL_OK) << pool_last_error();
            held[which] = held.back();
            held.pop_back();
        };
        for (int i = 0; i < calls; i++) {
            unsigned choice = pick(random, 1000);
            if (choice < 450 && held.size() < 30) {
                pool_buffer buffer = pool_buffers_get(pool_, size(random));
                ASSERT_NE(buffer.data, nullptr) << pool_last_error();
                held.push_back({buffer, {self, serial++}});
                write_stamp(buffer, held.back().stamp);
            } else if (choice < 900) {
                if (!held.empty())
                    put_one(pick(random, held.size()));
            } else if (choice < 990) {
                grow(random, self);
            } else if (choice < 995) {
                EXPECT_EQ(pool_buffers_trim(pool_, pick(random, 1000000)), POOL_OK);
            } else {
                EXPECT_EQ(pool_buffers_sweep(pool_), POOL_OK);
            }
        }
        while (!held.empty())
            put_one(held.size() - 1);
    }

    // At least two stamps, and seldom more than the largest class.
    static size_t size(std::mt19937 &random) {
        return 32 + (pick(random, 400000) >> pick(random, 16));
    }

    void grow(std::mt19937 &random, uint64_t self) {
        pool_buf buf;
        ASSERT_EQ(pool_buf_get(pool_, pick(random, 3), &buf), POOL_OK);
        auto mark = static_cast<unsigned char>('a' + self);
        size_t expected = 0;
        for (unsigned n = pick(random, 40); n > 0; n--) {
            unsigned char piece[300];
            size_t length = pick(random, sizeof piece);
            memset(piece, mark, length);
            ASSERT_EQ(pool_buf_append(&buf, piece, length), POOL_OK);
            expected += length;
        }
        ASSERT_EQ(buf.length, expected);
        for (size_t at = 0; at < buf.length; at++)
            ASSERT_EQ(buf.data[at], mark) << "it is shared";
        EXPECT_EQ(pool_buf_put(&buf), POOL_OK);
    }

    void expect_closed_accounts() {
        pool_buffers_stats stats = {};
        stats.size = sizeof stats;
        ASSERT_EQ(pool_buffers_get_stats(pool_, &stats), POOL_OK);
        EXPECT_EQ(stats.out, 0);
        EXPECT_EQ(stats.out_bytes, 0);
        EXPECT_EQ(stats.misuses, 0u);
        EXPECT_EQ(stats.gets, stats.puts);
        EXPECT_EQ(stats.idle_bytes, account_.buffer_bytes());
        if (options_.max_idle != 0) {
            EXPECT_LE(stats.idle, options_.max_idle);
        }
        if (options_.max_idle_bytes != 0) {
            EXPECT_LE(stats.idle_bytes, options_.max_idle_bytes);
        }
    }

    Account account_;
    pool_allocator allocator_;
    pool_buffers_options options_;
    pool_buffers *pool_ = nullptr;
};

void play(pool_buffers_options options, int calls) {
    Crowd crowd(options);
    for (unsigned round = 0; round < 4; round++)
        crowd.play(round, 6, calls * kScale);
}

TEST(BufferStorm, Plain) {
    play(POOL_BUFFERS_OPTIONS_INIT, 15000);
}

TEST(BufferStorm, WithShortPeriods) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.sweep_period = 1000000;
    play(options, 15000);
}

TEST(BufferStorm, UnderABoundOnBytes) {
    for (uint64_t bound : {uint64_t{1000}, uint64_t{300000}, uint64_t{3000000}}) {
        pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
        options.max_idle_bytes = bound;
        play(options, 3000);
    }
}

TEST(BufferStorm, UnderBothBounds) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.max_idle = 20;
    options.max_idle_bytes = 500000;
    play(options, 5000);
}

TEST(BufferStorm, InCheckedMode) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.flags = POOL_BUFFERS_CHECKED;
    play(options, 1500);
}

TEST(BufferStorm, WithZeroing) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.flags = POOL_BUFFERS_ZERO_ON_GET | POOL_BUFFERS_ZERO_ON_PUT;
    options.scheme = POOL_BUFFERS_DOUBLING;
    play(options, 3000);
}

} // namespace
