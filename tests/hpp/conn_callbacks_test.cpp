// Callable objects as callbacks of connection pools.
//
// SPDX-License-Identifier: Apache-2.0
#include "hpp/server.h"

#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using namespace pool_test;
using pool::conns;

TEST(HppConnCallbacks, CallbacksAreDestroyedWithThePool) {
    auto token = std::make_shared<int>(0);
    std::weak_ptr<int> watch = token;
    Server server;
    {
        auto calls = server.calls();
        calls.before_close = [token](void *, pool_conns_reason) { ++*token; };
        conns pool(std::move(calls));
        pool.acquire("a", 1s);
        token.reset();
        EXPECT_FALSE(watch.expired());
    }
    EXPECT_TRUE(watch.expired());
    token = std::make_shared<int>(0);
    watch = token;
    auto calls = server.calls();
    calls.close = nullptr; // which dial needs
    calls.before_close = [token](void *, pool_conns_reason) { ++*token; };
    token.reset();
    EXPECT_EQ(status_of([&] { conns refused(std::move(calls)); }), POOL_EINVAL);
    EXPECT_TRUE(watch.expired());
}

TEST(HppConnCallbacks, WhatDialThrowsIsWhatAcquireThrows) {
    Server server;
    auto calls = server.calls();
    calls.dial = [](std::string_view key, int64_t) -> void * {
        if (key == "refused")
            throw pool::error(POOL_EIO);
        throw std::runtime_error("no");
    };
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.dial_backoff = POOL_CONNS_NONE;
    conns pool(std::move(calls), options);
    EXPECT_EQ(status_of([&] { pool.acquire("refused", 1s); }), POOL_EIO);
    EXPECT_EQ(status_of([&] { pool.acquire("other", 1s); }), POOL_EDIAL);
}

TEST(HppConnCallbacks, EveryCallbackIsCalled) {
    Server server;
    std::string seen;
    auto calls = server.calls();
    auto note = [&seen](char what) {
        return [&seen, what](void *, auto) {
            seen += what;
            return true;
        };
    };
    auto note_void = [&seen](void *, pool_conns_reason) { seen += 'c'; };
    calls.is_alive = note('i');
    calls.validate = note('v');
    calls.reset = note('r');
    calls.after_connect = note('o');
    calls.before_acquire = note('b');
    calls.after_release = note('a');
    calls.before_close = note_void;
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.validate_after = 1;
    conns pool(std::move(calls), options);
    pool.acquire("a", 1s);
    EXPECT_EQ(seen, "obar");
    seen.clear();
    std::this_thread::sleep_for(20ms); // the clock may be a coarse one
    pool.acquire("a", 1s);
    EXPECT_EQ(seen, "ivbar");
    seen.clear();
    pool.clear();
    EXPECT_EQ(seen, "c");
}

TEST(HppConnCallbacks, CallbacksThatRefuseCloseTheConnection) {
    for (auto refuse : {&pool::conns_callbacks::reset, &pool::conns_callbacks::validate}) {
        Server server;
        auto calls = server.calls();
        calls.*refuse = [](void *conn, int64_t) {
            return static_cast<Server::Session *>(conn)->alive;
        };
        pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
        options.validate_after = 1;
        conns pool(std::move(calls), options);
        {
            auto lease = pool.acquire("a", 1s);
            lease.conn<Server::Session>()->alive = false;
        }
        std::this_thread::sleep_for(20ms);
        EXPECT_EQ(pool.acquire("a", 1s).conn<Server::Session>()->number, 2);
        EXPECT_EQ(server.closed, std::vector<pool_conns_reason>{POOL_CONNS_INVALID});
    }
}

TEST(HppConnCallbacks, LeaksAreReported) {
    Server server;
    auto calls = server.calls();
    std::atomic<int> reported{0}, returned{0};
    calls.on_leak = [&](const pool_conns_lease_info &info) {
        EXPECT_STREQ(info.taker, "careless");
        ++(info.returned != 0 ? returned : reported);
    };
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.leak_threshold = 10000000;
    conns pool(std::move(calls), options);
    auto lease = pool.acquire("a", 1s, {.taker = "careless"});
    for (int i = 0; reported == 0 && i < 1000; i++)
        std::this_thread::sleep_for(10ms);
    EXPECT_EQ(reported, 1);
    EXPECT_EQ(returned, 0);
    lease.release();
    EXPECT_EQ(returned, 1);
}

TEST(HppConnCallbacks, TheChildOfAForkAbandonsWhatIsItsParents) {
    Server server;
    auto calls = server.calls();
    int abandoned = 0;
    calls.abandon = [&](void *conn) {
        abandoned += static_cast<Server::Session *>(conn)->number;
        delete static_cast<Server::Session *>(conn);
    };
    conns pool(std::move(calls));
    pool.acquire("a", 1s);
    pid_t child = fork();
    if (child == 0) {
        bool fresh = pool.acquire("a", 1s).conn<Server::Session>()->number == 2;
        _exit(fresh && abandoned == 1 ? 0 : 1);
    }
    int status;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    EXPECT_EQ(pool.acquire("a", 0s).uses(), 1u);
}

TEST(HppConnCallbacks, TheBuiltInDialerIsUsedUnlessThereIsAnother) {
    std::string path = "/tmp/hpp_conns_" + std::to_string(getpid());
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    unlink(path.c_str());
    ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
    ASSERT_EQ(listen(listener, 5), 0);
    const std::string key = "unix:" + path;
    {
        pool::conns_callbacks calls;
        int validated = 0;
        calls.after_connect = [&](void *, std::string_view) { return ++validated > 0; };
        pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
        options.key = key.data();
        options.key_length = key.size();
        conns pool(std::move(calls), options);
        auto lease = pool.acquire({}, 1s);
        EXPECT_EQ(write(lease.fd(), "x", 1), 1);
        EXPECT_EQ(validated, 1);
    }
    close(listener);
    unlink(path.c_str());
}

TEST(HppConnCallbacks, TheCallbacksMayBeWrittenInPlace) {
    static int opened;
    conns pool({.dial = [](std::string_view, int64_t) -> void * { return &opened; },
                .close = [](void *, pool_conns_reason) {}});
    EXPECT_EQ(pool.acquire("a", 1s).conn<int>(), &opened);
}

} // namespace
