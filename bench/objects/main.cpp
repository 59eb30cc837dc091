// bench_objects: the object pool beside what C programs use instead of one.
//
// SPDX-License-Identifier: Apache-2.0
#include "objects/scenarios.h"
#include "support/run.h"

int main(int argc, char **argv) {
    bench::register_pair();
    bench::register_burst();
    bench::register_handoff();
    bench::register_memory();
    bench::register_factory();
    return bench::run(argc, argv);
}
