// bench_workers_onetbb: oneTBB's task_group in the scenarios of the worker pool.
//
// SPDX-License-Identifier: Apache-2.0
//
// "oneTBB": an arena of two slots, and submitters run tasks of the group inside it, as its manual has
// it: the one that submits or waits is one of the two threads, and what it submits is first its own.
// Of five ways that were tried this was the fastest by far; with a slot for each submitter beside
// those of two workers a task cost more than twice as much.
// "oneTBB_enqueue": two workers, and submitters that stay outside. That is what the other subjects
// have, but not what this one was made for.
#include "support/run.h"
#include "workers/flood.h"
#include "workers/forkjoin.h"
#include "workers/subjects.h"
#include "workers/wake.h"
#include "workers/work.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <oneapi/tbb/version.h>

namespace bench {
namespace {

// Its threads are as many as there are CPUs less one unless told otherwise.
struct Arena {
    Arena(unsigned slots, unsigned for_submitters)
        : limit(oneapi::tbb::global_control::max_allowed_parallelism, slots + 1 - for_submitters),
          arena(static_cast<int>(slots), for_submitters) {
        arena.initialize();
    }

    oneapi::tbb::global_control limit; // of threads, one that submits included
    oneapi::tbb::task_arena arena;
    oneapi::tbb::task_group group;
};

class OneTbb {
public:
    using Handle = Arena *;

    static const char *problem() { return nullptr; }
    Handle handle() { return &arena_; }
    template <Task *task>
    static void submit(Handle handle, void *arg) {
        handle->group.run([arg] { task(arg); });
    }
    static void wait(Handle handle) { handle->group.wait(); }
    template <class Work>
    static void enter(Handle handle, const Work &work) {
        handle->arena.execute(work);
    }

    void grow(unsigned depth) {
        arena_.arena.execute([this, depth] {
            arena_.group.run([depth] { branch_out(depth); });
            arena_.group.wait();
        });
    }

private:
    static void branch_out(unsigned depth) {
        count_task(nullptr);
        if (depth == 0)
            return;
        oneapi::tbb::task_group group;
        for (int i = 0; i < 2; ++i)
            group.run([depth] { branch_out(depth - 1); });
        group.wait();
    }

    Arena arena_{kWorkers, 1};
};

class OneTbbEnqueue {
public:
    using Handle = Arena *;

    static const char *problem() { return nullptr; }
    Handle handle() { return &arena_; }
    template <Task *task>
    static void submit(Handle handle, void *arg) {
        handle->arena.enqueue(handle->group.defer([arg] { task(arg); }));
    }
    static void wait(Handle handle) {
        handle->arena.execute([handle] { handle->group.wait(); });
    }
    template <class Work>
    static void enter(Handle, const Work &work) {
        work();
    }

private:
    Arena arena_{kWorkers, 0};
};

} // namespace
} // namespace bench

int main(int argc, char **argv) {
    using namespace bench;
    benchmark::AddCustomContext("onetbb", std::string("oneTBB ") + TBB_runtime_version());
    add_flood_rows<OneTbb>("oneTBB");
    add_flood_rows<OneTbbEnqueue>("oneTBB_enqueue");
    add_row("forkjoin_20/oneTBB", forkjoin<OneTbb>);
    add_row("wake/oneTBB", wake<OneTbb>);
    add_work_rows<OneTbb>("oneTBB");
    return run(argc, argv);
}
