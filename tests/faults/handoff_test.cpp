// Waiters that give up at the very moment when they are served. No connection is lost, none is lent
// to two, and every place is found again.
//
// SPDX-License-Identifier: Apache-2.0
#include "accounts.h"
#include "pool/conn_requests.h"

#include <random>

namespace {

using namespace pool_test;

// Connections that know who holds them. They are freed with this, so what is used too late is seen.
class Ledger {
public:
    struct Conn {
        std::atomic<int> holders{0};
        std::atomic<bool> open{true};
    };
    ~Ledger() {
        for (Conn *conn : all_)
            delete conn;
    }

    pool_conns_options options() {
        pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
        options.dial = [](const void *, size_t, int64_t, void **conn, void *ctx) -> pool_status {
            Ledger *self = static_cast<Ledger *>(ctx);
            int turn = self->turns_++;
            if (turn % 3 == 0)
                std::this_thread::sleep_for(std::chrono::microseconds(50));
            if (turn % 11 == 10)
                return POOL_EDIAL;
            *conn = self->make();
            return POOL_OK;
        };
        options.close = [](void *conn, pool_conns_reason, void *ctx) {
            EXPECT_EQ(static_cast<Conn *>(conn)->holders, 0) << "closed while in use";
            static_cast<Ledger *>(ctx)->end(conn);
        };
        options.ctx = this;
        return options;
    }
    Conn *make() {
        std::lock_guard<std::mutex> guard(mutex_);
        all_.push_back(new Conn);
        live_++;
        return all_.back();
    }
    void end(void *conn) {
        EXPECT_TRUE(static_cast<Conn *>(conn)->open.exchange(false)) << "closed twice";
        live_--;
    }
    int live() const { return live_; }

private:
    std::mutex mutex_;
    std::vector<Conn *> all_;
    std::atomic<int> live_{0}, turns_{0};
};

// Whoever has a connection has it alone.
void use(void *conn) {
    Ledger::Conn *mine = static_cast<Ledger::Conn *>(conn);
    EXPECT_EQ(mine->holders++, 0) << "lent to two";
    EXPECT_TRUE(mine->open) << "lent after it was closed";
    std::this_thread::sleep_for(std::chrono::microseconds(20));
    mine->holders--;
}

struct Rules {
    const char *name;
    pool_conns_handoff handoff;
    uint32_t flags;

    friend void PrintTo(const Rules &rules, std::ostream *to) { *to << rules.name; }
};

class Handoff : public testing::TestWithParam<Rules> {
protected:
    static constexpr int kThreads = 16;
    static constexpr uint32_t kOpen = 3;
    static constexpr int kTurns = kThreadSanitizer || kAddressSanitizer ? 100 : 400;

    template <class Work>
    void begin(Work work) {
        pool_conns_options options = ledger_.options();
        options.handoff = GetParam().handoff;
        options.flags = GetParam().flags;
        options.max_open_per_key = kOpen;
        options.dial_backoff = POOL_CONNS_NONE;
        ASSERT_EQ(pool_conns_create(&options, &pool_), POOL_OK) << pool_last_error();
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < kThreads; i++)
            threads.emplace_back([&work, i] { work(i); });
        for (std::thread &thread : threads)
            thread.join();
    }
    void end() {
        pool_conns_stats stats = expect_balanced(pool_);
        EXPECT_EQ(static_cast<int>(stats.idle), ledger_.live());
        EXPECT_LE(stats.idle, kOpen);
        EXPECT_EQ(stats.acquires, got_);
        EXPECT_EQ(stats.timeouts, timeouts_);
        EXPECT_EQ(stats.canceled, canceled_);
        // Every place can be had.
        std::vector<pool_conns_lease *> leases;
        while (leases.size() < kOpen) {
            pool_conns_lease *lease;
            pool_status status = pool_conns_acquire(pool_, "a", 1, POOL_FOREVER, &lease);
            ASSERT_TRUE(status == POOL_OK || status == POOL_EDIAL) << pool_last_error();
            if (status == POOL_OK)
                leases.push_back(lease);
        }
        for (pool_conns_lease *lease : leases)
            pool_conns_release(lease);
        EXPECT_EQ(pool_conns_close(pool_, 0, nullptr), POOL_OK);
        expect_balanced(pool_);
        EXPECT_EQ(ledger_.live(), 0);
        EXPECT_EQ(pool_conns_destroy(pool_), POOL_OK);
    }
    // Counts what came of an acquire; true if there is a lease.
    bool count(pool_status status) {
        EXPECT_TRUE(status == POOL_OK || status == POOL_ETIMEDOUT || status == POOL_EAGAIN ||
                    status == POOL_EDIAL || status == POOL_ECANCELED)
            << status;
        got_ += status == POOL_OK ? 1 : 0;
        timeouts_ += status == POOL_ETIMEDOUT ? 1 : 0;
        canceled_ += status == POOL_ECANCELED ? 1 : 0;
        return status == POOL_OK;
    }
    void give_back(pool_conns_lease *lease, unsigned choice) {
        use(pool_conns_lease_conn(lease));
        if (choice % 16 == 0) {
            EXPECT_EQ(pool_conns_discard(lease), POOL_OK);
        } else if (choice % 16 == 1) {
            void *conn;
            EXPECT_EQ(pool_conns_detach(lease, &conn), POOL_OK);
            use(conn);
            if (choice % 32 == 1) {
                ledger_.end(conn);
                return;
            }
            pool_status status = pool_conns_adopt(pool_, "a", 1, conn);
            EXPECT_TRUE(status == POOL_OK || status == POOL_EFULL) << pool_last_error();
            if (status != POOL_OK)
                ledger_.end(conn);
        } else {
            EXPECT_EQ(pool_conns_release(lease), POOL_OK);
        }
    }

    Ledger ledger_;
    pool_conns *pool_ = nullptr;
    std::atomic<uint64_t> got_{0}, timeouts_{0}, canceled_{0};
};

// Of the order of the time that a connection is held.
int64_t short_timeout(unsigned choice) {
    return choice % 200 * 1000;
}

TEST_P(Handoff, RacesWithTimeouts) {
    begin([this](unsigned thread) {
        std::minstd_rand random(thread + 1);
        for (int turn = 0; turn < kTurns; turn++) {
            unsigned choice = static_cast<unsigned>(random() >> 4);
            pool_conns_acquire_options how = {};
            how.size = sizeof how;
            how.priority = static_cast<int32_t>(choice / 512 % 3) - 1;
            how.flags = choice / 2048 % 16 == 0 ? uint32_t{POOL_CONNS_FRESH} : 0;
            pool_conns_lease *lease;
            if (count(pool_conns_acquire_with(pool_, "a", 1, short_timeout(choice), &how, &lease)))
                give_back(lease, choice / 8);
            else
                EXPECT_EQ(lease, nullptr);
        }
    });
    end();
}

TEST_P(Handoff, RacesWithCancellation) {
    begin([this](unsigned thread) {
        std::minstd_rand random(thread + 1);
        for (int turn = 0; turn < kTurns; turn++) {
            unsigned choice = static_cast<unsigned>(random() >> 4);
            pool_conns_request *request;
            if (pool_conns_request_start(pool_, "a", 1, kSecond + short_timeout(choice), nullptr,
                                         &request) != POOL_OK) {
                ADD_FAILURE() << pool_last_error();
                return;
            }
            if (pool_conns_request_wait(request, short_timeout(choice)) == POOL_ETIMEDOUT) {
                EXPECT_EQ(pool_conns_request_cancel(request), POOL_OK);
                EXPECT_EQ(pool_conns_request_wait(request, POOL_FOREVER), POOL_OK);
            }
            pool_conns_lease *lease;
            if (count(pool_conns_request_finish(request, &lease)))
                give_back(lease, choice / 8);
        }
    });
    end();
}

TEST_P(Handoff, RacesWithRunAndDestroyedRequests) {
    begin([this](unsigned thread) {
        std::minstd_rand random(thread + 1);
        for (int turn = 0; turn < kTurns; turn++) {
            unsigned choice = static_cast<unsigned>(random() >> 4);
            if (thread % 4 == 0) {
                pool_conns_request *request;
                ASSERT_EQ(pool_conns_request_start(pool_, "a", 1, kSecond, nullptr, &request),
                          POOL_OK);
                static_cast<void>(pool_conns_request_wait(request, short_timeout(choice)));
                EXPECT_EQ(pool_conns_request_destroy(request), POOL_OK);
                continue;
            }
            pool_status status = pool_conns_run(
                pool_, "a", 1, short_timeout(choice),
                [](pool_conns_lease *, void *conn, void *arg) -> pool_status {
                    use(conn);
                    return *static_cast<unsigned *>(arg) % 8 == 0 ? POOL_EBAD : POOL_OK;
                },
                &choice);
            EXPECT_TRUE(status == POOL_OK || status == POOL_ETIMEDOUT || status == POOL_EAGAIN ||
                        status == POOL_EDIAL || status == POOL_EBAD)
                << status;
        }
    });
    pool_conns_stats stats = stats_of(pool_);
    got_ = stats.acquires; // nobody has counted them here
    timeouts_ = stats.timeouts;
    canceled_ = stats.canceled;
    end();
}

// Cancelled or served, it has ended when cancel returns: whoever asked for that may go on at once.
TEST(Cancellation, LeavesARequestThatCanBeFinished) {
    constexpr int kTurns = kThreadSanitizer || kAddressSanitizer ? 500 : 20000;
    Ledger ledger;
    pool_conns_options options = ledger.options();
    options.max_open_per_key = 1;
    options.dial_backoff = POOL_CONNS_NONE;
    pool_conns *pool;
    ASSERT_EQ(pool_conns_create(&options, &pool), POOL_OK);
    std::atomic<bool> over{false};
    std::thread other([&] { // always about to give the only connection back
        while (!over) {
            pool_conns_lease *lease;
            if (pool_conns_acquire(pool, "a", 1, POOL_FOREVER, &lease) != POOL_OK)
                continue;
            for (std::atomic<int> i{0}; i < 500; i++)
                ;
            pool_conns_release(lease);
        }
    });
    int unfinished = 0;
    for (int turn = 0; turn < kTurns; turn++) {
        pool_conns_request *request;
        ASSERT_EQ(pool_conns_request_start(pool, "a", 1, POOL_FOREVER, nullptr, &request), POOL_OK);
        for (std::atomic<int> i{0}; i < turn % 64 * 16; i++)
            ;
        EXPECT_EQ(pool_conns_request_cancel(request), POOL_OK);
        pool_conns_lease *lease;
        pool_status status = pool_conns_request_finish(request, &lease);
        if (status == POOL_EAGAIN) {
            unfinished++;
            EXPECT_EQ(pool_conns_request_destroy(request), POOL_OK);
        } else if (status == POOL_OK) {
            pool_conns_release(lease);
        }
    }
    over = true;
    other.join();
    EXPECT_EQ(unfinished, 0);
    expect_balanced(pool);
    EXPECT_EQ(pool_conns_destroy(pool), POOL_OK);
}

INSTANTIATE_TEST_SUITE_P(
    , Handoff,
    testing::Values(Rules{"Fair", POOL_CONNS_FAIR, 0}, Rules{"Strict", POOL_CONNS_STRICT, 0},
                    Rules{"Free", POOL_CONNS_FREE, 0},
                    Rules{"FairDialers", POOL_CONNS_FAIR, POOL_CONNS_DIALERS},
                    Rules{"StrictDialers", POOL_CONNS_STRICT, POOL_CONNS_DIALERS},
                    Rules{"FreeDialers", POOL_CONNS_FREE, POOL_CONNS_DIALERS}),
    [](const auto &rules) { return rules.param.name; });

} // namespace
