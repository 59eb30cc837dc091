// bench_buffers: buffer pools beside what programs use instead of them.
//
// SPDX-License-Identifier: Apache-2.0
#include "buffers/scenarios.h"
#include "support/run.h"

int main(int argc, char **argv) {
    bench::register_pair();
    bench::register_buf();
    bench::register_bounded();
    bench::register_recorded();
    bench::register_burst();
    return bench::run(argc, argv);
}
