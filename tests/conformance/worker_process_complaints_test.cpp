// What users of worker pools complain about that has to do with the process: threads that cannot be
// had, fork, signals, exit, idle CPUs, containers.
//
// SPDX-License-Identifier: Apache-2.0
#include "conformance/worker_pools.h"
#include "sync/child.h"

#include <csignal>
#include <fstream>
#include <sched.h>
#include <sys/resource.h>

namespace {

using namespace pool_test;

// ---- threads that cannot be had (oneTBB#824, bun#37738, wiredtiger#2107) ----------------------

// Room for one stack of 1 GiB, not for two.
void leave_room_for_one_thread() {
    std::ifstream statm("/proc/self/statm");
    rlim_t pages = 0;
    statm >> pages;
    rlimit limit = {};
    limit.rlim_cur = limit.rlim_max = pages * 4096 + (rlim_t{1} << 30) + (rlim_t{1} << 29);
    setrlimit(RLIMIT_AS, &limit);
}

TEST(WorkerComplaints, APoolThatGetsNoFurtherThreadsGoesOnWithThoseItHas) {
    if (kForksAtRestOnly)
        GTEST_SKIP() << "the sanitizers need more address space";
    EXPECT_EQ(in_forked_child([] {
                  leave_room_for_one_thread();
                  pool_workers_options options = worker_options(4);
                  options.stack_size = uint64_t{1} << 30;
                  pool_workers *pool;
                  if (pool_workers_create(&options, &pool) != POOL_OK)
                      return 1;
                  Gate gate;
                  Tally ran;
                  if (pool_workers_submit(pool, Gate::wait_on, &gate) != POOL_OK)
                      return 2;
                  for (int i = 0; i < 10; i++)
                      if (pool_workers_submit(pool, Tally::raise_it, &ran) != POOL_OK)
                          return 3;
                  eventually([&] { return seen(pool).start_fails != 0; });
                  if (seen(pool).workers != 1)
                      return 4;
                  gate.open();
                  ran.wait_for(10);
                  return pool_workers_destroy(pool) == POOL_OK ? 0 : 5;
              }),
              0);
}

TEST(WorkerComplaints, WithoutAnyThreadTheSubmitterIsToldAndMayTryAgain) {
    static std::atomic<bool> none;
    none = true;
    pool_workers_options options = worker_options(2);
    options.state_new = [](void **, void *) -> pool_status { return none ? 5 : POOL_OK; };
    Tally ran;
    WorkerPoolUnderTest pool(options);
    pool_workers_task *task;
    EXPECT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_ENOTHREAD);
    EXPECT_EQ(pool_workers_run(pool, Tally::raise_it, &ran, POOL_FOREVER), POOL_ENOTHREAD);
    EXPECT_EQ(pool_workers_start(pool, Tally::raise_it, &ran, nullptr, 0, &task), POOL_ENOTHREAD);
    EXPECT_EQ(task, nullptr);
    GroupUnderTest group(pool);
    EXPECT_EQ(pool_workers_group_submit(group, Tally::raise_it, &ran), POOL_ENOTHREAD);
    EXPECT_EQ(group.wait(), POOL_OK) << "it was never in the group";
    EXPECT_EQ(pool.stats().submitted, 0u);
    EXPECT_EQ(pool.stats().start_fails, 4u);
    none = false;
    EXPECT_EQ(pool_workers_run(pool, Tally::raise_it, &ran, POOL_FOREVER), POOL_OK);
    EXPECT_EQ(ran.value(), 1);
}

// ---- fork (concurrent-ruby#500, datatable#1758, more-executors#140) ---------------------------

TEST(WorkerComplaints, AfterForkEveryInheritedTaskResolvesAndThePoolWorksInTheChild) {
    if (kThreadSanitizer)
        GTEST_SKIP() << "no threads in the child";
    Gate gate;
    WorkerPoolUnderTest pool(worker_options(1));
    Started ended(pool, nothing, nullptr);
    EXPECT_EQ(ended.wait(), POOL_OK);
    Started running(pool, Gate::wait_on, &gate), waiting(pool, nothing, nullptr);
    GroupUnderTest group(pool);
    group.submit(nothing);
    eventually([&] { return pool.stats().running == 1; });
    EXPECT_EQ(in_forked_child([&] {
                  if (pool_workers_task_wait(ended, POOL_FOREVER) != POOL_OK)
                      return 1;
                  if (pool_workers_task_wait(running, POOL_FOREVER) != POOL_EFORKED)
                      return 2;
                  if (pool_workers_task_wait(waiting, POOL_FOREVER) != POOL_EFORKED)
                      return 3;
                  if (waiting.info().state != POOL_WORKERS_DROPPED ||
                      waiting.info().status != POOL_EFORKED)
                      return 4;
                  if (waiting.cancel() != POOL_WORKERS_TOO_LATE)
                      return 5;
                  if (pool_workers_group_wait(group, POOL_FOREVER) != POOL_EFORKED)
                      return 6;
                  Started fresh(pool, nothing, nullptr);
                  if (fresh.wait() != POOL_OK)
                      return 7;
                  if (pool_workers_group_submit(group, nothing, nullptr) != POOL_OK ||
                      pool_workers_group_wait(group, POOL_FOREVER) != POOL_OK)
                      return 8;
                  return pool_workers_stop(pool, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr);
              }),
              0);
    gate.open();
    EXPECT_EQ(waiting.wait(), POOL_OK) << "in the parent nothing has changed";
    EXPECT_EQ(group.wait(), POOL_OK);
}

// ---- signals (log4cplus#385, OpenBLAS#4054, nanomsg#249) --------------------------------------

TEST(WorkerComplaints, ASignalForTheProcessNeverInterruptsAWorker) {
    static std::atomic<int> elsewhere, handled;
    static pthread_t self;
    self = pthread_self();
    elsewhere = handled = 0;
    struct sigaction action = {}, before;
    action.sa_handler = [](int) {
        if (!pthread_equal(pthread_self(), self))
            elsewhere++;
        handled++;
    };
    ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
    {
        Gate gate;
        WorkerPoolUnderTest pool(worker_options(4));
        for (int i = 0; i < 4; i++)
            pool.occupy(&gate);
        for (int i = 1; i <= 50; i++) {
            kill(getpid(), SIGUSR1);
            eventually([&] { return handled >= i; });
        }
        gate.open();
    }
    EXPECT_EQ(elsewhere, 0);
    sigaction(SIGUSR1, &before, nullptr);
}

// ---- the end of the process (libosmium#213, google/pthreadpool#92, oneTBB#1832) ---------------

TEST(WorkerComplaints, AProcessThatExitsWithABusyPoolEnds) {
    if (kForksAtRestOnly)
        GTEST_SKIP() << "the sanitizers have a say in how a process ends";
    int status = in_forked_child([] {
        Gate &never = *new Gate; // no static one: its destructor would wait for those who wait
        pool_workers *pool;
        pool_workers_options options = worker_options(2);
        if (pool_workers_create(&options, &pool) != POOL_OK)
            return 1;
        for (int i = 0; i < 4; i++)
            if (pool_workers_submit(pool, Gate::wait_on, &never) != POOL_OK)
                return 2;
        eventually([&] { return seen(pool).running == 2; });
        exit(3); // with all its static destructors
    });
    EXPECT_EQ(status, 3);
}

TEST(WorkerComplaints, AStaticPoolCanBeDestroyedByAStaticDestructor) {
    if (kForksAtRestOnly)
        GTEST_SKIP() << "the sanitizers have a say in how a process ends";
    int status = in_forked_child([] {
        struct Owner {
            pool_workers *pool = nullptr;
            ~Owner() {
                if (pool_workers_destroy(pool) != POOL_OK)
                    _exit(4);
            }
        };
        static Owner owner;
        pool_workers_options options = worker_options(2);
        if (pool_workers_create(&options, &owner.pool) != POOL_OK)
            return 1;
        for (int i = 0; i < 100; i++)
            if (pool_workers_submit(owner.pool, nothing, nullptr) != POOL_OK)
                return 2;
        exit(3);
    });
    EXPECT_EQ(status, 3);
}

// ---- idle CPUs (taskflow#255, #244, #681, rayon#343) ------------------------------------------

// How often a thread of this process has gone to sleep by itself, or was taken its CPU.
uint64_t switches(pid_t thread) {
    std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
    uint64_t sum = 0;
    for (std::string word; status >> word;)
        if (word.find("ctxt_switches:") != std::string::npos) {
            uint64_t count = 0;
            status >> count;
            sum += count;
        }
    return sum;
}

TEST(WorkerComplaints, AnIdlePoolUsesNoCpu) {
    struct Ids {
        std::mutex mutex;
        std::vector<pid_t> threads;
        static void note(void *ctx) {
            auto *self = static_cast<Ids *>(ctx);
            std::lock_guard<std::mutex> guard(self->mutex);
            self->threads.push_back(gettid());
        }
        std::vector<uint64_t> counts() {
            std::lock_guard<std::mutex> guard(mutex);
            std::vector<uint64_t> counts;
            for (pid_t thread : threads)
                counts.push_back(switches(thread));
            return counts;
        }
    } ids;
    pool_workers_options options = worker_options(3);
    options.min_workers = 3;
    options.ctx = &ids;
    options.on_thread_start = Ids::note;
    WorkerPoolUnderTest pool(options);
    for (int i = 0; i < 100; i++)
        ASSERT_EQ(pool_workers_submit(pool, nothing, nullptr), POOL_OK);
    let_run(pool);
    // Threads that are slow to start, or to fall asleep, are not idle yet.
    std::vector<uint64_t> before;
    eventually([&] {
        before = ids.counts();
        let_others_come_to_rest();
        return before.size() == 3 && before == ids.counts();
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    EXPECT_EQ(ids.counts(), before);
}

// ---- containers (oneTBB#190, memgraph#4661) ---------------------------------------------------

TEST(WorkerComplaints, OnOneCpuThereIsOneWorkerAndNotNone) {
    cpu_set_t before, one;
    ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    CPU_SET(static_cast<size_t>(sched_getcpu()), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    {
        Tally ran;
        WorkerPoolUnderTest pool(worker_options(0));
        EXPECT_EQ(pool.stats().max_workers, 1u);
        for (int i = 0; i < 100; i++)
            ASSERT_EQ(pool_workers_submit(pool, Tally::raise_it, &ran), POOL_OK);
        ran.wait_for(100);
    }
    ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

} // namespace
