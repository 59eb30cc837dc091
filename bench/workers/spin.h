// Spin: work of a known length.
//
// SPDX-License-Identifier: Apache-2.0
//
// It counts and does not look at the clock: a task that had to leave its CPU to another thread has
// as much left to do as before.
#pragma once

#include "support/team.h"

#include <cstdint>

namespace bench {

inline void spin(uint64_t rounds) {
    for (; rounds > 0; --rounds)
        asm volatile("" : "+r"(rounds));
}

// How many rounds take `time` when nothing disturbs. Measured once per process.
inline uint64_t rounds_in(std::chrono::nanoseconds time) {
    constexpr uint64_t kRounds = 100'000;
    static const double nanoseconds = [] {
        std::chrono::duration<double, std::nano> least = std::chrono::seconds(1);
        for (int i = 0; i < 100; ++i) {
            const Clock::time_point begin = Clock::now();
            spin(kRounds);
            least = std::min<decltype(least)>(least, Clock::now() - begin);
        }
        return least.count() / kRounds;
    }();
    return static_cast<uint64_t>(static_cast<double>(time.count()) / nanoseconds);
}

} // namespace bench
