// SPDX-License-Identifier: Apache-2.0
#include "backend.h"
#include "sockets.h"

#include <cerrno>
#include <fcntl.h>
#include <netinet/tcp.h>
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

TEST(ConnPoolDialer, TriesEveryAddressOfAHost) {
    // "localhost" usually has an IPv6 address first, on which nobody listens.
    Listener listener("127.0.0.1");
    std::string key = "localhost" + listener.key().substr(listener.key().rfind(':'));
    ConnPoolUnderTest pool(built_in());
    pool_conns_lease *lease;
    ASSERT_EQ(pool.acquire(key.c_str(), kSecond, &lease), POOL_OK) << pool_last_error();
    int server = listener.accept();
    expect_talk(pool_conns_lease_fd(lease), server);
    pool_conns_release(lease);
    close(server);
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
        const char *why;
    } cases[] = {
        {"", "the address has no port"},
        {"localhost", "the address has no port"},
        {":80", "the address has no host"},
        {"[]:80", "the address has no host"},
        {"[::1:80", "'[' without ']'"},
        {"::1:80", "an IPv6 address needs brackets"},
        {"host:", "the port is not a number from 1 to 65535"},
        {"host:0", "the port is not a number from 1 to 65535"},
        {"host:65536", "the port is not a number from 1 to 65535"},
        {"host:123456", "the port is not a number from 1 to 65535"},
        {"host:http", "the port is not a number from 1 to 65535"},
        {std::string(256, 'h') + ":80", "the host name is too long"},
        {"unix:", "the path is empty"},
        {"unix:/" + std::string(108, 'p'), "the path is too long"},
        {"unix:/nonexistent/socket", "No such file or directory"},
    };
    ConnPoolUnderTest pool(built_in());
    for (const Case &each : cases) {
        pool_conns_lease *lease;
        EXPECT_EQ(pool.acquire(each.key.c_str(), kSecond, &lease), POOL_EDIAL) << each.key;
        std::string expected = "cannot connect to '" + each.key + "': " + each.why;
        EXPECT_EQ(std::string(pool_last_error()).substr(0, 231), expected.substr(0, 231));
    }
    pool_conns_lease *lease;
    EXPECT_EQ(pool_conns_acquire(pool, "a\0b:80", 6, kSecond, &lease), POOL_EDIAL);
    std::string long_key(1000, 'x');
    EXPECT_EQ(pool.acquire(long_key.c_str(), kSecond, &lease), POOL_EDIAL);
    EXPECT_STREQ(pool_last_error(), "an address of 1000 bytes is too long");
    EXPECT_EQ(pool.stats().open, 0u);
}

TEST(ConnPoolDialer, ARefusedConnectionNamesTheAddressAndTheError) {
    std::string key;
    {
        Listener listener("127.0.0.1");
        key = listener.key();
    }
    ConnPoolUnderTest pool(built_in());
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire(key.c_str(), kSecond, &lease), POOL_EDIAL);
    EXPECT_EQ(pool_last_error(), "cannot connect to '" + key + "': Connection refused");
}

TEST(ConnPoolDialer, AnUnknownHostIsADialFailure) {
    ConnPoolUnderTest pool(built_in());
    pool_conns_lease *lease;
    // A label of more than 63 letters is refused without asking anybody.
    std::string key = std::string(64, 'x') + ".invalid:80";
    EXPECT_EQ(pool.acquire(key.c_str(), kSecond, &lease), POOL_EDIAL);
    EXPECT_EQ(std::string(pool_last_error()).find("cannot connect to '" + key + "': "), 0u);
}

// A listener whose queue is full answers nobody.
class SilentListener : public Listener {
public:
    explicit SilentListener(const std::string &where) : Listener(where, 0) {
        bool is_unix = where[0] == '/';
        for (int i = 0; i < 8; i++) {
            int fd =
                socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
            if (is_unix) {
                sockaddr_un to = {};
                to.sun_family = AF_UNIX;
                strncpy(to.sun_path, where.c_str(), sizeof to.sun_path - 1);
                static_cast<void>(connect(fd, reinterpret_cast<sockaddr *>(&to), sizeof to));
            } else {
                sockaddr_in to = {};
                to.sin_family = AF_INET;
                to.sin_port =
                    htons(static_cast<uint16_t>(std::stoi(key().substr(key().rfind(':') + 1))));
                inet_pton(AF_INET, where.c_str(), &to.sin_addr);
                static_cast<void>(connect(fd, reinterpret_cast<sockaddr *>(&to), sizeof to));
            }
            fds_[i] = fd;
        }
    }
    ~SilentListener() {
        for (int fd : fds_)
            close(fd);
    }

private:
    int fds_[8];
};

TEST(ConnPoolDialer, TheTimeoutOfAcquireEndsADial) {
    for (const std::string &where : {std::string("127.0.0.1"), socket_path("silent")}) {
        SilentListener listener(where);
        ConnPoolUnderTest pool(built_in());
        pool_conns_lease *lease;
        EXPECT_EQ(pool.acquire(listener.key().c_str(), 20 * kMillisecond, &lease), POOL_ETIMEDOUT);
        EXPECT_EQ(pool_last_error(),
                  "the timeout passed while '" + listener.key() + "' was dialed");
        EXPECT_EQ(pool.stats().dial_fails, 1u);
        EXPECT_EQ(pool.stats().open, 0u);
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
