// Names that get another address while connections to the old one are open.
//
// SPDX-License-Identifier: Apache-2.0
#include "accounts.h"
#include "peer.h"

#include <cstdlib>
#include <sched.h>
#include <sys/mount.h>

namespace {

using namespace pool_test;

std::string peer_of(int fd) {
    sockaddr_in address = {};
    socklen_t length = sizeof address;
    EXPECT_EQ(getpeername(fd, reinterpret_cast<sockaddr *>(&address), &length), 0);
    char text[INET_ADDRSTRLEN];
    return inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
}

// Uses a connection of the built-in dialer, or of one like it; where it leads to.
std::string use(pool_conns *pool, const std::string &key, int *socket = nullptr) {
    pool_conns_lease *lease;
    EXPECT_EQ(pool_conns_acquire(pool, key.data(), key.size(), POOL_FOREVER, &lease), POOL_OK)
        << pool_last_error();
    if (lease == nullptr)
        return "";
    int fd = static_cast<int>(reinterpret_cast<intptr_t>(pool_conns_lease_conn(lease)));
    EXPECT_TRUE(exchange(fd));
    std::string address = peer_of(fd);
    if (socket != nullptr)
        *socket = fd;
    pool_conns_release(lease);
    return address;
}

// Two servers on the same port of two addresses of this machine.
struct Servers {
    Peer old_one{{"127.0.0.1", 0, 0}};
    Peer new_one{{"127.0.0.2", old_one.port(), 0}};
};

// Dial callbacks of a user who looks names up in a book of their own.
struct Book {
    std::string address; // of the only name
    uint16_t port;

    pool_conns_options options() {
        pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
        options.dial = [](const void *, size_t, int64_t, void **conn, void *ctx) -> pool_status {
            Book *self = static_cast<Book *>(ctx);
            sockaddr_in to = {};
            to.sin_family = AF_INET;
            to.sin_port = htons(self->port);
            inet_pton(AF_INET, self->address.c_str(), &to.sin_addr);
            int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr *>(&to), sizeof to), 0);
            *conn = reinterpret_cast<void *>(static_cast<intptr_t>(fd));
            return POOL_OK;
        };
        options.close = [](void *conn, pool_conns_reason, void *) {
            close(static_cast<int>(reinterpret_cast<intptr_t>(conn)));
        };
        options.ctx = this;
        return options;
    }
};

TEST(MovedName, IsFollowedOnceItsConnectionsAreCleared) {
    Servers servers;
    Book book{"127.0.0.1", servers.old_one.port()};
    ConnPoolUnderTest pool(book.options());
    EXPECT_EQ(use(pool, "db"), "127.0.0.1");
    pool_conns_lease *lent = pool.acquire("db");
    book.address = "127.0.0.2";
    EXPECT_EQ(use(pool, "db"), "127.0.0.2") << "a dial asks anew";
    EXPECT_EQ(pool_conns_clear_key(pool, "db", 2), POOL_OK);
    pool_conns_release(lent); // leads to the old address, so it is closed
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(use(pool, "db"), "127.0.0.2");
    EXPECT_EQ(expect_balanced(pool).closed_cleared, 2u);
    eventually([&] { return servers.old_one.open() == 0; });
}

TEST(MovedName, IsFollowedByEverybodyWithinMaxLifetime) {
    Servers servers;
    Book book{"127.0.0.1", servers.old_one.port()};
    pool_conns_options options = book.options();
    options.max_lifetime = 10 * kSecond;
    StoppedClock clock;
    ConnPoolUnderTest pool(options);
    EXPECT_EQ(use(pool, "db"), "127.0.0.1");
    book.address = "127.0.0.2";
    clock.advance(8 * kSecond);
    EXPECT_EQ(use(pool, "db"), "127.0.0.1") << "nobody said that it is bad";
    clock.advance(2 * kSecond);
    EXPECT_EQ(use(pool, "db"), "127.0.0.2");
    EXPECT_EQ(expect_balanced(pool).closed_max_lifetime, 1u);
}

// A thread for which /etc/hosts is a file of its own.
class WithHosts {
public:
    bool begin() {
        if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
            return false;
        int fd = mkstemp(path_);
        close(fd);
        mounted_ = mount(path_, "/etc/hosts", nullptr, MS_BIND, nullptr) == 0;
        return mounted_;
    }
    void say(const std::string &line) {
        FILE *file = fopen(path_, "w");
        ASSERT_NE(file, nullptr);
        fprintf(file, "%s\n", line.c_str());
        fclose(file);
    }
    ~WithHosts() {
        if (mounted_)
            umount("/etc/hosts");
        unlink(path_);
    }

private:
    char path_[32] = "/tmp/libpool-hosts-XXXXXX";
    bool mounted_ = false;
};

template <class Test>
void with_hosts(Test test) {
    bool works = true;
    std::thread([&] {
        WithHosts hosts;
        works = hosts.begin();
        if (works)
            test(hosts);
    }).join();
    if (!works)
        GTEST_SKIP() << "only root can have an /etc/hosts of its own";
}

TEST(MovedName, IsResolvedAnewByTheBuiltInDialerWhenItsServerEnds) {
    with_hosts([](WithHosts &hosts) {
        Servers servers;
        std::string key = "libpool-test:" + std::to_string(servers.old_one.port());
        ConnPoolUnderTest pool(POOL_CONNS_OPTIONS_INIT);
        hosts.say("127.0.0.1 libpool-test");
        EXPECT_EQ(use(pool, key), "127.0.0.1");
        hosts.say("127.0.0.2 libpool-test");
        int fd;
        EXPECT_EQ(use(pool, key, &fd), "127.0.0.1") << "a good connection outlives its name";
        servers.old_one.stop_listening();
        servers.old_one.reset_all();
        await_end(fd);
        EXPECT_EQ(use(pool, key), "127.0.0.2");
        EXPECT_EQ(expect_balanced(pool).closed_invalid, 1u);
    });
}

TEST(MovedName, IsResolvedAnewByTheBuiltInDialerAfterClear) {
    with_hosts([](WithHosts &hosts) {
        Servers servers;
        std::string key = "libpool-test:" + std::to_string(servers.old_one.port());
        ConnPoolUnderTest pool(POOL_CONNS_OPTIONS_INIT);
        hosts.say("127.0.0.1 libpool-test");
        EXPECT_EQ(use(pool, key), "127.0.0.1");
        hosts.say("127.0.0.2 libpool-test");
        EXPECT_EQ(pool_conns_clear(pool), POOL_OK);
        EXPECT_EQ(use(pool, key), "127.0.0.2");
        EXPECT_EQ(expect_balanced(pool).closed_cleared, 1u);
    });
}

TEST(MovedName, ThatIsGoneIsADialFailureUntilItIsBack) {
    with_hosts([](WithHosts &hosts) {
        Servers servers;
        std::string key = "libpool-test:" + std::to_string(servers.old_one.port());
        ConnPoolUnderTest pool(POOL_CONNS_OPTIONS_INIT);
        hosts.say("127.0.0.1 somebody-else");
        pool_conns_lease *lease;
        EXPECT_EQ(pool.acquire(key.c_str(), 30 * kSecond, &lease), POOL_EDIAL);
        hosts.say("127.0.0.2 libpool-test");
        EXPECT_EQ(use(pool, key), "127.0.0.2");
        EXPECT_EQ(expect_balanced(pool).dial_fails, 1u);
    });
}

} // namespace
