// Threads that the library starts, and the wait for memory pressure that one of them does.
//
// SPDX-License-Identifier: Apache-2.0
#include "platform/thread.h"

#include "platform/config.h"
#include "platform/pressure.h"
#include "platform/status.h"
#include "sync/gate.h"

#include <csignal>
#include <cstring>
#include <gtest/gtest.h>
#include <string>

namespace {

using namespace pool;

struct Seen {
    std::string name;
    sigset_t blocked;
    size_t stack = 0;
    pthread_t thread = {};

    static void look(void *arg) {
        auto *self = static_cast<Seen *>(arg);
        char name[16];
        pthread_getname_np(pthread_self(), name, sizeof name);
        self->name = name;
        pthread_sigmask(SIG_SETMASK, nullptr, &self->blocked);
        pthread_attr_t attributes;
        pthread_getattr_np(pthread_self(), &attributes);
        pthread_attr_getstacksize(&attributes, &self->stack);
        pthread_attr_destroy(&attributes);
    }
    pool_status run(const char *thread_name, size_t stack_size) {
        pool_status status = start_thread({thread_name, stack_size, look, this}, &thread);
        if (status == POOL_OK)
            pthread_join(thread, nullptr);
        return status;
    }
};

TEST(Thread, HasItsNameCutAndTheHostsSignalsBlocked) {
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, nullptr, &before);
    Seen seen;
    ASSERT_EQ(seen.run("a-name-beyond-fifteen", 0), POOL_OK);
    EXPECT_EQ(seen.name, "a-name-beyond-f");
    for (int signal : {SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGALRM, SIGHUP})
        EXPECT_EQ(sigismember(&seen.blocked, signal), 1) << signal;
    for (int signal : {SIGPROF, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS})
        EXPECT_EQ(sigismember(&seen.blocked, signal), 0) << signal;
    pthread_sigmask(SIG_SETMASK, nullptr, &after);
    for (int signal = 1; signal < SIGRTMIN; signal++)
        EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal));
}

TEST(Thread, AStackThatIsTooSmallBecomesTheSmallestPossible) {
    Seen tiny, large;
    ASSERT_EQ(tiny.run("tiny", 1), POOL_OK);
    EXPECT_GE(tiny.stack, static_cast<size_t>(sysconf(_SC_THREAD_STACK_MIN)));
    ASSERT_EQ(large.run("large", size_t{4} << 20), POOL_OK);
    EXPECT_GE(large.stack, size_t{4} << 20);
}

TEST(Thread, OneThatCannotBeStartedIsAnError) {
    Seen seen;
    EXPECT_EQ(seen.run("huge", size_t{1} << 60), POOL_ENOTHREAD);
    EXPECT_NE(strstr(pool_last_error(), "huge"), nullptr);
}

TEST(Thread, HooksRunFirstAndLastOnIt) {
    static std::string order;
    order.clear();
    pool_config_set_thread_hooks([](void *ctx) { order += static_cast<const char *>(ctx); },
                                 [](void *) { order += "exit"; }, const_cast<char *>("start "));
    pthread_t thread;
    ASSERT_EQ(start_thread({"hooked", 0, [](void *) { order += "run "; }, nullptr}, &thread),
              POOL_OK);
    pthread_join(thread, nullptr);
    EXPECT_EQ(order, "start run exit");
    pool_config_set_thread_hooks([](void *) { throw 1; }, nullptr, nullptr);
    ASSERT_EQ(start_thread({"hooked", 0, [](void *) { order = "ran"; }, nullptr}, &thread),
              POOL_OK);
    pthread_join(thread, nullptr);
    EXPECT_EQ(order, "ran") << "a hook that throws is contained";
    pool_config_set_thread_hooks(nullptr, nullptr, nullptr);
    EXPECT_EQ(thread_hooks().on_start, nullptr);
}

TEST(PressureWatch, WakeEndsTheWait) {
    PressureWatch watch;
    EXPECT_FALSE(watch.open());
    watch.wake(); // nobody to wake
    if (watch.start() != POOL_OK) {
        EXPECT_EQ(last_error_status(), POOL_ENOTSUP);
        EXPECT_FALSE(watch.open());
        GTEST_SKIP() << pool_last_error();
    }
    EXPECT_TRUE(watch.open());
    watch.wake();
    watch.wake();
    EXPECT_FALSE(watch.wait(POOL_FOREVER)) << "a wake is no pressure";
    watch.wait(0);
    std::thread waiter([&] { watch.wait(POOL_FOREVER); });
    watch.wake();
    waiter.join();
    watch.close();
    EXPECT_FALSE(watch.open());
    EXPECT_EQ(watch.start(), POOL_OK) << "again after a close";
    watch.close();
    watch.close();
}

} // namespace
