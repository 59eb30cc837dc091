// bench_conns_postgres: 8 threads that send SELECT 1 to PostgreSQL, over connections of the pool.
// Times are per query. Counters: "plain", the same over a connection that each thread keeps to
// itself; "dial", with a new connection for every query; "overhead", the time of the first over the
// part of it that was spent in the query and not in the pool.
//
// SPDX-License-Identifier: Apache-2.0
//
// Which server is up to libpq's environment variables. Every thread takes turns between the pool
// and its own connection, query by query, so that both kinds meet the same load. All the same,
// "plain" may be off by a tenth either way: so much depends on which CPUs the kernel wakes the
// server's processes on. "overhead" does not, because it compares times of the same queries.
#include "conns/subjects.h"
#include "support/rows.h"
#include "support/run.h"
#include "support/team.h"

#include <libpq-fe.h>

#include <memory>
#include <string_view>

namespace bench {
namespace {

constexpr unsigned kThreads = 8;
constexpr size_t kQueries = 2'000; // by a thread, of each kind
constexpr size_t kDialed = 5;      // by a thread

struct Finish {
    void operator()(PGconn *conn) const { PQfinish(conn); }
};
using Own = std::unique_ptr<PGconn, Finish>;

PGconn *connect() {
    return PQconnectdb("");
}

// False: it failed.
bool query(PGconn *conn) {
    PGresult *result = PQexec(conn, "SELECT 1");
    const bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
    PQclear(result);
    return good;
}

pool_status dial(const void *, size_t, int64_t, void **conn, void *) {
    *conn = connect();
    return POOL_OK;
}

void close(void *conn, pool_conns_reason, void *) {
    PQfinish(static_cast<PGconn *>(conn));
}

// Seconds, added up over all threads.
struct Times {
    double pooled = 0;
    double pooled_queries = 0; // of that, without the pool
    double plain = 0;
    double dialed = 0;
    bool failed = false;

    void add(const Times &other) {
        pooled += other.pooled;
        pooled_queries += other.pooled_queries;
        plain += other.plain;
        dialed += other.dialed;
        failed |= other.failed;
    }
};

double seconds(Clock::duration time) {
    return std::chrono::duration<double>(time).count();
}

void query_pooled(pool_conns *pool, Times &times) {
    const Clock::time_point begin = Clock::now();
    pool_conns_lease *lease = Pool::acquire(pool);
    const Clock::time_point acquired = Clock::now();
    times.failed |= !query(static_cast<PGconn *>(pool_conns_lease_conn(lease)));
    const Clock::time_point answered = Clock::now();
    Pool::release(pool, lease);
    times.pooled += seconds(Clock::now() - begin);
    times.pooled_queries += seconds(answered - acquired);
}

void query_plain(PGconn *conn, Times &times) {
    const Clock::time_point begin = Clock::now();
    times.failed |= !query(conn);
    times.plain += seconds(Clock::now() - begin);
}

void query_dialed(Times &times) {
    const Clock::time_point begin = Clock::now();
    const Own conn(connect());
    times.failed |= !query(conn.get());
    times.dialed += seconds(Clock::now() - begin);
}

// One thread's parts.
void take_turns(pool_conns *pool, Times &times) {
    const Own own(connect());
    times.failed |= !query(own.get());
    for (size_t i = 0; i < kQueries; ++i) {
        query_pooled(pool, times);
        query_plain(own.get(), times);
    }
}

void dial_each(Times &times) {
    for (size_t i = 0; i < kDialed; ++i)
        query_dialed(times);
}

template <class Work>
void run_all(Times &all, const Work &work) {
    std::vector<Times> times(kThreads);
    run_team(
        kThreads, [&](unsigned i) { work(times[i]); }, [] {});
    for (const Times &one : times)
        all.add(one);
}

void query_8t(benchmark::State &state) {
    for (auto _ : state) {
        pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
        options.dial = dial;
        options.close = close;
        options.max_open = kThreads;
        options.max_open_per_key = kThreads;
        ConnPool pool(options);
        if (pool.problem() != nullptr) {
            state.SkipWithError(pool.problem());
            return;
        }
        open_all<Pool>(pool.get(), kThreads);
        Times all;
        run_all(all, [&](Times &times) { take_turns(pool.get(), times); });
        run_all(all, dial_each);
        if (all.failed) {
            state.SkipWithError("a query failed");
            return;
        }
        constexpr double kAll = kThreads * kQueries;
        state.SetIterationTime(all.pooled / kAll);
        state.counters["plain"] = all.plain * 1e9 / kAll;
        state.counters["dial"] = all.dialed * 1e9 / (kThreads * kDialed);
        state.counters["overhead"] = all.pooled / all.pooled_queries;
    }
}

// "PostgreSQL 15.18"; the server's version may have more to it.
std::string server() {
    const Own conn(connect());
    const char *version = PQparameterStatus(conn.get(), "server_version");
    const std::string_view text(version != nullptr ? version : "unknown");
    return "PostgreSQL " + std::string(text.substr(0, text.find(' ')));
}

} // namespace
} // namespace bench

int main(int argc, char **argv) {
    benchmark::AddCustomContext("postgres", bench::server());
    bench::add_row("query_8t/pool", bench::query_8t);
    return bench::run(argc, argv);
}
