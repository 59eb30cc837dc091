// Threads that use a pool of connections to a real server without a pause, while that is killed and
// started again.
//
// SPDX-License-Identifier: Apache-2.0
//
// A Client says how its server is spoken to:
//
//     static void *open(const std::string &address, int64_t deadline);  nullptr: failed
//     static void close(void *handle);
//     static bool at_rest(void *handle);                  nothing waits to be read
//     static bool ping(void *handle, int64_t deadline);
//     static bool exchange(void *handle);                 a request and its answer
//     static size_t connections(const std::string &address);  that the server has, but for this one
#pragma once

#include "accounts.h"
#include "peer.h"
#include "platform/clock.h"
#include "real_server.h"

namespace pool_test {

inline int milliseconds_until(int64_t deadline) {
    if (deadline == POOL_FOREVER)
        return -1;
    int64_t left = deadline - pool::clock_now();
    return left > 0 ? static_cast<int>(left / kMillisecond) + 1 : 0;
}

template <class Client>
struct Session {
    void *handle;
    std::atomic<int> holders{0};
    std::atomic<bool> broken{false};

    // The callbacks of a pool whose key is the address.
    static pool_conns_options options(const std::string &address) {
        pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
        options.dial = [](const void *key, size_t length, int64_t deadline, void **conn,
                          void *) -> pool_status {
            void *opened =
                Client::open(std::string(static_cast<const char *>(key), length), deadline);
            if (opened == nullptr)
                return POOL_EDIAL;
            *conn = new Session{opened};
            return POOL_OK;
        };
        options.close = [](void *conn, pool_conns_reason, void *) {
            Session *session = static_cast<Session *>(conn);
            EXPECT_EQ(session->holders, 0) << "closed while in use";
            Client::close(session->handle);
            delete session;
        };
        options.is_alive = [](void *conn, int64_t, void *) -> int32_t {
            return Client::at_rest(static_cast<Session *>(conn)->handle);
        };
        options.validate = [](void *conn, int64_t deadline, void *) -> pool_status {
            return Client::ping(static_cast<Session *>(conn)->handle, deadline) ? POOL_OK
                                                                                : POOL_EBAD;
        };
        options.key = address.data();
        options.key_length = address.size();
        return options;
    }
};

template <class Client>
class Load {
public:
    static constexpr int kThreads = 8;
    static constexpr int kOpen = 6; // some always wait

    Load(const std::string &address, uint32_t flags) {
        pool_conns_options options = Session<Client>::options(address);
        options.flags = flags;
        options.max_open_per_key = kOpen;
        options.validate_after = 20 * kMillisecond;
        options.dial_backoff_max = 100 * kMillisecond;
        EXPECT_EQ(pool_conns_create(&options, &pool_), POOL_OK) << pool_last_error();
        for (int i = 0; i < kThreads; i++)
            threads_.emplace_back([this, i] { work(i); });
    }
    ~Load() {
        stop();
        EXPECT_EQ(pool_conns_destroy(pool_), POOL_OK);
    }

    pool_conns *pool() const { return pool_; }

    // Say so before the server is killed, and after it answers again.
    void down() { phase_++; }
    void up() { phase_++; }

    // Until every thread has been served so many times more.
    void await(int times) {
        for (std::atomic<int> &each : served_) {
            int enough = each + times;
            eventually([&] { return each >= enough; });
        }
    }
    void stop() {
        over_ = true;
        for (std::thread &thread : threads_)
            thread.join();
        threads_.clear();
    }
    int failed() const { return failed_; }
    // Exchanges that did not come to their end, each of another connection.
    int broken() const { return broken_; }

private:
    struct Attempt {
        Load *load;
        int count;
    };

    void work(int number) {
        while (!over_) {
            Attempt attempt = {this, 0};
            const int begun = phase_;
            pool_status status = pool_conns_run(pool_, nullptr, 0, 20 * kSecond, use, &attempt);
            EXPECT_LE(attempt.count, 3);
            if (status == POOL_OK) {
                served_[static_cast<size_t>(number)]++;
                continue;
            }
            failed_++;
            EXPECT_TRUE(status == POOL_EDIAL || status == POOL_EBAD) << status;
            EXPECT_TRUE(begun % 2 == 1 || phase_ != begun)
                << "failed with " << status
                << " although the server was up all the time: " << pool_last_error();
        }
    }

    static pool_status use(pool_conns_lease *, void *conn, void *arg) {
        Attempt *attempt = static_cast<Attempt *>(arg);
        Session<Client> *session = static_cast<Session<Client> *>(conn);
        attempt->count++;
        EXPECT_EQ(session->holders++, 0) << "lent to two";
        EXPECT_FALSE(session->broken) << "lent again after it broke";
        if (!Client::exchange(session->handle)) {
            session->broken = true;
            attempt->load->broken_++;
        }
        session->holders--;
        return session->broken ? POOL_EBAD : POOL_OK;
    }

    pool_conns *pool_ = nullptr;
    std::vector<std::thread> threads_;
    std::atomic<int> phase_{0}; // even: the server is up
    std::atomic<bool> over_{false};
    std::atomic<int> failed_{0}, broken_{0};
    std::array<std::atomic<int>, kThreads> served_{};
};

// The test of every Client: its server dies twice in mid-load, without a word, and comes back.
template <class Client>
void kill_and_restart(const char *name, uint32_t flags) {
    constexpr int kDeaths = 2;
    RealServer server(name);
    if (!server.skipped().empty())
        GTEST_SKIP() << server.skipped();
    Load<Client> load(server.address(), flags);
    for (int i = 0; i < kDeaths; i++) {
        load.await(50);
        load.down();
        server.kill();
        const uint64_t before = stats_of(load.pool()).dial_fails;
        eventually([&] { return stats_of(load.pool()).dial_fails >= before + 3; });
        server.start();
        ASSERT_FALSE(server.address().empty());
        load.up();
        load.await(50);
    }
    load.stop();
    pool_conns_stats stats = expect_balanced(load.pool());
    printf("%d runs failed, %d connections broke in use, %d found broken, %d dials\n",
           load.failed(), load.broken(), static_cast<int>(stats.closed_invalid),
           static_cast<int>(stats.dials));
    EXPECT_EQ(stats.closed_broken, static_cast<uint64_t>(load.broken()));
    // Those that were open when it died, and one more for each place that was dialed meanwhile.
    EXPECT_LE(load.broken(), kDeaths * 2 * Load<Client>::kOpen);
    EXPECT_LE(stats.idle, static_cast<uint64_t>(Load<Client>::kOpen));
    eventually([&] { return Client::connections(server.address()) == stats.idle; });
}

} // namespace pool_test
