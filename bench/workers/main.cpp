// bench_workers: the worker pool beside what people write by hand.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/run.h"
#include "workers/scenarios.h"

int main(int argc, char **argv) {
    bench::register_flood();
    bench::register_wake();
    bench::register_work();
    bench::register_steady();
    bench::register_idle();
#ifdef BENCH_WORKERS_LATER // see CMakeLists.txt
    bench::register_bulk();
    bench::register_forkjoin();
#endif
    return bench::run(argc, argv);
}
