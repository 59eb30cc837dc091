// valyala/fasthttp's worker pool: what a server that used it may rely on here.
//
// SPDX-License-Identifier: Apache-2.0
//
//     workerPool{WorkerFunc, MaxWorkersCount}  options.process, max_workers, queue_capacity =
//                                  POOL_WORKERS_HANDOFF, full = POOL_WORKERS_FAIL
//     wp.Serve(conn)               pool_workers_submit_payload
//     MaxIdleWorkerDuration        options.idle_timeout = 10 s, reap = POOL_WORKERS_REAP_ALL
//     wp.Start(), wp.Stop()        pool_workers_restart, pool_workers_stop with a timeout of 0
//     LogAllErrors, Logger         options.on_failed; pool_config_set_log
//     rejectedRequestsCount        pool_workers_stats.rejected
//
// Other than there: a pool that was stopped can be started again; what the function throws is
// captured.
#include "conformance/worker_pools.h"
#include "support/log.h"

#include <cstdlib>
#include <stdexcept>

namespace {

using namespace pool_test;

// Connections that are served until they are closed.
struct Server {
    Tally served, logged;

    struct Conn {
        Tally begun;
        Gate closed;
        std::atomic<std::thread::id> thread{};
        bool bad = false;
    };

    pool_workers_options options(uint32_t workers) {
        pool_workers_options options = worker_options(workers, POOL_WORKERS_HANDOFF);
        options.full = POOL_WORKERS_FAIL;
        options.idle_timeout = 10 * kSecond;
        options.ctx = this;
        options.process = [](void *payload, void *, void *ctx) -> void * {
            auto *conn = static_cast<Conn *>(payload);
            conn->thread = std::this_thread::get_id();
            conn->begun.raise();
            conn->closed.wait();
            if (conn->bad)
                throw std::runtime_error("error when serving connection");
            static_cast<Server *>(ctx)->served.raise();
            return nullptr;
        };
        options.on_failed = [](void *, int32_t, const char *message, void *ctx) {
            EXPECT_STREQ(message, "error when serving connection");
            static_cast<Server *>(ctx)->logged.raise();
        };
        return options;
    }
};

bool serve(pool_workers *pool, Server::Conn *conn) {
    return pool_workers_submit_payload(pool, conn, POOL_FOREVER) == POOL_OK;
}

// A1-2
TEST(FasthttpWorkerPool, ServeRunsTheOneFunctionOnEveryConnection) {
    Server server;
    Server::Conn conns[20];
    WorkerPoolUnderTest pool(server.options(20));
    for (Server::Conn &conn : conns)
        EXPECT_TRUE(serve(pool, &conn));
    for (Server::Conn &conn : conns) {
        conn.begun.wait_for(1);
        conn.closed.open();
    }
    server.served.wait_for(20);
}

// A1-4, 10, 11, 13 and 47
TEST(FasthttpWorkerPool, ServeIsFalseAtOnceWhileAllWorkersAreBusyAndThatIsCounted) {
    Server server;
    Server::Conn conns[3], refused;
    WorkerPoolUnderTest pool(server.options(3));
    for (Server::Conn &conn : conns)
        EXPECT_TRUE(serve(pool, &conn));
    for (Server::Conn &conn : conns)
        conn.begun.wait_for(1);
    for (int i = 0; i < 4; i++)
        EXPECT_FALSE(serve(pool, &refused));
    EXPECT_EQ(pool_last_error_status(), POOL_EFULL);
    EXPECT_EQ(pool.stats().rejected, 4u);
    EXPECT_EQ(pool.stats().waiting, 0u);
    for (Server::Conn &conn : conns)
        conn.closed.open();
    refused.closed.open();
    eventually([&] { return serve(pool, &refused); });
    server.served.wait_for(4);
}

// A1-6 and 31
TEST(FasthttpWorkerPool, TheWorkerThatServedLastServesNext) {
    Server server;
    Server::Conn first[3], next;
    WorkerPoolUnderTest pool(server.options(3));
    EXPECT_EQ(pool.stats().workers, 0u);
    for (Server::Conn &conn : first) {
        EXPECT_TRUE(serve(pool, &conn));
        conn.begun.wait_for(1);
    }
    for (size_t i : {2u, 0u, 1u}) {
        uint64_t idle = pool.stats().idle;
        first[i].closed.open();
        eventually([&] { return pool.stats().idle == idle + 1; });
        std::this_thread::sleep_for(std::chrono::milliseconds(5)); // until it sleeps
    }
    EXPECT_TRUE(serve(pool, &next));
    next.begun.wait_for(1);
    EXPECT_EQ(next.thread.load(), first[1].thread.load());
    next.closed.open();
}

// A1-29
TEST(FasthttpWorkerPool, AllWorkersThatHaveBeenIdleForTooLongAreEndedTogether) {
    HandSetClock clock;
    Server server;
    Server::Conn conns[4];
    WorkerPoolUnderTest pool(server.options(4));
    for (Server::Conn &conn : conns) {
        EXPECT_TRUE(serve(pool, &conn));
        conn.begun.wait_for(1);
    }
    for (Server::Conn &conn : conns)
        conn.closed.open();
    let_run(pool);
    eventually([&] {
        clock.advance(10 * kSecond);
        return pool.stats().workers == 0;
    });
}

// A1-33: there worker objects come from a sync.Pool.
TEST(FasthttpWorkerPool, ServingAllocatesNothingOnceItIsWarm) {
    static std::atomic<int> allocations;
    pool_allocator allocator = {sizeof(pool_allocator),
                                [](size_t bytes, size_t, void *) {
                                    allocations++;
                                    return malloc(bytes);
                                },
                                [](void *memory, size_t, size_t, void *) { free(memory); },
                                nullptr};
    Server server;
    pool_workers_options options = server.options(1);
    options.allocator = &allocator;
    Server::Conn conn;
    conn.closed.open();
    WorkerPoolUnderTest pool(options);
    int after_warm_up = 0;
    for (int i = 1; i <= 200; i++) {
        eventually([&] { return serve(pool, &conn); });
        server.served.wait_for(i);
        if (i == 20)
            after_warm_up = allocations;
    }
    EXPECT_EQ(allocations, after_warm_up);
}

// A1-36, 39 and 41. There a restart is broken.
TEST(FasthttpWorkerPool, StopDoesNotWaitForBusyWorkersMayBeRepeatedAndStartWorks) {
    Server server;
    Server::Conn conn, later;
    WorkerPoolUnderTest pool(server.options(2));
    EXPECT_TRUE(serve(pool, &conn));
    conn.begun.wait_for(1);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, 0, nullptr), POOL_ETIMEDOUT);
    EXPECT_EQ(server.served.value(), 0);
    EXPECT_FALSE(serve(pool, &later)) << "A1-40";
    EXPECT_EQ(pool_workers_restart(pool), POOL_EAGAIN) << "not while a worker is busy";
    conn.closed.open();
    EXPECT_EQ(pool_workers_stop(pool, POOL_WORKERS_DISCARD, POOL_FOREVER, nullptr), POOL_OK);
    ASSERT_EQ(pool_workers_restart(pool), POOL_OK);
    EXPECT_EQ(pool_workers_restart(pool), POOL_EAGAIN) << "it has been started";
    later.closed.open();
    EXPECT_TRUE(serve(pool, &later));
    server.served.wait_for(2);
}

// A1-34 and 52. There the process dies.
TEST(FasthttpWorkerPool, AnErrorInTheFunctionIsReportedAndTheWorkerServesOn) {
    Server server;
    Server::Conn bad, good;
    bad.bad = true;
    bad.closed.open();
    good.closed.open();
    WorkerPoolUnderTest pool(server.options(1));
    EXPECT_TRUE(serve(pool, &bad));
    server.logged.wait_for(1);
    eventually([&] { return serve(pool, &good); });
    server.served.wait_for(1);
    EXPECT_EQ(pool.stats().failed, 1u);
    EXPECT_EQ(pool.stats().started, 1u);
}

// A1-52: what no call can return goes to the log.
TEST(FasthttpWorkerPool, AHookThatThrowsIsLogged) {
    LogCapture log;
    pool_workers_options options = worker_options(1, POOL_WORKERS_HANDOFF);
    options.on_task_end = [](const char *, void *, void *) { throw std::runtime_error("hook"); };
    WorkerPoolUnderTest pool(options);
    EXPECT_EQ(pool_workers_run(pool, nothing, nullptr, POOL_FOREVER), POOL_OK);
    let_run(pool);
    ASSERT_EQ(log.lines().size(), 1u);
    EXPECT_EQ(log.lines()[0].severity, 3);
}

} // namespace
