// What is done to the threads of a stress test: moved between CPUs, and interrupted by timers.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/two_cpus.h"
#include "sync/gate.h"

#include <atomic>
#include <csignal>
#include <ctime>
#include <latch>
#include <mutex>
#include <pthread.h>
#include <random>
#include <sched.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace pool_test {

constexpr int kScale = kThreadSanitizer || kAddressSanitizer ? 1 : 6; // how much work to do

inline void move_to(pthread_t thread, size_t cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    pthread_setaffinity_np(thread, sizeof set, &set);
}

// Moves every victim to a CPU chosen by chance, all the time. Each of them also has a timer whose
// signals, one per 100 us, hit it and no other.
class Tormentor {
public:
    Tormentor() : cpus_(allowed_cpus()) {
        struct sigaction action = {};
        action.sa_handler = [](int) {
            interruptions_.fetch_add(1, std::memory_order_relaxed);
            for (std::atomic<int> i{0}; i < 100; i++)
                ;
        };
        action.sa_flags = SA_RESTART;
        sigaction(SIGPROF, &action, &before_);
        thread_ = std::thread([this] { run(); });
    }
    ~Tormentor() {
        done_ = true;
        thread_.join();
        sigaction(SIGPROF, &before_, nullptr);
    }
    Tormentor(const Tormentor &) = delete;
    Tormentor &operator=(const Tormentor &) = delete;

    // A thread under torment, from here to the end of the scope.
    class Victim {
    public:
        explicit Victim(Tormentor &tormentor) : tormentor_(tormentor) {
            sigevent event = {};
            event.sigev_notify = SIGEV_THREAD_ID;
            event.sigev_signo = SIGPROF;
            event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
            timer_create(CLOCK_MONOTONIC, &event, &timer_);
            itimerspec period = {{0, 100000}, {0, 100000}};
            timer_settime(timer_, 0, &period, nullptr);
            std::lock_guard<std::mutex> guard(tormentor_.mutex_);
            tormentor_.victims_.push_back(pthread_self());
        }
        ~Victim() {
            {
                std::lock_guard<std::mutex> guard(tormentor_.mutex_);
                std::erase_if(tormentor_.victims_, [](pthread_t victim) {
                    return pthread_equal(victim, pthread_self());
                });
            }
            timer_delete(timer_);
        }
        Victim(const Victim &) = delete;
        Victim &operator=(const Victim &) = delete;

        // Go elsewhere of one's own will.
        void hop(size_t choice) { pin_to({tormentor_.cpus_[choice % tormentor_.cpus_.size()]}); }

    private:
        Tormentor &tormentor_;
        timer_t timer_ = {};
    };

    static uint64_t interruptions() { return interruptions_; }

private:
    void run() {
        std::minstd_rand random(7);
        while (!done_) {
            {
                std::lock_guard<std::mutex> guard(mutex_);
                for (pthread_t victim : victims_)
                    if (random() % 2 == 0)
                        move_to(victim, cpus_[random() % cpus_.size()]);
            }
            timespec pause = {0, 200000};
            nanosleep(&pause, nullptr);
        }
    }

    static inline std::atomic<uint64_t> interruptions_{0};
    const std::vector<size_t> cpus_;
    struct sigaction before_ = {};
    std::mutex mutex_;
    std::vector<pthread_t> victims_;
    std::atomic<bool> done_{false};
    std::thread thread_;
};

// Runs work(victim, t, random) on so many threads under torment, which all begin at once.
template <class Work>
void torment(unsigned threads, Work work) {
    Tormentor tormentor;
    std::latch begin(threads);
    std::vector<std::thread> crew;
    for (unsigned t = 0; t < threads; t++)
        crew.emplace_back([&, t] {
            Tormentor::Victim victim(tormentor);
            std::minstd_rand random(t + 1);
            begin.arrive_and_wait();
            work(victim, t, random);
        });
    for (std::thread &thread : crew)
        thread.join();
}

} // namespace pool_test
