// bench_workers_taskflow: Taskflow's executor in the scenarios of the worker pool.
//
// SPDX-License-Identifier: Apache-2.0
//
// silent_async() is what it has for tasks whose result nobody wants. A task that waits for those that
// it spawned takes a tf::Runtime, whose worker runs others meanwhile.
#include "support/run.h"
#include "workers/flood.h"
#include "workers/forkjoin.h"
#include "workers/subjects.h"
#include "workers/wake.h"
#include "workers/work.h"

#include <taskflow/taskflow.hpp>

namespace bench {
namespace {

class Taskflow {
public:
    using Handle = tf::Executor *;

    static const char *problem() { return nullptr; }
    Handle handle() { return &executor_; }
    template <Task *task>
    static void submit(Handle executor, void *arg) {
        executor->silent_async([arg] { task(arg); });
    }
    static void wait(Handle executor) { executor->wait_for_all(); }
    template <class Work>
    static void enter(Handle, const Work &work) {
        work();
    }

    void grow(unsigned depth) {
        executor_.silent_async([depth](tf::Runtime &runtime) { branch_out(runtime, depth); });
        executor_.wait_for_all();
    }

private:
    static void branch_out(tf::Runtime &runtime, unsigned depth) {
        count_task(nullptr);
        if (depth == 0)
            return;
        for (int i = 0; i < 2; ++i)
            runtime.silent_async([depth](tf::Runtime &below) { branch_out(below, depth - 1); });
        runtime.corun_all();
    }

    tf::Executor executor_{kWorkers};
};

} // namespace
} // namespace bench

int main(int argc, char **argv) {
    using namespace bench;
    benchmark::AddCustomContext("taskflow", std::string("Taskflow ") + tf::version());
    add_flood_rows<Taskflow>("Taskflow");
    add_row("forkjoin_20/Taskflow", forkjoin<Taskflow>);
    add_row("wake/Taskflow", wake<Taskflow>);
    add_work_rows<Taskflow>("Taskflow");
    return run(argc, argv);
}
