// Two threads, each pinned to a CPU of its own, that do what a test tells them, one at a time.
//
// SPDX-License-Identifier: Apache-2.0
//
// Both spin while they wait, so that the kernel leaves them the ids that choose their shards. It
// may take one away all the same: then steady() is false and what the test saw means nothing.
#pragma once

#include "platform/cpu.h"
#include "platform/lock.h"

#include <atomic>
#include <functional>
#include <sched.h>
#include <thread>
#include <vector>

namespace pool_test {

// The CPUs that this thread may run on.
inline std::vector<size_t> allowed_cpus() {
    std::vector<size_t> cpus;
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    sched_getaffinity(0, sizeof allowed, &allowed);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed))
            cpus.push_back(cpu);
    return cpus;
}

// The id that chooses the slab of this thread's sequences now.
inline uint32_t sequence_id() {
    const char *thread = static_cast<const char *>(__builtin_thread_pointer());
    return *reinterpret_cast<const volatile uint32_t *>(thread +
                                                        pool::sequence_support().id_offset);
}

// Keep this thread on these CPUs.
inline void pin_to(const std::vector<size_t> &cpus) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (size_t cpu : cpus)
        CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

class TwoCpus {
public:
    explicit TwoCpus(pool_cpu_mode mode) : mode_(mode), cpus_(allowed_cpus()) {
        if (cpus_.size() < 2)
            return;
        for (int i = 0; i < 2; i++)
            hands_[i].thread = std::thread([this, i] { serve(i); });
        for (int i = 0; i < 2; i++)
            on(i, [this, i] { hands_[i].id = id(); });
        steady_ = hands_[0].id != hands_[1].id;
    }
    ~TwoCpus() {
        stop_ = true;
        for (Hand &hand : hands_)
            if (hand.thread.joinable())
                hand.thread.join();
    }

    bool available() const { return cpus_.size() >= 2; }

    // Run `work` on the first (0) or second (1) CPU, to its end.
    void on(int which, std::function<void()> work) {
        Hand &hand = hands_[which];
        hand.work = std::move(work);
        hand.busy.store(true, std::memory_order_release);
        while (hand.busy.load(std::memory_order_acquire))
            sched_yield();
    }

    // Has each thread had one shard, and not the same, all the time?
    bool steady() const { return steady_; }

private:
    struct Hand {
        std::thread thread;
        std::function<void()> work;
        std::atomic<bool> busy{false};
        uint32_t id = UINT32_MAX;
    };

    uint32_t id() const { return mode_ == POOL_CPU_RSEQ ? sequence_id() : pool::current_cpu(); }

    void serve(int which) {
        Hand &hand = hands_[which];
        pin_to({cpus_[static_cast<size_t>(which)]});
        while (!stop_) {
            if (!hand.busy.load(std::memory_order_acquire)) {
                pool::cpu_relax();
                continue;
            }
            bool first = hand.id == UINT32_MAX;
            bool same = first || id() == hand.id;
            hand.work();
            if (!first && (!same || id() != hand.id))
                steady_ = false;
            hand.busy.store(false, std::memory_order_release);
        }
    }

    const pool_cpu_mode mode_;
    const std::vector<size_t> cpus_;
    Hand hands_[2];
    std::atomic<bool> stop_{false};
    std::atomic<bool> steady_{false};
};

// Has `play` act on two CPUs until it has done so undisturbed. False: there are no two CPUs, or
// they are never left alone.
template <class Play>
bool play_on_two_cpus(pool_cpu_mode mode, Play play) {
    for (int attempt = 0; attempt < 50; attempt++) {
        TwoCpus cpus(mode);
        if (!cpus.available())
            return false;
        if (!cpus.steady())
            continue;
        play(cpus);
        if (cpus.steady())
            return true;
    }
    return false;
}

} // namespace pool_test
