// A clock for every pool in the process that goes when it is told to.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pool/common.h"

#include <atomic>

namespace pool_test {

constexpr int64_t kSecond = 1000000000;

class SimulatedClock {
public:
    SimulatedClock() {
        pool_config_set_clock(
            [](void *self) { return static_cast<SimulatedClock *>(self)->now_.load(); }, this);
    }
    ~SimulatedClock() { pool_config_set_clock(nullptr, nullptr); }
    SimulatedClock(const SimulatedClock &) = delete;
    SimulatedClock &operator=(const SimulatedClock &) = delete;

    void advance(int64_t time) { now_ += time; }

private:
    std::atomic<int64_t> now_{1000 * kSecond};
};

} // namespace pool_test
