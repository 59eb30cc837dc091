// SPDX-License-Identifier: Apache-2.0
#include "backend.h"

#include <cerrno>
#include <pthread.h>
#include <stdexcept>
#include <thread>

namespace {

using namespace pool_test;

TEST(ConnPoolAcquire, DialsOnceAndLendsTheSameConnectionAgain) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    pool_conns_lease *lease = pool.acquire("a");
    EXPECT_EQ(connection_of(lease)->key, "a");
    EXPECT_EQ(pool_conns_lease_uses(lease), 0u);
    EXPECT_EQ(pool_conns_lease_fd(lease), -1);
    void *first = pool_conns_lease_conn(lease);
    EXPECT_EQ(pool_conns_release(lease), POOL_OK);
    lease = pool.acquire("a");
    EXPECT_EQ(pool_conns_lease_conn(lease), first);
    EXPECT_EQ(pool_conns_lease_uses(lease), 1u);
    EXPECT_EQ(pool_conns_release(lease), POOL_OK);
    EXPECT_EQ(backend.dials, 1);
    EXPECT_EQ(pool.stats().acquires, 2u);
    EXPECT_EQ(pool.stats().hits, 1u);
}

TEST(ConnPoolAcquire, KeysDoNotShareConnections) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    pool_conns_release(pool.acquire("a"));
    pool_conns_lease *lease = pool.acquire("b");
    EXPECT_EQ(connection_of(lease)->key, "b");
    pool_conns_release(lease);
    EXPECT_EQ(pool.stats().keys, 2u);
    EXPECT_EQ(pool.stats().idle, 2u);
}

TEST(ConnPoolAcquire, AnyBytesAreAKeyAndSoIsNone) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    pool_conns_lease *lease;
    ASSERT_EQ(pool_conns_acquire(pool, nullptr, 0, POOL_FOREVER, &lease), POOL_OK);
    EXPECT_EQ(connection_of(lease)->key, "");
    pool_conns_release(lease);
    ASSERT_EQ(pool_conns_acquire(pool, "", 0, 0, &lease), POOL_OK) << "NULL is the empty key";
    pool_conns_release(lease);
    const char bytes[] = {'x', '\0', '\xff', 'y'};
    ASSERT_EQ(pool_conns_acquire(pool, bytes, 4, POOL_FOREVER, &lease), POOL_OK);
    EXPECT_EQ(connection_of(lease)->key, std::string(bytes, 4));
    pool_conns_release(lease);
    EXPECT_EQ(pool_conns_acquire(pool, bytes, 3, 0, &lease), POOL_EAGAIN) << "a prefix is another";
    std::string longest(1024, 'k');
    ASSERT_EQ(pool_conns_acquire(pool, longest.data(), longest.size(), POOL_FOREVER, &lease),
              POOL_OK);
    pool_conns_release(lease);
}

TEST(ConnPoolAcquire, LendsTheMostRecentlyUsedFirst) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    pool_conns_lease *one = pool.acquire("a"), *two = pool.acquire("a");
    void *second = pool_conns_lease_conn(two);
    pool_conns_release(one);
    pool_conns_release(two);
    pool_conns_lease *lease = pool.acquire("a");
    EXPECT_EQ(pool_conns_lease_conn(lease), second);
    pool_conns_release(lease);
}

TEST(ConnPoolAcquire, WithoutATimeoutNeitherWaitsNorDials) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    pool_conns_lease *lease = reinterpret_cast<pool_conns_lease *>(&backend);
    EXPECT_EQ(pool.acquire("a", 0, &lease), POOL_EAGAIN);
    EXPECT_EQ(lease, nullptr);
    EXPECT_STREQ(pool_last_error(), "pool '': no connection is idle, and the timeout is 0");
    EXPECT_EQ(backend.dials, 0);
    EXPECT_EQ(pool.stats().keys, 0u);
    pool_conns_release(pool.acquire("a"));
    EXPECT_EQ(pool.acquire("a", 0, &lease), POOL_OK);
    pool_conns_release(lease);
}

TEST(ConnPoolAcquire, ADeadIdleConnectionIsReplaced) {
    Backend backend;
    pool_conns_options options = backend.options();
    options.max_open_per_key = 2;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *one = pool.acquire("a"), *two = pool.acquire("a");
    connection_of(one)->dead = true;
    connection_of(two)->dead = true;
    pool_conns_release(one);
    pool_conns_release(two);
    pool_conns_lease *lease = pool.acquire("a");
    EXPECT_EQ(pool_conns_lease_uses(lease), 0u);
    EXPECT_EQ(backend.closed(POOL_CONNS_INVALID), 2);
    EXPECT_EQ(pool.stats().closed_invalid, 2u);
    EXPECT_EQ(pool.stats().open, 1u);
    pool_conns_release(lease);
    EXPECT_EQ(backend.most_live(), 2);
}

TEST(ConnPoolAcquire, WithoutATimeoutADeadConnectionIsOnlyClosed) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    pool_conns_lease *lease = pool.acquire("a");
    connection_of(lease)->dead = true;
    pool_conns_release(lease);
    EXPECT_EQ(pool.acquire("a", 0, &lease), POOL_EAGAIN);
    EXPECT_EQ(pool.stats().open, 0u);
    EXPECT_EQ(pool.stats().keys, 0u);
}

TEST(ConnPoolAcquire, AnIsAliveThatThrowsFindsTheConnectionDead) {
    Backend backend;
    pool_conns_options options = backend.options();
    options.is_alive = [](void *, int64_t, void *) -> int32_t {
        throw std::runtime_error("check");
    };
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire("a"));
    pool_conns_release(pool.acquire("a"));
    EXPECT_EQ(backend.dials, 2);
    EXPECT_EQ(backend.closed(POOL_CONNS_INVALID), 1);
}

TEST(ConnPoolAcquire, IsAliveHearsHowLongTheConnectionWasIdle) {
    static std::atomic<int64_t> heard;
    heard = -1;
    StoppedClock clock;
    Backend backend;
    pool_conns_options options = backend.options();
    options.is_alive = [](void *, int64_t idle_time, void *) -> int32_t {
        heard = idle_time;
        return 1;
    };
    ConnPoolUnderTest pool(options);
    pool_conns_release(pool.acquire("a"));
    clock.advance(7 * kSecond);
    pool_conns_release(pool.acquire("a"));
    EXPECT_EQ(heard, 7 * kSecond);
}

TEST(ConnPoolAcquire, HandsOnWhatTheDialCallbackReturned) {
    Backend backend;
    pool_conns_options options = backend.options();
    options.dial_backoff = POOL_CONNS_NONE;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *lease;
    for (pool_status result : {pool_status{POOL_EDIAL}, pool_status{POOL_EBAD}, pool_status{42}}) {
        backend.dial_result = result;
        EXPECT_EQ(pool.acquire("k\x01", POOL_FOREVER, &lease), result);
        EXPECT_EQ(lease, nullptr);
        EXPECT_EQ(pool_last_error_status(), result);
        EXPECT_STREQ(pool_last_error(), ("pool '': the dial callback failed with " +
                                         std::to_string(result) + " for key 'k?'")
                                            .c_str());
    }
    EXPECT_EQ(pool.stats().dial_fails, 3u);
    EXPECT_EQ(pool.stats().open, 0u);
    EXPECT_EQ(pool.stats().keys, 0u) << "an unused key is forgotten";
}

TEST(ConnPoolAcquire, AKeyThatBacksOffIsRememberedUntilThatIsLongOver) {
    StoppedClock clock;
    Backend backend;
    pool_conns_options options = backend.options();
    options.dial_backoff = options.dial_backoff_max = kSecond;
    ConnPoolUnderTest pool(options);
    backend.dial_result = POOL_EDIAL;
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("a", POOL_FOREVER, &lease), POOL_EDIAL);
    EXPECT_EQ(pool.stats().keys, 1u);
    EXPECT_EQ(pool_conns_reap(pool), POOL_OK);
    EXPECT_EQ(pool.stats().keys, 1u) << "it still backs off";
    clock.advance(3 * kSecond);
    EXPECT_EQ(pool_conns_reap(pool), POOL_OK);
    EXPECT_EQ(pool.stats().keys, 0u);
}

TEST(ConnPoolAcquire, ADialThatThrowsFails) {
    Backend backend;
    pool_conns_options options = backend.options();
    options.dial = [](const void *, size_t, int64_t, void **, void *) -> pool_status {
        throw std::runtime_error("dial");
    };
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("a", POOL_FOREVER, &lease), POOL_EDIAL);
    EXPECT_EQ(pool.acquire("a", POOL_FOREVER, &lease), POOL_EDIAL) << "its place is free again";
}

TEST(ConnPoolAcquire, ADialThatEndsItsThreadFreesItsPlace) {
    Backend backend;
    pool_conns_options options = backend.options();
    options.dial = [](const void *, size_t, int64_t, void **, void *) -> pool_status {
        pthread_exit(nullptr);
    };
    options.dial_backoff = POOL_CONNS_NONE;
    options.max_open_per_key = 1;
    ConnPoolUnderTest pool(options);
    pthread_t thread;
    ASSERT_EQ(pthread_create(
                  &thread, nullptr,
                  [](void *arg) -> void * {
                      pool_conns_lease *lease;
                      pool_conns_acquire(static_cast<pool_conns *>(arg), "a", 1, POOL_FOREVER,
                                         &lease);
                      return arg;
                  },
                  static_cast<pool_conns *>(pool)),
              0);
    void *result = pool;
    pthread_join(thread, &result);
    EXPECT_EQ(result, nullptr) << "the thread went on";
    EXPECT_EQ(pool.stats().dialing, 0u);
    EXPECT_EQ(pool.stats().dial_fails, 1u);
    EXPECT_EQ(pool.stats().keys, 0u);
}

TEST(ConnPoolAcquire, GivesTheDialTheEarlierOfItsDeadlines) {
    StoppedClock clock;
    Backend backend;
    pool_conns_options options = backend.options();
    options.connect_timeout = 5 * kSecond;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *lease;
    ASSERT_EQ(pool.acquire("a", POOL_FOREVER, &lease), POOL_OK);
    EXPECT_EQ(backend.last_deadline, clock.now() + 5 * kSecond);
    ASSERT_EQ(pool.acquire("b", 3 * kSecond, &lease), POOL_OK);
    EXPECT_EQ(backend.last_deadline, clock.now() + 3 * kSecond);
    pool_conns_close(pool, 0, nullptr);
    pool_conns_options unlimited = backend.options();
    unlimited.connect_timeout = POOL_CONNS_NONE;
    ConnPoolUnderTest second(unlimited);
    ASSERT_EQ(second.acquire("a", POOL_FOREVER, &lease), POOL_OK);
    EXPECT_EQ(backend.last_deadline, POOL_FOREVER);
    pool_conns_release(lease);
}

TEST(ConnPoolAcquire, HoldsManyKeys) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    for (int i = 0; i < 1000; i++)
        pool_conns_release(pool.acquire(std::to_string(i).c_str()));
    EXPECT_EQ(pool.stats().keys, 1000u);
    for (int i = 0; i < 1000; i++) {
        pool_conns_lease *lease = nullptr;
        ASSERT_EQ(pool.acquire(std::to_string(i).c_str(), 0, &lease), POOL_OK) << i;
        EXPECT_EQ(connection_of(lease)->key, std::to_string(i));
        pool_conns_discard(lease);
    }
    EXPECT_EQ(pool.stats().keys, 0u);
}

TEST(ConnPoolAcquire, ChurnsManyKeysFromSeveralThreads) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&, i] {
            for (int turn = 0; turn < 500; turn++) {
                std::string key = std::to_string((turn * 7 + i) % 60);
                pool_conns_lease *lease = pool.acquire(key.c_str());
                EXPECT_EQ(connection_of(lease)->key, key);
                if (turn % 3 == 0)
                    pool_conns_discard(lease);
                else
                    pool_conns_release(lease);
                if (turn % 100 == 0)
                    pool_conns_reap(pool);
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(pool.stats().in_use, 0u);
    EXPECT_EQ(static_cast<int>(pool.stats().open), backend.live());
}

TEST(ConnPoolAcquire, NamesWhatIsWrongWithItsArguments) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    pool_conns_lease *lease = nullptr;
    EXPECT_EQ(pool_conns_acquire(nullptr, "a", 1, 0, &lease), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "the pool is NULL");
    EXPECT_EQ(pool_conns_acquire(pool, "a", 1, 0, nullptr), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "lease is NULL");
    EXPECT_EQ(pool_conns_acquire(pool, nullptr, 1, 0, &lease), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "the key is NULL, but its length is 1");
    EXPECT_EQ(pool_conns_acquire(pool, "a", 1025, 0, &lease), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "a key of 1025 bytes is too long; the most is 1024");
    EXPECT_EQ(pool_conns_acquire(pool, "a", 1, -2, &lease), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "timeout is -2; negative is only POOL_FOREVER");
    EXPECT_EQ(pool_conns_lease_conn(nullptr), nullptr);
    EXPECT_EQ(pool_conns_lease_fd(nullptr), -1);
    EXPECT_EQ(pool_conns_lease_uses(nullptr), 0u);
}

TEST(ConnPoolAcquire, WithoutMemoryFailsAndLeaksNothing) {
    static std::atomic<int> left, outstanding;
    outstanding = 0;
    pool_allocator allocator = {sizeof(pool_allocator),
                                [](size_t bytes, size_t alignment, void *) -> void * {
                                    if (left-- <= 0)
                                        return nullptr;
                                    outstanding++;
                                    return aligned_alloc(alignment, (bytes + alignment - 1) /
                                                                        alignment * alignment);
                                },
                                [](void *memory, size_t, size_t, void *) {
                                    outstanding--;
                                    free(memory);
                                },
                                nullptr};
    for (int allowed = 0;; allowed++) {
        left = allowed;
        Backend backend;
        pool_conns_options options = backend.options();
        options.allocator = &allocator;
        pool_conns *pool = nullptr;
        bool done = false;
        if (pool_conns_create(&options, &pool) == POOL_OK) {
            // Enough keys for the table to grow, which it may do without.
            done = true;
            for (int i = 0; i < 20 && done; i++) {
                std::string key = std::to_string(i);
                pool_conns_lease *lease;
                pool_status status =
                    pool_conns_acquire(pool, key.data(), key.size(), POOL_FOREVER, &lease);
                done = status == POOL_OK;
                if (done)
                    pool_conns_release(lease);
                else
                    EXPECT_EQ(status, POOL_ENOMEM);
            }
            pool_conns_destroy(pool);
        } else {
            EXPECT_EQ(pool_last_error_status(), POOL_ENOMEM);
        }
        EXPECT_EQ(outstanding, 0);
        EXPECT_EQ(backend.live(), 0);
        if (done)
            break;
    }
}

} // namespace
