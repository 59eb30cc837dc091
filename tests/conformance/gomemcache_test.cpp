// bradfitz/gomemcache: the rules of its free connections, and its tests before a fake server.
//
// SPDX-License-Identifier: Apache-2.0
//
//     memcache.New(servers...)           pool_conns_create; a key per server
//     c.getConn(addr)                    pool_conns_acquire
//     cn.condRelease(&err)               pool_conns_release, or pool_conns_discard
//     c.MaxIdleConns                     max_idle_per_key
//     c.Timeout                          connect_timeout, and a deadline set by before_acquire
//     c.Close()                          pool_conns_close_idle
//
// MC-7, no checks, lifetimes or statistics, is what client() asks for.
#include "conns/sockets.h"
#include "support/conn_pool.h"

#include <map>

namespace {

using namespace pool_test;

constexpr int64_t kTimeout = 500 * kMillisecond;

pool_conns_options client(Peer &peer) {
    pool_conns_options options = peer.options();
    options.max_open_per_key = UINT32_MAX;
    options.max_idle_per_key = 2;
    options.connect_timeout = kTimeout;
    return options;
}

TEST(Gomemcache, Mc1FreeConnectionsAreByAddressAndTheLastIsTakenFirst) {
    Peer peer;
    ConnPoolUnderTest pool(client(peer));
    std::vector<pool_conns_lease *> two = take(pool, "10.0.0.1:11211", 2);
    void *last = pool_conns_lease_conn(two[1]);
    release_all(two);
    pool_conns_lease *other = pool.acquire("10.0.0.2:11211");
    EXPECT_EQ(pool_conns_lease_uses(other), 0u);
    pool_conns_lease *lease = pool.acquire("10.0.0.1:11211");
    EXPECT_EQ(pool_conns_lease_conn(lease), last);
    release_all({other, lease});
}

TEST(Gomemcache, Mc2TwoAreKeptPerAddressAndNobodyWaits) {
    Peer peer;
    ConnPoolUnderTest pool(client(peer));
    for (const char *address : {"a", "b"}) {
        std::vector<pool_conns_lease *> many = take(pool, address, 20);
        release_all(many);
        EXPECT_EQ(key_stats(pool, address).idle, 2u);
    }
    EXPECT_EQ(pool.stats().waits, 0u);
    EXPECT_EQ(peer.closed(POOL_CONNS_MAX_IDLE), 36);
}

TEST(Gomemcache, Mc3TheTimeoutBoundsTheDial) {
    StoppedClock clock;
    Peer peer;
    ConnPoolUnderTest pool(client(peer));
    pool_conns_release(pool.acquire("a"));
    EXPECT_EQ(peer.last_deadline, clock.now() + kTimeout);
}

// extendDeadline: an absolute deadline on the connection at every checkout, reused or new.
TEST(Gomemcache, Mc3TheDeadlineIsSetAtEveryCheckout) {
    struct Timed : Peer {
        static int32_t extend_deadline(void *, const void *, size_t, void *ctx) {
            Timed *self = static_cast<Timed *>(static_cast<Peer *>(ctx));
            self->until = self->clock.now() + kTimeout;
            return 1;
        }
        StoppedClock clock;
        std::atomic<int64_t> until{0};
    } peer;
    pool_conns_options options = client(peer);
    options.before_acquire = Timed::extend_deadline;
    ConnPoolUnderTest pool(options);
    for (int i = 0; i < 3; i++) {
        peer.clock.advance(kSecond);
        pool_conns_release(pool.acquire("a"));
        EXPECT_EQ(peer.until, peer.clock.now() + kTimeout);
    }
    EXPECT_EQ(peer.dials, 1);
}

TEST(Gomemcache, Mc4ADialErrorPassesThroughAndOthersGoOnMeanwhile) {
    Peer peer;
    Gate gate;
    ConnPoolUnderTest pool(client(peer));
    pool_conns_release(pool.acquire("a"));
    peer.dial_gate = &gate;
    peer.dial_result = POOL_ETIMEDOUT;
    Acquiring slow(pool, "b");
    eventually([&] { return peer.dials == 2; });
    pool_conns_release(pool.acquire("a"));
    gate.open();
    EXPECT_EQ(slow.status(), POOL_ETIMEDOUT);
    peer.dial_result = 111;
    pool_conns_lease *lease;
    EXPECT_EQ(pool.acquire("b", POOL_FOREVER, &lease), 111);
    EXPECT_NE(strstr(pool_last_error(), "'b'"), nullptr) << "it names the address";
}

// What the server says is no error of the connection; what the network says is.
TEST(Gomemcache, Mc5TheKindOfErrorDecidesWhetherAConnectionIsKept) {
    enum : pool_status { kCacheMiss = 1, kCasConflict, kNotStored, kMalformedKey };
    Peer peer;
    ConnPoolUnderTest pool(client(peer));
    for (pool_status benign : {kCacheMiss, kCasConflict, kNotStored, kMalformedKey})
        EXPECT_EQ(run(pool, "a", [=](pool_conns_lease *, void *) { return benign; }), benign);
    EXPECT_EQ(peer.dials, 1);
    pool_conns_discard(pool.acquire("a"));
    EXPECT_EQ(peer.closed(POOL_CONNS_BROKEN), 1);
    EXPECT_EQ(pool.stats().open, 0u);
}

TEST(Gomemcache, Mc6TheClientIsUsableAfterClose) {
    Peer peer;
    ConnPoolUnderTest pool(client(peer));
    for (const char *address : {"a", "b", "c"})
        pool_conns_release(pool.acquire(address));
    EXPECT_EQ(pool_conns_close_idle(pool), POOL_OK);
    EXPECT_EQ(peer.live(), 0);
    EXPECT_EQ(pool.stats().keys, 0u);
    pool_conns_release(pool.acquire("a"));
    EXPECT_EQ(pool.stats().idle, 1u);
}

TEST(Gomemcache, Mc7NothingExpires) {
    StoppedClock clock;
    Peer peer;
    ConnPoolUnderTest pool(client(peer));
    pool_conns_release(pool.acquire("removed server"));
    clock.advance(1000000 * kSecond);
    EXPECT_EQ(pool_conns_reap(pool), POOL_OK);
    EXPECT_EQ(pool.stats().idle, 1u) << "also of servers that are gone, until clear_key";
    EXPECT_EQ(pool_conns_clear_key(pool, "removed server", 14), POOL_OK);
    EXPECT_EQ(pool.stats().keys, 0u);
}

// ---- before a fake server ---------------------------------------------------------------------

// Knows set, get and the end of a line, as much of memcached as shows what happens to connections.
class FakeMemcached {
public:
    explicit FakeMemcached(const std::string &where)
        : listener_(where), thread_([this] { serve(); }) {}
    ~FakeMemcached() { thread_.join(); }
    const char *key() const { return listener_.key().c_str(); }

private:
    // One connection; ends with it.
    void serve() {
        int fd = listener_.accept();
        std::map<std::string, std::string> items;
        for (std::string line; read_line(fd, &line);) {
            char name[64] = "", value[64] = "";
            if (sscanf(line.c_str(), "set %63s %63s", name, value) == 2)
                items[name] = value;
            std::string answer = "STORED\n";
            if (sscanf(line.c_str(), "get %63s", name) == 1)
                answer = items.count(name) ? "VALUE " + items[name] + "\n" : "END\n";
            EXPECT_EQ(send(fd, answer.data(), answer.size(), MSG_NOSIGNAL),
                      static_cast<ssize_t>(answer.size()));
        }
        close(fd);
    }

public:
    static bool read_line(int fd, std::string *line) {
        line->clear();
        for (char byte; recv(fd, &byte, 1, 0) == 1;) {
            if (byte == '\n')
                return true;
            line->push_back(byte);
        }
        return false;
    }

private:
    Listener listener_;
    std::thread thread_;
};

constexpr pool_status kMiss = 1;

pool_status ask(pool_conns *pool, const char *server, const std::string &request,
                std::string *answer) {
    return run(pool, server, [&](pool_conns_lease *lease, void *) -> pool_status {
        int fd = pool_conns_lease_fd(lease);
        if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0 ||
            !FakeMemcached::read_line(fd, answer))
            return POOL_EBAD;
        return *answer == "END" ? kMiss : POOL_OK;
    });
}

void test_with_client(const std::string &where) {
    FakeMemcached server(where);
    ConnPoolUnderTest pool(POOL_CONNS_OPTIONS_INIT);
    std::string answer;
    EXPECT_EQ(ask(pool, server.key(), "get foo\n", &answer), kMiss);
    EXPECT_EQ(ask(pool, server.key(), "set foo fooval\n", &answer), POOL_OK);
    EXPECT_EQ(ask(pool, server.key(), "get foo\n", &answer), POOL_OK);
    EXPECT_EQ(answer, "VALUE fooval");
    EXPECT_EQ(pool.stats().dials, 1u) << "a miss leaves the connection usable";
}

// TestLocalhost, TestFakeServer
TEST(Gomemcache, TalksOverTcp) {
    test_with_client("127.0.0.1");
}

// TestUnixSocket
TEST(Gomemcache, TalksOverUnixSockets) {
    test_with_client(socket_path("memcached"));
}

// MC-8: which server a key goes to is the program's choice; Ping asks each, and stops at an error.
TEST(Gomemcache, Mc8PingAsksEachServer) {
    Peer peer;
    ConnPoolUnderTest pool(client(peer));
    const char *servers[] = {"a", "b", "c"};
    pool_status first_error = POOL_OK;
    for (const char *server : servers) {
        peer.dial_result = server[0] == 'b' ? 111 : POOL_OK;
        if (first_error == POOL_OK)
            first_error = run(pool, server, [](pool_conns_lease *, void *) { return POOL_OK; });
    }
    EXPECT_EQ(first_error, 111);
    EXPECT_EQ(peer.dials, 2);
}

} // namespace
