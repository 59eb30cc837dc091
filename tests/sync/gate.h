// Meeting points for tests with threads.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace pool_test {

// Closed until it is opened, once and for all.
class Gate {
public:
    void open() {
        std::lock_guard<std::mutex> guard(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    void wait() {
        std::unique_lock<std::mutex> guard(mutex_);
        changed_.wait(guard, [this] { return open_; });
    }
    // For pool tasks and callbacks.
    static void wait_on(void *gate) { static_cast<Gate *>(gate)->wait(); }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = false;
};

// A number that threads raise and others wait for.
class Tally {
public:
    void raise() {
        std::lock_guard<std::mutex> guard(mutex_);
        value_++;
        changed_.notify_all();
    }
    int value() {
        std::lock_guard<std::mutex> guard(mutex_);
        return value_;
    }
    void wait_for(int value) {
        std::unique_lock<std::mutex> guard(mutex_);
        changed_.wait(guard, [this, value] { return value_ >= value; });
    }
    static void raise_it(void *tally) { static_cast<Tally *>(tally)->raise(); }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int value_ = 0;
};

// For states that can only be looked at: look until it is so. A test that never gets there hangs,
// and the runner's time limit reports it.
template <class Condition>
void eventually(Condition condition) {
    while (!condition())
        std::this_thread::sleep_for(std::chrono::microseconds(200));
}

constexpr int64_t kMillisecond = 1000000;
constexpr int64_t kSecond = 1000000000;

#if defined(__SANITIZE_THREAD__)
constexpr bool kThreadSanitizer = true; // starts no thread in the child of a threaded process
#else
constexpr bool kThreadSanitizer = false;
#endif

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kAddressSanitizer = true;
#else
constexpr bool kAddressSanitizer = false;
#endif

// The sanitizers' allocators do not survive a fork while another thread is inside them.
constexpr bool kForksAtRestOnly = kThreadSanitizer || kAddressSanitizer;

} // namespace pool_test
