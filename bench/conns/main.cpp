// bench_conns: the connection pool with connections that do nothing.
//
// SPDX-License-Identifier: Apache-2.0
#include "conns/scenarios.h"
#include "support/run.h"

int main(int argc, char **argv) {
    bench::register_pair();
    bench::register_hold();
    bench::register_keyed();
    bench::register_slow_dial();
    return bench::run(argc, argv);
}
