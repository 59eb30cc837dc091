// SPDX-License-Identifier: Apache-2.0
#include "../sync/child.h"
#include "backend.h"
#include "sockets.h"

#include <cerrno>
#include <fcntl.h>
#include <thread>

namespace {

using namespace pool_test;

bool is_open(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

pool_conns_stats stats_of(pool_conns *pool) {
    pool_conns_stats stats;
    stats.size = sizeof stats;
    pool_conns_get_stats(pool, &stats);
    return stats;
}

TEST(ConnPoolFork, TheChildClosesItsCopiesAndDialsAnew) {
    Listener listener("127.0.0.1");
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.max_open_per_key = 2;
    ConnPoolUnderTest pool(options);
    const char *key = listener.key().c_str();
    pool_conns_lease *lent = pool.acquire(key), *idle = pool.acquire(key);
    int lent_fd = pool_conns_lease_fd(lent), idle_fd = pool_conns_lease_fd(idle);
    pool_conns_release(idle);
    int servers[2] = {listener.accept(), listener.accept()};
    EXPECT_EQ(in_forked_child([&] {
                  if (is_open(lent_fd) || is_open(idle_fd))
                      return 1;
                  pool_conns_stats stats = stats_of(pool);
                  if (stats.open != 0 || stats.keys != 0)
                      return 2;
                  if (pool_conns_lease_fd(lent) != -1)
                      return 3;
                  if (pool_conns_release(lent) != POOL_EFORKED)
                      return 4;
                  if (pool_conns_release(lent) != POOL_EMISUSE)
                      return 5;
                  pool_conns_lease *fresh[2];
                  for (pool_conns_lease *&lease : fresh)
                      if (pool.acquire(key, kSecond, &lease) != POOL_OK)
                          return 6;
                  pool_conns_release(fresh[0]);
                  pool_conns_discard(fresh[1]);
                  return pool_conns_destroy(pool) == POOL_OK ? 0 : 7;
              }),
              0);
    // The parent's connections are as they were.
    for (int server : servers)
        EXPECT_EQ(send(server, "x", 1, MSG_NOSIGNAL), 1);
    char byte = 0;
    EXPECT_EQ(recv(lent_fd, &byte, 1, 0), 1);
    EXPECT_EQ(recv(idle_fd, &byte, 1, 0), 1);
    pool_conns_release(lent);
    EXPECT_EQ(pool.stats().idle, 2u);
    for (int server : servers)
        close(server);
}

TEST(ConnPoolFork, WhatCallbacksMadeIsForgottenNotClosed) {
    Backend backend;
    ConnPoolUnderTest pool(backend.options());
    pool_conns_lease *lent = pool.acquire("a"), *idle = pool.acquire("a");
    pool_conns_release(idle);
    EXPECT_EQ(in_forked_child([&] {
                  void *conn = &backend;
                  if (pool_conns_detach(lent, &conn) != POOL_EFORKED || conn != nullptr)
                      return 1;
                  if (pool_conns_clear(pool) != POOL_OK || backend.live() != 2)
                      return 2;
                  pool_conns_lease *lease;
                  if (pool.acquire("a", 0, &lease) != POOL_EAGAIN)
                      return 3;
                  if (pool.acquire("a", kSecond, &lease) != POOL_OK || backend.dials != 3)
                      return 4;
                  return pool_conns_release(lease) == POOL_OK ? 0 : 5;
              }),
              0);
    pool_conns_release(lent);
    EXPECT_EQ(backend.live(), 2);
}

TEST(ConnPoolFork, WhatCallbacksMadeIsAbandonedOnce) {
    static int abandoned;
    abandoned = 0;
    Backend backend;
    pool_conns_options options = backend.options();
    options.abandon = [](void *, void *) { abandoned++; };
    ConnPoolUnderTest pool(options);
    pool_conns_lease *lent = pool.acquire("a");
    pool_conns_release(pool.acquire("b"));
    ASSERT_EQ(pool_conns_fill(pool, "c", 1, 2, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(in_forked_child([&] {
                  pool_conns_lease *lease;
                  if (pool.acquire("a", 0, &lease) != POOL_EAGAIN || abandoned != 3)
                      return 1 + abandoned;
                  if (pool_conns_release(lent) != POOL_EFORKED || abandoned != 4)
                      return 11 + abandoned;
                  return pool_conns_destroy(pool) == POOL_OK && abandoned == 4 ? 0 : 21;
              }),
              0);
    EXPECT_EQ(in_forked_child([&] {
                  if (pool_conns_destroy(pool) != POOL_OK || abandoned != 3)
                      return 1 + abandoned;
                  // The pool's ctx is gone by now, and no callback is called any more.
                  return pool_conns_release(lent) == POOL_EFORKED && abandoned == 3 ? 0 : 11;
              }),
              0);
    pool_conns_release(lent);
}

TEST(ConnPoolFork, TheChildHasNoWaiters) {
    Backend backend;
    pool_conns_options options = backend.options();
    options.max_open = 1;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *held = pool.acquire("a");
    std::vector<std::thread> threads;
    for (const char *key : {"a", "b"})
        threads.emplace_back([&pool, key] { pool_conns_release(pool.acquire(key)); });
    eventually([&] { return pool.stats().waiters == 2; });
    EXPECT_EQ(in_forked_child([&] {
                  if (stats_of(pool).waiters != 0)
                      return 1;
                  pool_conns_lease *lease;
                  if (pool.acquire("b", kSecond, &lease) != POOL_OK)
                      return 2;
                  pool_conns_discard(lease);
                  return pool_conns_close(pool, 0, nullptr) == POOL_OK ? 0 : 3;
              }),
              0);
    pool_conns_release(held);
    for (std::thread &thread : threads)
        thread.join();
}

TEST(ConnPoolFork, AForeignLeaseOutlivesTheDestroyedPool) {
    Backend backend;
    static Tally *freed;
    Tally tally;
    freed = &tally;
    pool_conns_options options = backend.options();
    options.ctx_free = [](void *) { freed->raise(); };
    ConnPoolUnderTest pool(options);
    pool_conns_lease *lent = pool.acquire("a");
    EXPECT_EQ(in_forked_child([&] {
                  pool_conns_destroy(pool);
                  if (freed->value() != 1)
                      return 1; // no callback can be called any more
                  return pool_conns_release(lent) == POOL_EFORKED ? 0 : 2;
              }),
              0);
    pool_conns_release(lent);
}

TEST(ConnPoolFork, AnAcquireWhoseDialForkedFailsInTheChild) {
    static pid_t child;
    child = -1;
    Backend backend;
    pool_conns_options options = backend.options();
    options.dial = [](const void *key, size_t length, int64_t deadline, void **conn, void *ctx) {
        child = fork();
        return Backend::dial(key, length, deadline, conn, ctx);
    };
    ConnPoolUnderTest pool(options);
    pool_conns_lease *lease;
    pool_status status = pool.acquire("a", POOL_FOREVER, &lease);
    if (child == 0)
        _exit(status == POOL_EFORKED && stats_of(pool).open == 0 ? 0 : 1);
    EXPECT_EQ(status, POOL_OK);
    int result = -1;
    ASSERT_EQ(waitpid(child, &result, 0), child);
    EXPECT_EQ(result, 0);
    pool_conns_release(lease);
}

TEST(ConnPoolFork, InTheMiddleOfTrafficTheChildFindsAWholePool) {
    if (kForksAtRestOnly)
        GTEST_SKIP() << "threads that never rest";
    Backend backend;
    pool_conns_options options = backend.options();
    options.max_open = 2;
    ConnPoolUnderTest pool(options);
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (const char *key : {"a", "b", "c"})
        threads.emplace_back([&, key] {
            while (!stop) {
                pool_conns_lease *lease;
                if (pool.acquire(key, kSecond, &lease) == POOL_OK)
                    pool_conns_release(lease);
            }
        });
    int wrong = 0;
    for (int i = 0; i < 20 && wrong == 0; i++)
        wrong = in_forked_child([&] {
            if (stats_of(pool).open != 0)
                return 1;
            pool_conns_lease *lease;
            if (pool.acquire("a", 0, &lease) != POOL_EAGAIN)
                return 2;
            return pool_conns_close(pool, 0, nullptr) == POOL_OK ? 0 : 3;
        });
    stop = true;
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(wrong, 0);
}

} // namespace
