// Rows: what a benchmark binary measures.
//
// SPDX-License-Identifier: Apache-2.0
//
// They are called "<scenario>/<subject>". Their time is taken by hand over a fixed amount of work:
// Google Benchmark's own clock runs per thread, and would leave out how long a thread waited for its
// CPU.
#pragma once

#include <benchmark/benchmark.h>

#include <string>

namespace bench {

template <class Row, class... Arguments>
void add_row(const std::string &name, Row row, Arguments... arguments) {
    benchmark::RegisterBenchmark(name.c_str(), row, arguments...)->UseManualTime()->Iterations(1);
}

} // namespace bench
