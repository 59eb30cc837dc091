// The watchers that are told of a fork.
//
// SPDX-License-Identifier: Apache-2.0
#include "platform/fork.h"

#include "sync/child.h"

#include <atomic>
#include <gtest/gtest.h>
#include <thread>

namespace {

using namespace pool;
using pool_test::in_forked_child;
using pool_test::kForksAtRestOnly;

struct Counting : ForkWatcher {
    int calls = 0;
    Counting() {
        in_child = [](ForkWatcher *self) { static_cast<Counting *>(self)->calls++; };
    }
};

TEST(ForkWatcher, IsCalledInTheChildOnceAndNotInTheParent) {
    Counting first, second;
    ASSERT_EQ(watch_fork(&first), POOL_OK);
    ASSERT_EQ(watch_fork(&second), POOL_OK);
    EXPECT_EQ(in_forked_child([&] { return first.calls == 1 && second.calls == 1 ? 0 : 1; }), 0);
    EXPECT_EQ(first.calls, 0);
    unwatch_fork(&first);
    EXPECT_EQ(in_forked_child([&] { return first.calls == 0 && second.calls == 1 ? 0 : 1; }), 0);
    unwatch_fork(&second);
}

TEST(ForkWatcher, AGrandchildCountsItsGenerations) {
    Counting watcher;
    ASSERT_EQ(watch_fork(&watcher), POOL_OK);
    unsigned before = fork_generation();
    EXPECT_EQ(in_forked_child([&] {
                  if (fork_generation() != before + 1)
                      return 1;
                  return in_forked_child([&] {
                      return fork_generation() == before + 2 && watcher.calls == 2 ? 0 : 2;
                  });
              }),
              0);
    EXPECT_EQ(fork_generation(), before);
    unwatch_fork(&watcher);
}

TEST(ForkWatcher, TheChildMayWatchAndUnwatch) {
    Counting watcher;
    ASSERT_EQ(watch_fork(&watcher), POOL_OK);
    EXPECT_EQ(in_forked_child([&] {
                  unwatch_fork(&watcher);
                  Counting own;
                  if (watch_fork(&own) != POOL_OK)
                      return 1;
                  return in_forked_child(
                      [&] { return own.calls == 1 && watcher.calls == 1 ? 0 : 2; });
              }),
              0);
    unwatch_fork(&watcher);
}

TEST(ForkWatcher, TheListIsWholeInTheChildHoweverBusyItIs) {
    if (kForksAtRestOnly)
        GTEST_SKIP() << "threads that never rest";
    Counting kept;
    ASSERT_EQ(watch_fork(&kept), POOL_OK);
    std::atomic<bool> stop{false};
    std::thread busy([&] {
        Counting come_and_go;
        while (!stop) {
            watch_fork(&come_and_go);
            unwatch_fork(&come_and_go);
        }
    });
    int wrong = 0;
    for (int i = 0; i < 30 && wrong == 0; i++)
        wrong = in_forked_child([&] {
            fork_mutex().lock(); // free in the child
            fork_mutex().unlock();
            return kept.calls == 1 ? 0 : 1;
        });
    stop = true;
    busy.join();
    EXPECT_EQ(wrong, 0);
    unwatch_fork(&kept);
}

} // namespace
