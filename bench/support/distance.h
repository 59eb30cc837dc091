// Distance: how long a cache line takes from one thread's CPU to another's.
//
// SPDX-License-Identifier: Apache-2.0
//
// A hypervisor may move the CPUs of a virtual machine closer together or further apart at any time:
// 28 and 155 ns were seen in turns within a second. What two threads hand to each other costs in
// proportion, so such a measurement says nothing without the distance before and after it.
// peers/go/distance.go is the same in Go.
#pragma once

#include "support/team.h"

namespace bench {

class Distance {
public:
    // Called by two threads at the same time, one with side 0, the other with side 1. Each returns
    // the nanoseconds of one way, on average over some thousand ways.
    double measure(unsigned side) {
        const Clock::time_point begin = Clock::now();
        for (unsigned turn = side; turn < kTurns; turn += 2) {
            unsigned spins = 0;
            while (turn_.load(std::memory_order_acquire) != turn)
                if (++spins > kSpins)
                    sched_yield();
            turn_.store(turn + 1, std::memory_order_release);
        }
        const std::chrono::duration<double, std::nano> time = Clock::now() - begin;
        return time.count() / kTurns;
    }

private:
    static constexpr unsigned kTurns = 4'000;
    static constexpr unsigned kSpins = 100'000;

    alignas(128) std::atomic<unsigned> turn_{0};
};

} // namespace bench
