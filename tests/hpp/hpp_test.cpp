// The C++ wrappers.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/pool.hpp"

#include <atomic>
#include <cstring>
#include <gtest/gtest.h>
#include <set>
#include <vector>

namespace {

using namespace std::chrono_literals;

struct Counted {
    static inline std::atomic<int> alive{0};
    int value = 0;
    Counted() { ++alive; }
    ~Counted() { --alive; }
};

TEST(Hpp, ObjectsGoBackByThemselvesAndAreDeletedWithThePool) {
    {
        pool::objects<Counted> pool;
        {
            auto first = pool.get();
            first->value = 7;
            EXPECT_FALSE(pool.try_get());
        }
        EXPECT_EQ(pool.stats().idle, 1u);
        auto again = pool.get();
        EXPECT_EQ(again->value, 7);
        delete again.release();
        pool.prefill(3);
        EXPECT_EQ(Counted::alive, 3);
        pool.shrink(2);
        EXPECT_EQ(Counted::alive, 2);
        pool.sweep();
        pool.sweep();
        EXPECT_EQ(Counted::alive, 0);
        pool.get();
    }
    EXPECT_EQ(Counted::alive, 0);
}

TEST(Hpp, ObjectsAreMadeAndResetAsToldAndCallbacksAreDestroyed) {
    auto token = std::make_shared<int>(5);
    std::weak_ptr<int> watch = token;
    {
        pool::objects<int> pool([token] { return new int(*token); },
                                [token](int &value) { return ++value < 7; });
        token.reset();
        EXPECT_EQ(*pool.get(), 5);
        EXPECT_EQ(*pool.get(), 6); // and not kept after that
        EXPECT_EQ(*pool.get(), 5);
        EXPECT_FALSE(watch.expired());
    }
    EXPECT_TRUE(watch.expired());
}

TEST(Hpp, ErrorsAreThrownWithStatusAndText) {
    pool::objects<int> pool([]() -> int * { throw std::runtime_error("no"); });
    try {
        pool.get();
        FAIL();
    } catch (const pool::error &error) {
        EXPECT_EQ(error.status(), POOL_ECREATE);
        EXPECT_NE(strstr(error.what(), "POOL_ECREATE: "), nullptr) << error.what();
    }
    pool_objects_options bad = POOL_OBJECTS_OPTIONS_INIT;
    bad.flags = 1u << 30;
    EXPECT_THROW(pool::objects<int>{bad}, pool::error);
}

TEST(Hpp, BuffersGoBackByThemselves) {
    pool::buffers pool;
    std::byte *data;
    {
        auto buffer = pool.get(1000);
        EXPECT_EQ(buffer.capacity(), 1024u);
        EXPECT_EQ(buffer.bytes().size(), 1024u);
        data = buffer.data();
        pool::buffers::lease moved = std::move(buffer);
        EXPECT_EQ(buffer.data(), nullptr);
        EXPECT_EQ(moved.data(), data);
        moved = pool.get(5000);
    }
    EXPECT_EQ(pool.stats().out, 0);
    EXPECT_EQ(pool.get(1000).data(), data);
    EXPECT_EQ(pool.try_get(300).data(), nullptr);
    pool.prefill(300, 1);
    EXPECT_NE(pool.try_get(300).data(), nullptr);
    pool.trim(0);
    EXPECT_EQ(pool.stats().idle, 0u);
    pool.sweep();
}

TEST(Hpp, AFreeListGivesZeroedObjects) {
    struct alignas(64) Request {
        uint64_t sequence;
        char method[50];
    };
    pool::free_list<Request> requests;
    for (int i = 0; i < 3; i++) {
        auto request = requests.get();
        EXPECT_EQ(reinterpret_cast<uintptr_t>(request.get()) % 64, 0u);
        EXPECT_EQ(request->sequence, 0u);
        EXPECT_EQ(request->method[49], '\0');
        request->sequence = 7;
        request->method[49] = 'x';
    }
    EXPECT_EQ(requests.stats().misses, 1u);
    EXPECT_EQ(requests.stats().out, 0);
}

TEST(Hpp, BufsGrowAndGoBackByThemselves) {
    pool::buffers pool;
    {
        pool::buf text(pool, 3);
        text.append("hello ").append("world", 5) += '!';
        EXPECT_EQ(text.view(), "hello world!");
        pool::buf moved = std::move(text);
        moved.resize(5000);
        EXPECT_EQ(moved.length(), 5000u);
        EXPECT_EQ(moved.bytes()[4999], std::byte{0});
        auto memory = moved.detach();
        EXPECT_GE(memory.capacity(), 5000u);
        EXPECT_EQ(moved.length(), 0u);
        moved += "again";
        EXPECT_EQ(moved.view(), "again");
        EXPECT_EQ(pool.stats().out, 2);
        EXPECT_THROW(pool::buf(pool, POOL_BUFFERS_TAGS), pool::error);
    }
    EXPECT_EQ(pool.stats().out, 0);
}

TEST(Hpp, WorkersRunEveryTaskBeforeTheyEnd) {
    std::atomic<int> ran{0};
    auto token = std::make_shared<int>(0);
    std::weak_ptr<int> watch = token;
    {
        pool::workers pool;
        for (int i = 0; i < 100; i++)
            pool.submit([&ran, token] { ran++; });
        token.reset();
        pool.submit([] { throw 1; });
        while (!pool.try_submit([&ran] { ran++; }))
            ;
        EXPECT_TRUE(pool.wait_idle());
        EXPECT_EQ(pool.stats().failed, 1u);
        EXPECT_TRUE(watch.expired()) << "a task that has run was kept";
        pool.submit([&ran] { ran++; });
    }
    EXPECT_EQ(ran, 102);
    pool::workers stopped;
    EXPECT_TRUE(stopped.stop(POOL_WORKERS_DISCARD, 1s));
    EXPECT_THROW(stopped.submit([] {}), pool::error);
}

TEST(Hpp, StatisticsAreText) {
    pool::buffers pool;
    EXPECT_NE(pool::stats_text(POOL_STATS_JSON).find("\"area\":\"buffers\""), std::string::npos);
    EXPECT_THROW(pool::stats_text(9), pool::error);
}

} // namespace
