// bench_workers_bs: BS::thread_pool in the scenarios of the worker pool.
//
// SPDX-License-Identifier: Apache-2.0
//
// The pool has none of its optional features, and detach_task() makes no future: both as its manual
// says for many small tasks. A task cannot wait for others, so there is no fork-join.
#include "support/run.h"
#include "workers/flood.h"
#include "workers/subjects.h"
#include "workers/wake.h"
#include "workers/work.h"

#include <BS_thread_pool.hpp>

// The copy that kit/pypi.py gets leaves these two to the program that it is a part of.
thread_local std::optional<std::size_t> BS::this_thread::my_index;
thread_local std::optional<void *> BS::this_thread::my_pool;

namespace bench {
namespace {

class Bs {
public:
    using Handle = BS::light_thread_pool *;

    static const char *problem() { return nullptr; }
    Handle handle() { return &pool_; }
    template <Task *task>
    static void submit(Handle pool, void *arg) {
        pool->detach_task([arg] { task(arg); });
    }
    static void wait(Handle pool) { pool->wait(); }
    template <class Work>
    static void enter(Handle, const Work &work) {
        work();
    }

private:
    BS::light_thread_pool pool_{kWorkers};
};

std::string version() {
    return std::to_string(BS::thread_pool_version.major) + '.' +
           std::to_string(BS::thread_pool_version.minor) + '.' +
           std::to_string(BS::thread_pool_version.patch);
}

} // namespace
} // namespace bench

int main(int argc, char **argv) {
    using namespace bench;
    benchmark::AddCustomContext("bs", "BS::thread_pool " + version());
    add_flood_rows<Bs>("BS");
    add_row("wake/BS", wake<Bs>);
    add_work_rows<Bs>("BS");
    return run(argc, argv);
}
