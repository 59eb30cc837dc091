// What the tests of the connection wrappers connect to.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pool/pool.hpp"

#include <atomic>
#include <string>
#include <vector>

namespace pool_test {

// The other side: numbered sessions, and what was done to them.
struct Server {
    struct Session {
        int number;
        std::string key;
        bool alive = true;
    };
    std::atomic<int> dialed{0};
    std::atomic<int> open{0};
    std::vector<pool_conns_reason> closed;

    // No two threads of one test dial or close at once.
    pool::conns_callbacks calls() {
        pool::conns_callbacks calls;
        calls.dial = [this](std::string_view key, int64_t) -> void * {
            open++;
            return new Session{++dialed, std::string(key)};
        };
        calls.close = [this](void *conn, pool_conns_reason reason) {
            open--;
            closed.push_back(reason);
            delete static_cast<Session *>(conn);
        };
        return calls;
    }
};

inline pool_conns_options bound(uint32_t open_per_key) {
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.max_open_per_key = open_per_key;
    return options;
}

inline pool_status status_of(auto call) {
    try {
        call();
    } catch (const pool::error &error) {
        return error.status();
    }
    return POOL_OK;
}

} // namespace pool_test
