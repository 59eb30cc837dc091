// bench_workers: the worker pool beside what people write by hand.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/run.h"
#include "workers/scenarios.h"

int main(int argc, char **argv) {
    bench::register_flood();
    bench::register_bulk();
    bench::register_forkjoin();
    bench::register_wake();
    bench::register_work();
    bench::register_steady();
    bench::register_idle();
    return bench::run(argc, argv);
}
