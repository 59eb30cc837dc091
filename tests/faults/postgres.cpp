// PostgreSQL dies, and goes silent.
//
// SPDX-License-Identifier: Apache-2.0
#include "real_load.h"

#include <libpq-fe.h>

namespace {

using namespace pool_test;

struct Postgres {
    static PGconn *session(void *handle) { return static_cast<PGconn *>(handle); }

    // 0 if the deadline comes first.
    static int wait(PGconn *session, short events, int64_t deadline) {
        pollfd socket = {PQsocket(session), events, 0};
        return poll(&socket, 1, milliseconds_until(deadline));
    }
    static void *open(const std::string &address, int64_t deadline) {
        PGconn *session = PQconnectStart(address.c_str());
        PQsetNoticeProcessor(
            session, [](void *, const char *) {}, nullptr);
        PostgresPollingStatusType next = PGRES_POLLING_WRITING;
        while (PQstatus(session) != CONNECTION_BAD && next != PGRES_POLLING_OK) {
            if (wait(session, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline) == 0)
                break;
            next = PQconnectPoll(session);
        }
        if (PQstatus(session) == CONNECTION_OK)
            return session;
        PQfinish(session);
        return nullptr;
    }
    static void close(void *handle) { PQfinish(session(handle)); }
    static bool at_rest(void *handle) {
        pollfd socket = {PQsocket(session(handle)), POLLIN, 0};
        return PQstatus(session(handle)) == CONNECTION_OK && poll(&socket, 1, 0) == 0;
    }
    static bool ping(void *handle, int64_t deadline) {
        if (!PQsendQuery(session(handle), ""))
            return false;
        bool good = true;
        for (;;) {
            while (PQisBusy(session(handle)))
                if (wait(session(handle), POLLIN, deadline) == 0 ||
                    !PQconsumeInput(session(handle)))
                    return false;
            PGresult *result = PQgetResult(session(handle));
            if (result == nullptr)
                return good;
            good = good && PQresultStatus(result) == PGRES_EMPTY_QUERY;
            PQclear(result);
        }
    }
    static bool exchange(void *handle) {
        PGresult *result = PQexec(session(handle), "SELECT 1");
        bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
        PQclear(result);
        return good;
    }
    static size_t connections(const std::string &address) {
        void *handle = open(address, POOL_FOREVER);
        PGresult *result = PQexec(session(handle), "SELECT count(*) FROM pg_stat_activity "
                                                   "WHERE backend_type = 'client backend'");
        size_t value = std::stoul(PQgetvalue(result, 0, 0));
        PQclear(result);
        close(handle);
        return value - 1;
    }
};

class PostgresFault : public testing::TestWithParam<uint32_t> {};

TEST_P(PostgresFault, KilledAndRestartedUnderLoad) {
    kill_and_restart<Postgres>("postgres", GetParam());
}

INSTANTIATE_TEST_SUITE_P(, PostgresFault, testing::Values(0u, uint32_t{POOL_CONNS_DIALERS}),
                         [](const auto &flags) {
                             return flags.param == 0 ? "Callers" : "Dialers";
                         });

// The half-open session is found by validation. A new one needs an answer, so connect_timeout ends
// the attempt; later ones succeed.
TEST(PostgresBehindAProxy, ThatStopsForwarding) {
    RealServer server("postgres");
    if (!server.skipped().empty())
        GTEST_SKIP() << server.skipped();
    const std::string &address = server.address();
    size_t port = address.find("port=") + strlen("port=");
    Peer proxy({"127.0.0.1", 0, static_cast<uint16_t>(std::stoi(address.substr(port)))});
    std::string key = address.substr(0, port) + std::to_string(proxy.port()) +
                      address.substr(address.find(' ', port));
    pool_conns_options options = Session<Postgres>::options(key);
    options.connect_timeout = 500 * kMillisecond;
    options.validate_after = 1;
    options.validate_timeout = 50 * kMillisecond;
    ConnPoolUnderTest pool(options);
    pool_conns_lease *lease;
    ASSERT_EQ(pool_conns_acquire(pool, nullptr, 0, POOL_FOREVER, &lease), POOL_OK);
    pool_conns_release(lease);
    proxy.stop_forwarding();
    EXPECT_EQ(pool_conns_acquire(pool, nullptr, 0, POOL_FOREVER, &lease), POOL_EDIAL);
    pool_conns_stats stats = expect_balanced(pool);
    EXPECT_EQ(stats.validate_fails, 1u);
    EXPECT_EQ(stats.closed_invalid, 1u);
    EXPECT_EQ(stats.dial_fails, 1u);
    proxy.go_on_forwarding();
    ASSERT_EQ(pool_conns_acquire(pool, nullptr, 0, POOL_FOREVER, &lease), POOL_OK);
    EXPECT_TRUE(
        Postgres::exchange(static_cast<Session<Postgres> *>(pool_conns_lease_conn(lease))->handle));
    pool_conns_release(lease);
    expect_balanced(pool);
}

} // namespace
