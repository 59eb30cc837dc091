// What the tests of the worker wrappers share.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../sync/gate.h"
#include "pool/pool.hpp"

#include <atomic>
#include <gtest/gtest.h>
#include <memory>

namespace pool_test {

inline pool_workers_options crew(uint32_t max_workers, uint64_t capacity = 0) {
    pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
    options.max_workers = max_workers;
    options.queue_capacity = capacity;
    return options;
}

// Occupy a worker until the gate opens.
inline void occupy(auto &pool, Gate *gate) {
    std::atomic<bool> begun{false};
    pool.submit([&begun, gate](auto &&...) {
        begun = true;
        Gate::wait_on(gate);
    });
    eventually([&] { return begun.load(); });
}

// A callable that holds this counts while it exists.
class Token {
public:
    std::shared_ptr<int> hold() const { return token_; }
    long held() const { return token_.use_count() - 1; }

private:
    std::shared_ptr<int> token_ = std::make_shared<int>(0);
};

} // namespace pool_test
