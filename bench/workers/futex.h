// Futex: one thread that sleeps in the kernel, and nothing else. No pool can wake a worker faster.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "workers/subjects.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <thread>

namespace bench {

// A subject. A task is submitted when the one before has started.
class Futex {
public:
    using Handle = Futex *;

    Futex() = default;
    ~Futex() { submit<nullptr>(this, nullptr); }
    Futex(const Futex &) = delete;
    Futex &operator=(const Futex &) = delete;

    Handle handle() { return this; }
    template <Task *task>
    static void submit(Handle futex, void *arg) {
        futex->task_ = task;
        futex->arg_ = arg;
        futex->word_.store(1, std::memory_order_release); // pairs with the acquire in work()
        syscall(SYS_futex, &futex->word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    }
    template <class Work>
    static void enter(Handle, const Work &work) {
        work();
    }

private:
    void work() {
        while (true) {
            while (word_.load(std::memory_order_acquire) == 0)
                syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
            word_.store(0, std::memory_order_relaxed);
            if (task_ == nullptr)
                return;
            task_(arg_);
        }
    }

    std::atomic<uint32_t> word_{0}; // 1: there is a task
    Task *task_ = nullptr;          // nullptr: the end. Written, as arg_, before word_
    void *arg_ = nullptr;
    std::jthread thread_{[this] { work(); }}; // last, because it uses the others
};

} // namespace bench
