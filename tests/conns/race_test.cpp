// SPDX-License-Identifier: Apache-2.0
#include "conns/race.h"

#include "../sync/child.h"
#include "backend.h"
#include "platform/clock.h"
#include "sockets.h"

#include <atomic>
#include <cerrno>
#include <sys/resource.h>
#include <thread>

namespace {

using namespace pool_test;

constexpr int64_t kAttemptDelay = 250 * kMillisecond;

bool is_open(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

// Time passes by a step with each look at the clock, so that it takes no waiting, and a test knows
// what happens when.
class SteppingClock {
public:
    explicit SteppingClock(int64_t step) : step_(step) {
        pool_config_set_clock(
            [](void *self) {
                auto *clock = static_cast<SteppingClock *>(self);
                return clock->now_ += clock->step_;
            },
            this);
    }
    ~SteppingClock() { pool_config_set_clock(nullptr, nullptr); }
    // What the n-th look, from 1 on, shows.
    int64_t look(int n) const { return kStart + n * step_; }

private:
    static constexpr int64_t kStart = 1000 * kSecond;
    const int64_t step_;
    int64_t now_ = kStart;
};

// A race among the addresses of these keys.
class Race {
public:
    explicit Race(const std::vector<std::string> &keys) : list_(list_of(keys)) {}
    explicit Race(std::initializer_list<const BoundSocket *> sockets) {
        std::vector<std::string> keys;
        for (const BoundSocket *each : sockets)
            keys.push_back(each->key());
        list_ = list_of(keys);
    }
    ~Race() {
        if (thread_.joinable())
            thread_.join();
        EXPECT_EQ(fd() >= 0, error == 0);
        if (fd() >= 0)
            close(fd());
        freeaddrinfo(list_);
        EXPECT_EQ(open_sockets(), before_) << "a socket was lost";
    }
    Race(const Race &) = delete;
    Race &operator=(const Race &) = delete;

    int run(int64_t deadline) {
        error = pool::connect_first(list_, deadline, &conn_, &failed_at_);
        return error;
    }
    void run_on_a_thread(int64_t deadline) {
        thread_ = std::thread([this, deadline] { run(deadline); });
    }
    int join() {
        thread_.join();
        return error;
    }

    // Those of this race, and of nobody else as long as nobody opens any.
    std::vector<int> sockets() const {
        std::vector<int> found;
        for (int fd : open_sockets())
            if (before_.count(fd) == 0)
                found.push_back(fd);
        return found;
    }

    int fd() const { return pool::socket_fd(conn_); }
    // The port at which it failed; 0: at none.
    int failed_port() const {
        return failed_at_ == nullptr
                   ? 0
                   : ntohs(reinterpret_cast<sockaddr_in *>(failed_at_->ai_addr)->sin_port);
    }

private:
    const std::set<int> before_ = open_sockets();
    addrinfo *list_;
    int error = -1;
    void *conn_ = pool::socket_conn(-1);
    const addrinfo *failed_at_ = nullptr;
    std::thread thread_;
};

// ---- the order ------------------------------------------------------------------------------

// Addresses of these families ('4' or '6') in the order in which they are tried.
std::string turns(const std::string &families) {
    std::vector<addrinfo> list(families.size());
    for (size_t i = 0; i < list.size(); i++) {
        list[i].ai_family = families[i] == '4' ? AF_INET : AF_INET6;
        list[i].ai_flags = static_cast<int>(i);
        list[i].ai_next = i + 1 < list.size() ? &list[i + 1] : nullptr;
    }
    pool::take_turns(list.data());
    std::string order;
    for (const addrinfo *each = list.data(); each != nullptr; each = each->ai_next)
        order += static_cast<char>('a' + each->ai_flags);
    return order;
}

TEST(ConnRace, FamiliesTakeTurnsBeginningWithTheFirst) {
    EXPECT_EQ(turns("6"), "a");
    EXPECT_EQ(turns("666"), "abc");
    EXPECT_EQ(turns("4646"), "abcd");
    EXPECT_EQ(turns("6664"), "adbc");
    EXPECT_EQ(turns("666444"), "adbecf");
    EXPECT_EQ(turns("446666"), "acbdef");
    EXPECT_EQ(turns("64446"), "abecd");
}

// ---- who wins -------------------------------------------------------------------------------

TEST(ConnRace, ARefusedAddressIsFollowedAtOnce) {
    StoppedClock clock; // no delay ever ends
    BoundSocket refuses("127.0.0.1");
    Listener good("127.0.0.1");
    Race race({&refuses, &refuses, &good});
    EXPECT_EQ(race.run(POOL_FOREVER), 0);
    EXPECT_EQ(peer_port(race.fd()), good.port());
}

TEST(ConnRace, AnAddressWithoutARouteIsFollowedAtOnce) {
    StoppedClock clock;
    Listener good("127.0.0.1");
    Race race({"224.0.0.1:9", good.key()}); // no stream goes to a multicast address
    EXPECT_EQ(race.run(POOL_FOREVER), 0);
    EXPECT_EQ(peer_port(race.fd()), good.port());
}

TEST(ConnRace, ASilentAddressIsFollowedAfterTheDelayAndClosed) {
    SilentListener silent("127.0.0.1");
    Listener good("127.0.0.1");
    Race race({&silent, &good});
    EXPECT_EQ(race.run(POOL_FOREVER), 0);
    EXPECT_EQ(peer_port(race.fd()), good.port());
    EXPECT_EQ(race.sockets(), std::vector<int>{race.fd()}) << "a loser is open";
    EXPECT_NE(fcntl(race.fd(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(ConnRace, ASilentIpv6AddressIsFollowedByAnIpv4One) {
    SilentListener silent("::1");
    if (!silent.works())
        GTEST_SKIP() << "no IPv6 here";
    Listener good("127.0.0.1");
    Race race({&silent, &good});
    EXPECT_EQ(race.run(POOL_FOREVER), 0);
    EXPECT_EQ(peer_port(race.fd()), good.port());
    EXPECT_EQ(race.sockets(), std::vector<int>{race.fd()});
}

TEST(ConnRace, ASilentAddressIsNotFollowedBeforeTheDelay) {
    SilentListener silent("127.0.0.1");
    Listener good("127.0.0.1");
    Race race({&silent, &good});
    EXPECT_EQ(race.run(pool::deadline_after(kAttemptDelay - kMillisecond)), ETIMEDOUT);
    EXPECT_EQ(race.failed_port(), silent.port());
}

TEST(ConnRace, AnEarlierAttemptRacesOnBesideALaterOne) {
    StoppedClock clock;
    SilentListener first("127.0.0.1"), second("127.0.0.1");
    Race race({&first, &second});
    race.run_on_a_thread(POOL_FOREVER);
    eventually([&] { return race.sockets().size() == 1; });
    clock.advance(kAttemptDelay);
    eventually([&] { return race.sockets().size() == 2; });
    first.make_room();
    EXPECT_EQ(race.join(), 0);
    EXPECT_EQ(peer_port(race.fd()), first.port());
    EXPECT_EQ(race.sockets(), std::vector<int>{race.fd()});
}

// ---- how it fails ---------------------------------------------------------------------------

TEST(ConnRace, TheLastFailureIsReported) {
    StoppedClock clock;
    BoundSocket one("127.0.0.1"), two("127.0.0.1");
    Race race({&one, &two});
    EXPECT_EQ(race.run(POOL_FOREVER), ECONNREFUSED);
    EXPECT_EQ(race.failed_port(), two.port());
}

TEST(ConnRace, AnAnswerSaysMoreThanSilence) {
    SilentListener silent("127.0.0.1");
    BoundSocket refuses("127.0.0.1");
    {
        // At the 1st look the silent one starts, at the 3rd the other; the 4th finds it refused.
        SteppingClock clock(kAttemptDelay / 2);
        Race race({&silent, &refuses});
        EXPECT_EQ(race.run(clock.look(5)), ECONNREFUSED);
        EXPECT_EQ(race.failed_port(), refuses.port());
    }
    {
        SteppingClock clock(kAttemptDelay / 2);
        Race race({&refuses, &silent});
        EXPECT_EQ(race.run(clock.look(4)), ECONNREFUSED);
        EXPECT_EQ(race.failed_port(), refuses.port());
    }
}

TEST(ConnRace, SilenceSaysMoreThanALackOfRoutes) {
    SilentListener silent("127.0.0.1");
    {
        // At the 1st look the first one fails, at the 2nd the silent one starts, at the 4th the
        // last one fails.
        SteppingClock clock(kAttemptDelay / 2);
        Race race({"224.0.0.1:9", silent.key(), "224.0.0.1:9"});
        EXPECT_EQ(race.run(clock.look(6)), ETIMEDOUT);
        EXPECT_EQ(race.failed_port(), silent.port());
    }
    Race race({"224.0.0.1:9"});
    EXPECT_EQ(race.run(POOL_FOREVER), ENETUNREACH);
    EXPECT_EQ(race.failed_port(), 9);
}

TEST(ConnRace, NothingIsTriedAfterTheDeadline) {
    StoppedClock clock;
    Listener good("127.0.0.1");
    Race race({&good});
    EXPECT_EQ(race.run(clock.now()), ETIMEDOUT);
    EXPECT_EQ(race.failed_port(), 0);
}

TEST(ConnRace, TheDeadlineEndsEveryAttempt) {
    // The attempts start at looks 1, 2 and 3 of a clock that leaves out the delays.
    SteppingClock clock(kAttemptDelay);
    SilentListener silent("127.0.0.1");
    Race race({&silent, &silent, &silent});
    EXPECT_EQ(race.run(clock.look(4)), ETIMEDOUT);
    EXPECT_EQ(race.failed_port(), silent.port());
}

// While it lives, the process may open no descriptor, and poll at most so many.
class FewDescriptors {
public:
    explicit FewDescriptors(rlim_t most) {
        EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
        rlimit few = before_;
        few.rlim_cur = most;
        EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    }
    ~FewDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
    FewDescriptors(const FewDescriptors &) = delete;
    FewDescriptors &operator=(const FewDescriptors &) = delete;

private:
    rlimit before_;
};

TEST(ConnRace, ALackOfDescriptorsIsAFailure) {
    if (kAddressSanitizer)
        GTEST_SKIP() << "its checks of memory need descriptors of their own";
    Listener good("127.0.0.1");
    Race race({&good, &good});
    {
        FewDescriptors limit(0);
        EXPECT_EQ(race.run(POOL_FOREVER), EMFILE);
    }
    EXPECT_EQ(race.failed_port(), good.port());
}

TEST(ConnRace, ARaceThatCannotBePolledEnds) {
    if (kAddressSanitizer)
        GTEST_SKIP() << "its checks of memory need descriptors of their own";
    StoppedClock clock;
    SilentListener silent("127.0.0.1");
    Race race({&silent, &silent});
    race.run_on_a_thread(POOL_FOREVER);
    eventually([&] { return race.sockets().size() == 1; });
    FewDescriptors limit(0);
    EXPECT_EQ(race.join(), EINVAL);
    EXPECT_EQ(race.failed_port(), 0);
}

// A free port of the kind that the system starts connections from.
uint16_t outgoing_port() {
    SilentListener silent("127.0.0.1");
    sockaddr_in here = {};
    here.sin_family = AF_INET;
    here.sin_port = htons(silent.port());
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr *>(&here), sizeof here), -1);
    socklen_t length = sizeof here;
    EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr *>(&here), &length), 0);
    close(fd);
    return ntohs(here.sin_port);
}

TEST(ConnRace, AnAttemptThatMeetsItselfIsRefused) {
    // There are some 14000 ports of its kind, and they are tried by turns.
    Race race({"127.0.0.1:" + std::to_string(outgoing_port())});
    for (int i = 0; i < 20000; i++)
        ASSERT_EQ(race.run(POOL_FOREVER), ECONNREFUSED) << "at attempt " << i;
}

// ---- fork -----------------------------------------------------------------------------------

TEST(ConnRaceFork, TheChildHasNoneOfTheSockets) {
    StoppedClock clock;
    SilentListener silent("127.0.0.1");
    Listener good("127.0.0.1");
    Race race({&silent, &silent, &good});
    race.run_on_a_thread(POOL_FOREVER);
    eventually([&] { return race.sockets().size() == 1; });
    clock.advance(kAttemptDelay);
    eventually([&] { return race.sockets().size() == 2; });
    std::vector<int> racing = race.sockets();
    EXPECT_EQ(in_forked_child([&] {
                  for (int fd : racing)
                      if (is_open(fd))
                          return 1;
                  // Nor does it close them again when it forks itself.
                  for (int fd : racing)
                      if (dup2(STDIN_FILENO, fd) != fd)
                          return 2;
                  return in_forked_child([&] {
                      for (int fd : racing)
                          if (!is_open(fd))
                              return 3;
                      return 0;
                  });
              }),
              0);
    EXPECT_EQ(race.sockets(), racing) << "the parent's race goes on";
    clock.advance(kAttemptDelay);
    EXPECT_EQ(race.join(), 0);
    EXPECT_EQ(peer_port(race.fd()), good.port());
}

TEST(ConnRaceFork, WhereverItHappensTheChildHasNoneOfTheSockets) {
    if (kForksAtRestOnly)
        GTEST_SKIP() << "threads that never rest";
    BoundSocket refuses("127.0.0.1");
    addrinfo *list = list_of({refuses.key(), refuses.key()}); // the resolver has sockets too
    const std::set<int> before = open_sockets();
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; i++)
        threads.emplace_back([&] {
            while (!stop) {
                void *conn;
                const addrinfo *at;
                EXPECT_EQ(pool::connect_first(list, POOL_FOREVER, &conn, &at), ECONNREFUSED);
            }
        });
    int wrong = 0;
    for (int i = 0; i < 200 && wrong == 0; i++)
        wrong = in_forked_child([&] { return open_sockets() == before ? 0 : 1; });
    stop = true;
    for (std::thread &thread : threads)
        thread.join();
    freeaddrinfo(list);
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(open_sockets(), before);
}

} // namespace
