// SPDX-License-Identifier: Apache-2.0
#include "../sync/child.h"
#include "backend.h"
#include "sockets.h"

#include <cerrno>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <thread>

namespace {

using namespace pool_test;

pool_conns_options built_in() {
    return POOL_CONNS_OPTIONS_INIT;
}

int option_of(int fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    EXPECT_EQ(getsockopt(fd, level, name, &value, &length), 0);
    return value;
}

void expect_talk(int client, int server) {
    char got[5] = {};
    EXPECT_EQ(send(client, "ping", 4, MSG_NOSIGNAL), 4);
    EXPECT_EQ(recv(server, got, 4, MSG_WAITALL), 4);
    EXPECT_STREQ(got, "ping");
    EXPECT_EQ(send(server, "pong", 4, MSG_NOSIGNAL), 4);
    EXPECT_EQ(recv(client, got, 4, MSG_WAITALL), 4);
    EXPECT_STREQ(got, "pong");
}

TEST(ConnPoolDialer, ConnectsOverTcpAndKeepsTheConnection) {
    Listener listener("127.0.0.1");
    ConnPoolUnderTest pool(built_in());
    pool_conns_lease *lease = pool.acquire(listener.key().c_str());
    int fd = pool_conns_lease_fd(lease);
    EXPECT_EQ(reinterpret_cast<intptr_t>(pool_conns_lease_conn(lease)), fd);
    int server = listener.accept();
    expect_talk(fd, server);
    EXPECT_NE(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    EXPECT_NE(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
    EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 15);
    EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), 4);
    EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0) << "left non-blocking";
    pool_conns_release(lease);
    lease = pool.acquire(listener.key().c_str());
    EXPECT_EQ(pool_conns_lease_fd(lease), fd);
    EXPECT_EQ(pool_conns_lease_uses(lease), 1u);
    expect_talk(fd, server);
    pool_conns_release(lease);
    EXPECT_EQ(pool.stats().dials, 1u);
    close(server);
}

TEST(ConnPoolDialer, ConnectsOverIpv6) {
    Listener listener("::1");
    if (!listener.works())
        GTEST_SKIP() << "no IPv6 here";
    ConnPoolUnderTest pool(built_in());
    pool_conns_lease *lease = pool.acquire(listener.key().c_str());
    int server = listener.accept();
    expect_talk(pool_conns_lease_fd(lease), server);
    pool_conns_release(lease);
    close(server);
}

TEST(ConnPoolDialer, ConnectsOverUnixSockets) {
    Listener listener(socket_path("dial"));
    ConnPoolUnderTest pool(built_in());
    pool_conns_lease *lease;
    ASSERT_EQ(pool.acquire(listener.key().c_str(), kSecond, &lease), POOL_OK) << pool_last_error();
    int server = listener.accept();
    int fd = pool_conns_lease_fd(lease);
    expect_talk(fd, server);
    EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    timeval limit;
    socklen_t length = sizeof limit;
    ASSERT_EQ(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, &length), 0);
    EXPECT_EQ(limit.tv_sec + limit.tv_usec, 0) << "a limit was left behind";
    pool_conns_release(lease);
    close(server);
}

// A link-local address of this host with its scope, or nothing.
std::string link_local() {
    ifaddrs *all = nullptr;
    std::string found;
    if (getifaddrs(&all) != 0)
        return found;
    for (const ifaddrs *each = all; each != nullptr; each = each->ifa_next) {
        if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET6)
            continue;
        const auto *address = reinterpret_cast<const sockaddr_in6 *>(each->ifa_addr);
        char text[INET6_ADDRSTRLEN];
        if (IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr) && (each->ifa_flags & IFF_UP) != 0 &&
            inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof text) != nullptr)
            found = std::string(text) + "%" + each->ifa_name;
    }
    freeifaddrs(all);
    return found;
}

TEST(ConnPoolDialer, ConnectsToAnIpv6AddressWithAScope) {
    Listener listener("::");
    std::string host = link_local();
    if (!listener.works() || host.empty())
        GTEST_SKIP() << "no link-local IPv6 address here";
    ConnPoolUnderTest pool(built_in());
    std::string key = "[" + host + "]:" + std::to_string(listener.port());
    pool_conns_lease *lease;
    ASSERT_EQ(pool.acquire(key.c_str(), kSecond, &lease), POOL_OK) << pool_last_error();
    int server = listener.accept();
    expect_talk(pool_conns_lease_fd(lease), server);
    pool_conns_release(lease);
    close(server);
}

TEST(ConnPoolDialer, TriesEveryAddressOfAHost) {
    BoundSocket refuses("127.0.0.1");
    Listener listener("127.0.0.1");
    EveryHost host({"224.0.0.1:9", refuses.key(), listener.key()});
    ConnPoolUnderTest pool(built_in());
    pool_conns_lease *lease;
    ASSERT_EQ(pool.acquire("db.example:80", kSecond, &lease), POOL_OK) << pool_last_error();
    int server = listener.accept();
    expect_talk(pool_conns_lease_fd(lease), server);
    EXPECT_EQ(fcntl(pool_conns_lease_fd(lease), F_GETFL) & O_NONBLOCK, 0) << "left non-blocking";
    pool_conns_release(lease);
    close(server);
}

TEST(ConnPoolDialer, FindsThisHostByItsNameAndNumbers) {
    Listener listener("127.0.0.1");
    std::string port = std::to_string(listener.port());
    ConnPoolUnderTest pool(built_in());
    for (const char *host : {"localhost:", "127.0.0.1:"}) {
        pool_conns_lease *lease;
        ASSERT_EQ(pool.acquire((host + port).c_str(), kSecond, &lease), POOL_OK)
            << pool_last_error();
        pool_conns_discard(lease);
    }
    // Nor may that depend on the addresses that the host has beside these.
    EveryHost every({listener.key()});
    pool_conns_discard(pool.acquire("db.example:80"));
    EXPECT_EQ(EveryHost::last_hints.ai_flags & AI_ADDRCONFIG, 0);
    EXPECT_EQ(EveryHost::last_hints.ai_family, AF_UNSPEC);
}

TEST(ConnPoolDialer, AHostIsLookedUpAnewForEachDial) {
    Listener before("127.0.0.1"), after("127.0.0.1");
    EveryHost host({before.key()});
    ConnPoolUnderTest pool(built_in());
    pool_conns_lease *one = pool.acquire("db.example:80");
    EXPECT_EQ(peer_port(pool_conns_lease_fd(one)), before.port());
    host.has({after.key()});
    pool_conns_lease *two = pool.acquire("db.example:80");
    EXPECT_EQ(peer_port(pool_conns_lease_fd(two)), after.port());
    EXPECT_EQ(EveryHost::lookups, 2);
    pool_conns_release(one);
    pool_conns_release(two);
    pool_conns_release(pool.acquire("db.example:80"));
    EXPECT_EQ(EveryHost::lookups, 2) << "without a dial";
}

TEST(ConnPoolDialer, AnIdleConnectionWithBytesOrItsEndWaitingIsDead) {
    Listener listener("127.0.0.1");
    ConnPoolUnderTest pool(built_in());
    pool_conns_release(pool.acquire(listener.key().c_str()));
    int server = listener.accept();
    close(server);
    eventually([&] {
        pool_conns_lease *lease = pool.acquire(listener.key().c_str());
        bool fresh = pool_conns_lease_uses(lease) == 0;
        pool_conns_release(lease);
        return fresh;
    });
    server = listener.accept();
    EXPECT_EQ(pool.stats().closed_invalid, 1u);
    EXPECT_EQ(send(server, "?", 1, MSG_NOSIGNAL), 1);
    eventually([&] {
        pool_conns_lease *lease = pool.acquire(listener.key().c_str());
        bool fresh = pool_conns_lease_uses(lease) == 0;
        pool_conns_release(lease);
        return fresh;
    });
    EXPECT_EQ(pool.stats().closed_invalid, 2u);
    close(server);
}

TEST(ConnPoolDialer, ADiscardedConnectionIsClosed) {
    Listener listener("127.0.0.1");
    ConnPoolUnderTest pool(built_in());
    pool_conns_lease *lease = pool.acquire(listener.key().c_str());
    int server = listener.accept();
    pool_conns_discard(lease);
    char byte;
    EXPECT_EQ(recv(server, &byte, 1, 0), 0) << "the end of the stream";
    close(server);
}

TEST(ConnPoolDialer, ADetachedConnectionStaysOpen) {
    Listener listener("127.0.0.1");
    void *conn;
    {
        ConnPoolUnderTest pool(built_in());
        pool_conns_lease *lease = pool.acquire(listener.key().c_str());
        EXPECT_EQ(pool_conns_detach(lease, &conn), POOL_OK);
    }
    int fd = static_cast<int>(reinterpret_cast<intptr_t>(conn));
    int server = listener.accept();
    expect_talk(fd, server);
    close(fd);
    close(server);
}

TEST(ConnPoolDialer, SaysWhatIsWrongWithAnAddress) {
    struct Case {
        std::string key;
        std::string message;
    } cases[] = {
        {"localhost", "cannot connect to 'localhost': the address has no port"},
        {"::1:80", "cannot connect to '::1:80': an IPv6 address needs brackets"},
        {"host:0", "cannot connect to 'host:0': the port is not a number from 1 to 65535"},
        {"h\r\n\xff:80x", "cannot connect to 'h???:80x': the port is not a number from 1 to 65535"},
        {std::string(256, 'h') + ":80",
         "cannot connect to '" + std::string(112, 'h') + "...': the host name is too long"},
        {std::string(300, 'h') + ":80", "an address of 303 bytes is too long"},
        {std::string(1024, 'h'), "an address of 1024 bytes is too long"},
        {"unix:", "cannot connect to 'unix:': the path is empty"},
        {"unix:/" + std::string(108, 'p'),
         "cannot connect to 'unix:/" + std::string(106, 'p') + "...': the path is too long"},
        {"unix:/nonexistent/socket",
         "cannot connect to 'unix:/nonexistent/socket': No such file or directory"},
        {std::string("a\0b:80", 6), "cannot connect to 'a': a NUL byte follows"},
        {std::string("unix:/a\0b", 9), "cannot connect to 'unix:/a': a NUL byte follows"},
    };
    const std::set<int> before = open_sockets();
    ConnPoolUnderTest pool(built_in());
    for (const Case &each : cases) {
        pool_conns_lease *lease;
        EXPECT_EQ(pool_conns_acquire(pool, each.key.data(), each.key.size(), kSecond, &lease),
                  POOL_EDIAL)
            << each.message;
        EXPECT_EQ(pool_last_error(), each.message);
        EXPECT_EQ(lease, nullptr);
    }
    EXPECT_EQ(pool.stats().open, 0u);
    EXPECT_EQ(open_sockets(), before);
}

TEST(ConnPoolDialer, ARefusedConnectionNamesTheAddressAndTheError) {
    BoundSocket refuses("127.0.0.1");
    const std::string path = socket_path("refuses");
    BoundSocket refuses_too(path);
    ConnPoolUnderTest pool(built_in());
    const std::set<int> before = open_sockets();
    pool_conns_lease *lease;
    for (const std::string &key : {refuses.key(), refuses_too.key()}) {
        EXPECT_EQ(pool.acquire(key.c_str(), kSecond, &lease), POOL_EDIAL);
        EXPECT_EQ(pool_last_error(), "cannot connect to '" + key + "': Connection refused");
    }
    EveryHost host({refuses.key()});
    EXPECT_EQ(pool.acquire("db.example:5432", kSecond, &lease), POOL_EDIAL);
    EXPECT_STREQ(pool_last_error(),
                 "cannot connect to 'db.example:5432' at 127.0.0.1: Connection refused");
    EXPECT_EQ(open_sockets(), before);
}

TEST(ConnPoolDialer, AnUnknownHostIsADialFailure) {
    ConnPoolUnderTest pool(built_in());
    pool_conns_lease *lease;
    // A label of more than 63 letters is refused without asking anybody.
    std::string key = std::string(64, 'x') + ".invalid:80";
    EXPECT_EQ(pool.acquire(key.c_str(), kSecond, &lease), POOL_EDIAL);
    EXPECT_EQ(std::string(pool_last_error()).find("cannot connect to '" + key + "': "), 0u);
}

TEST(ConnPoolDialer, TheTimeoutOfAcquireEndsADial) {
    for (const std::string &where : {std::string("127.0.0.1"), socket_path("silent")}) {
        SilentListener listener(where);
        const std::set<int> before = open_sockets();
        ConnPoolUnderTest pool(built_in());
        pool_conns_lease *lease;
        EXPECT_EQ(pool.acquire(listener.key().c_str(), 20 * kMillisecond, &lease), POOL_ETIMEDOUT);
        EXPECT_EQ(pool_last_error(),
                  "the timeout passed while '" + listener.key() + "' was dialed");
        EXPECT_EQ(pool.stats().dial_fails, 1u);
        EXPECT_EQ(pool.stats().open, 0u);
        EXPECT_EQ(open_sockets(), before);
    }
}

TEST(ConnPoolDialer, ConnectTimeoutEndsADialEarlier) {
    for (const std::string &where : {std::string("127.0.0.1"), socket_path("silent")}) {
        SilentListener listener(where);
        pool_conns_options options = built_in();
        options.connect_timeout = 20 * kMillisecond;
        ConnPoolUnderTest pool(options);
        pool_conns_lease *lease;
        EXPECT_EQ(pool.acquire(listener.key().c_str(), POOL_FOREVER, &lease), POOL_EDIAL);
        EXPECT_EQ(pool_last_error(),
                  "cannot connect to '" + listener.key() + "': Connection timed out");
    }
}

TEST(ConnPoolDialer, AThreadIsNotCancelledWhileItDials) {
    for (const std::string &where : {std::string("127.0.0.1"), socket_path("silent")}) {
        SilentListener listener(where);
        const std::set<int> before = open_sockets();
        pool_conns_options options = built_in();
        options.connect_timeout = 20 * kMillisecond;
        ConnPoolUnderTest pool(options);
        pool_status status = POOL_OK;
        int state = -1;
        std::thread([&] {
            pthread_cancel(pthread_self()); // takes effect at the next call that may be cancelled
            pool_conns_lease *lease;
            status = pool.acquire(listener.key().c_str(), POOL_FOREVER, &lease);
            pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
        }).join();
        EXPECT_EQ(status, POOL_EDIAL);
        EXPECT_EQ(state, PTHREAD_CANCEL_ENABLE) << "left off";
        EXPECT_EQ(open_sockets(), before);
        EXPECT_EQ(pool.stats().open, 0u);
    }
}

// In the child: is any of these open?
bool any_open(const std::set<int> &fds) {
    for (int fd : fds)
        if (fcntl(fd, F_GETFD) >= 0)
            return true;
    return false;
}

TEST(ConnPoolDialer, AForkInTheMiddleOfADialLeavesTheChildNoCopy) {
    for (const std::string &where : {std::string("127.0.0.1"), socket_path("silent")}) {
        SilentListener listener(where);
        Listener good("127.0.0.1");
        ConnPoolUnderTest pool(built_in());
        const std::set<int> before = open_sockets();
        std::thread thread([&] {
            pool_conns_lease *lease = pool.acquire(listener.key().c_str());
            pool_conns_release(lease);
        });
        eventually([&] { return open_sockets().size() > before.size(); });
        std::set<int> dialed;
        for (int fd : open_sockets())
            if (before.count(fd) == 0)
                dialed.insert(fd);
        EXPECT_EQ(in_forked_child([&] {
                      if (any_open(dialed))
                          return 1;
                      pool_conns_lease *lease;
                      if (pool.acquire(good.key().c_str(), kSecond, &lease) != POOL_OK)
                          return 2;
                      return pool_conns_release(lease) == POOL_OK ? 0 : 3;
                  }),
                  0);
        listener.make_room();
        thread.join();
        EXPECT_EQ(pool.stats().idle, 1u);
    }
}

TEST(ConnPoolDialer, ServesManyThreadsOverFewConnections) {
    constexpr int kThreads = 6, kTurns = 100;
    Listener listener("127.0.0.1");
    pool_conns_options options = built_in();
    options.max_open_per_key = 2;
    std::vector<std::thread> servers, clients;
    {
        ConnPoolUnderTest pool(options);
        for (int i = 0; i < 2; i++)
            servers.emplace_back([&] {
                int fd = listener.accept();
                char byte;
                while (recv(fd, &byte, 1, 0) == 1)
                    send(fd, &byte, 1, MSG_NOSIGNAL);
                close(fd);
            });
        // One connection for each server, so that none waits in vain.
        pool_conns_lease *one = pool.acquire(listener.key().c_str());
        pool_conns_lease *two = pool.acquire(listener.key().c_str());
        pool_conns_release(one);
        pool_conns_release(two);
        for (int i = 0; i < kThreads; i++)
            clients.emplace_back([&, i] {
                for (int turn = 0; turn < kTurns; turn++) {
                    pool_conns_lease *lease = pool.acquire(listener.key().c_str());
                    char sent = static_cast<char>(turn + i), got = 0;
                    int fd = pool_conns_lease_fd(lease);
                    EXPECT_EQ(send(fd, &sent, 1, MSG_NOSIGNAL), 1);
                    EXPECT_EQ(recv(fd, &got, 1, 0), 1);
                    EXPECT_EQ(got, sent);
                    pool_conns_release(lease);
                }
            });
        for (std::thread &thread : clients)
            thread.join();
        EXPECT_EQ(pool.stats().dials, 2u);
        EXPECT_EQ(pool.stats().acquires, uint64_t{kThreads} * kTurns + 2);
    }
    for (std::thread &thread : servers)
        thread.join();
}

} // namespace
