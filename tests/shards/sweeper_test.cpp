// The background thread: started by the first client, joined by the end of the last.
//
// SPDX-License-Identifier: Apache-2.0
#include "shards/sweeper.h"

#include "platform/clock.h"
#include "platform/pressure.h"
#include "platform/status.h"
#include "sync/child.h"
#include "sync/gate.h"

#include <atomic>
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>

namespace {

using namespace pool;
using namespace pool_test;

struct Client : SweepClient {
    std::atomic<int> sweeps{0};
    Client() {
        period = kMillisecond;
        sweep = [](SweepClient *self) { static_cast<Client *>(self)->sweeps++; };
    }
};

// Threads of this process whose name is the sweeper's.
int sweeper_threads() {
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    while (dirent *task = readdir(tasks)) {
        std::string path = std::string("/proc/self/task/") + task->d_name + "/comm";
        char name[32] = {};
        int fd = open(path.c_str(), O_RDONLY);
        if (fd < 0)
            continue;
        ssize_t got = read(fd, name, sizeof name - 1);
        close(fd);
        count += got > 0 && std::string(name) == "pool-sweeper\n";
    }
    closedir(tasks);
    return count;
}

TEST(Sweeper, RunsWhileItHasClientsAndIsOneForAll) {
    EXPECT_EQ(sweeper_threads(), 0);
    Client first, second;
    ASSERT_EQ(sweeper_add(&first), POOL_OK);
    ASSERT_EQ(sweeper_add(&second), POOL_OK);
    eventually([&] { return first.sweeps >= 2 && second.sweeps >= 2; });
    EXPECT_EQ(sweeper_threads(), 1);
    sweeper_remove(&first);
    int swept = first.sweeps, seen = second.sweeps;
    eventually([&] { return second.sweeps >= seen + 3; });
    EXPECT_EQ(first.sweeps, swept) << "swept after its removal";
    sweeper_remove(&second);
    // The thread is joined; its entry under /proc may be a moment late to go.
    eventually([] { return sweeper_threads() == 0; });
    sweeper_remove(&second); // not listed: ignored
}

TEST(Sweeper, StartsAgainAfterItHasStopped) {
    for (int i = 0; i < 20; i++) {
        Client client;
        ASSERT_EQ(sweeper_add(&client), POOL_OK);
        eventually([&] { return client.sweeps >= 1; });
        sweeper_remove(&client);
    }
}

TEST(Sweeper, RemoveWaitsForASweepUnderWay) {
    struct Slow : Client {
        Gate entered, go_on;
        std::atomic<bool> done{false};
        Slow() {
            sweep = [](SweepClient *self) {
                auto *slow = static_cast<Slow *>(self);
                slow->entered.open();
                slow->go_on.wait();
                slow->done = true;
            };
        }
    } slow;
    Client other; // keeps the thread
    ASSERT_EQ(sweeper_add(&slow), POOL_OK);
    ASSERT_EQ(sweeper_add(&other), POOL_OK);
    slow.entered.wait();
    std::thread remover([&] {
        sweeper_remove(&slow);
        EXPECT_TRUE(slow.done);
    });
    slow.go_on.open();
    remover.join();
    sweeper_remove(&other);
}

TEST(Sweeper, AClientMayAddAndRemoveOthersInItsSweep) {
    struct Parent : Client {
        Client child;
        Gate done;
        Parent() {
            sweep = [](SweepClient *self) {
                auto *parent = static_cast<Parent *>(self);
                if (parent->sweeps++ == 0) {
                    EXPECT_EQ(sweeper_add(&parent->child), POOL_OK);
                } else if (parent->sweeps == 3) {
                    sweeper_remove(&parent->child);
                    parent->done.open();
                }
            };
        }
    } parent;
    ASSERT_EQ(sweeper_add(&parent), POOL_OK);
    parent.done.wait();
    sweeper_remove(&parent);
}

TEST(Sweeper, ThreadsMayAddAndRemoveTheLastClientAtOnce) {
    auto play = [] {
        for (int i = 0; i < 2000; i++) {
            Client client;
            ASSERT_EQ(sweeper_add(&client), POOL_OK);
            if (i % 100 == 0)
                eventually([&] { return client.sweeps >= 1; });
            sweeper_remove(&client);
        }
    };
    std::thread other(play), third(play);
    play();
    other.join();
    third.join();
    eventually([] { return sweeper_threads() == 0; });
}

TEST(Sweeper, AClientThatRemovesTheLastMayAddTheNext) {
    struct Phoenix : Client {
        Client last, next;
        Gate done;
        Phoenix() {
            sweep = [](SweepClient *self) {
                auto *phoenix = static_cast<Phoenix *>(self);
                sweeper_remove(phoenix); // it is in no list from here on
                sweeper_remove(&phoenix->last);
                EXPECT_EQ(sweeper_add(&phoenix->next), POOL_OK);
                phoenix->done.open();
            };
        }
    };
    for (int i = 0; i < 3; i++) {
        Phoenix bird;
        ASSERT_EQ(sweeper_add(&bird.last), POOL_OK);
        ASSERT_EQ(sweeper_add(&bird), POOL_OK);
        bird.done.wait();
        eventually([&] { return bird.next.sweeps >= 2; });
        EXPECT_EQ(sweeper_threads(), 1);
        sweeper_remove(&bird.next);
    }
    eventually([] { return sweeper_threads() == 0; });
}

// Urgent data on a socket is reported as the kernel reports memory pressure.
class FakePressure {
public:
    FakePressure() {
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        auto *generic = reinterpret_cast<sockaddr *>(&address);
        EXPECT_EQ(bind(listener, generic, length), 0);
        EXPECT_EQ(listen(listener, 1), 0);
        EXPECT_EQ(getsockname(listener, generic, &length), 0);
        source_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(connect(source_, generic, length), 0);
        here_ = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        close(listener);
        before_ = open_pressure_source;
        open_pressure_source = [] { return dup(source_); };
    }
    ~FakePressure() {
        open_pressure_source = before_;
        close(source_);
        close(here_);
    }
    void begin() const { EXPECT_EQ(send(here_, "!", 1, MSG_OOB), 1); }
    void end() const {
        char byte;
        EXPECT_EQ(recv(source_, &byte, 1, MSG_OOB), 1);
    }

private:
    static int source_;
    int here_;
    int (*before_)();
};
int FakePressure::source_;

TEST(Sweeper, MemoryPressureSweepsThoseWhoAskedTwice) {
    static std::atomic<int64_t> now{1000 * kSecond};
    pool::set_clock([](void *) -> int64_t { return now; }, nullptr); // no period passes
    FakePressure pressure;
    struct Asking : Client {
        const FakePressure *pressure = nullptr;
        Asking() {
            period = 0;
            on_pressure = true;
            sweep = [](SweepClient *self) {
                auto *asking = static_cast<Asking *>(self);
                if (asking->sweeps++ == 0)
                    asking->pressure->end();
            };
        }
    } asking;
    asking.pressure = &pressure;
    Client other;
    ASSERT_EQ(sweeper_add(&other), POOL_OK);
    ASSERT_EQ(sweeper_add(&asking), POOL_OK);
    EXPECT_EQ(asking.sweeps, 0);
    pressure.begin();
    eventually([&] { return asking.sweeps == 2; });
    sweeper_remove(&asking);
    EXPECT_EQ(asking.sweeps, 2);
    EXPECT_EQ(other.sweeps, 0);
    sweeper_remove(&other);
    pool::set_clock(nullptr, nullptr);
}

TEST(Sweeper, IsRevivedInTheChildOfAFork) {
    if (kThreadSanitizer)
        GTEST_SKIP() << "no threads in the child";
    Client client;
    ASSERT_EQ(sweeper_add(&client), POOL_OK);
    eventually([&] { return client.sweeps >= 1; });
    EXPECT_EQ(in_forked_child([&] {
                  if (sweeper_threads() != 0)
                      return 1;
                  int before = client.sweeps;
                  sweeper_revive();
                  eventually([&] { return client.sweeps > before; });
                  sweeper_revive();
                  if (sweeper_threads() != 1)
                      return 2;
                  sweeper_remove(&client);
                  eventually([] { return sweeper_threads() == 0; });
                  return 0;
              }),
              0);
    int before = client.sweeps;
    eventually([&] { return client.sweeps > before; });
    sweeper_remove(&client);
}

} // namespace
