// slow_dial: what an acquire and a release cost while another key's connection is dialed for a
// second and another thread waits for it. Counter "alone": what they cost, meanwhile, in a pool
// that knows both keys too, but of which nobody wants anything else.
//
// SPDX-License-Identifier: Apache-2.0
//
// The two pools take turns in short blocks, so that whatever slows the machine slows both. Times
// are sums, not medians: one acquire that had to wait for the dial would show.
#include "conns/scenarios.h"
#include "conns/subjects.h"
#include "support/rows.h"
#include "support/team.h"

#include <string_view>

namespace bench {
namespace {

constexpr size_t kBlock = 1'000; // pairs
constexpr std::chrono::seconds kDial{1};
constexpr std::string_view kFast = "10.0.0.1:8080";
constexpr std::string_view kSlow = "10.0.0.2:8080";

// What the callback does.
struct Dialing {
    const bool slow;
    std::atomic<bool> begun{false};
    std::atomic<bool> ended{false};
};

pool_status dial(const void *key, size_t length, int64_t, void **conn, void *ctx) {
    auto &dialing = *static_cast<Dialing *>(ctx);
    *conn = ctx;
    if (dialing.slow && std::string_view(static_cast<const char *>(key), length) == kSlow) {
        dialing.begun = true;
        std::this_thread::sleep_for(kDial);
        dialing.ended = true;
    }
    return POOL_OK;
}

void pair(pool_conns *pool, std::string_view key) {
    pool_conns_lease *lease;
    pool_conns_acquire(pool, key.data(), key.size(), kTimeout, &lease);
    pool_conns_release(lease);
}

double seconds_of_block(pool_conns *pool) {
    const Clock::time_point begin = Clock::now();
    for (size_t i = 0; i < kBlock; ++i)
        pair(pool, kFast);
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

void slow_dial(benchmark::State &state) {
    for (auto _ : state) {
        Dialing dialing{true};
        Dialing quick{false};
        pool_conns_options options = stub_options();
        options.dial = dial;
        options.max_open_per_key = 1;
        options.ctx = &dialing;
        ConnPool shared(options);
        options.ctx = &quick;
        ConnPool alone(options);
        if (shared.problem() != nullptr || alone.problem() != nullptr) {
            state.SkipWithError("a pool could not be made");
            return;
        }
        pair(shared.get(), kFast);
        pair(alone.get(), kFast);
        pair(alone.get(), kSlow);

        std::thread dialer([&] { pair(shared.get(), kSlow); });
        while (!dialing.begun)
            std::this_thread::yield();
        std::thread waiter([&] { pair(shared.get(), kSlow); });
        std::this_thread::sleep_for(std::chrono::milliseconds(50)); // until it stands in line

        double with = 0;
        double without = 0;
        size_t pairs = 0;
        do {
            with += seconds_of_block(shared.get());
            without += seconds_of_block(alone.get());
            pairs += kBlock;
        } while (!dialing.ended);
        dialer.join();
        waiter.join();
        state.SetIterationTime(with / static_cast<double>(pairs));
        state.counters["alone"] = without * 1e9 / static_cast<double>(pairs);
    }
}

} // namespace

void register_slow_dial() {
    add_row("slow_dial/pool", slow_dial);
}

} // namespace bench
