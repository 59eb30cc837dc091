// pool/hpp/error.hpp - statuses as exceptions; times.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef POOL_HPP_ERROR_HPP
#define POOL_HPP_ERROR_HPP

#include "../common.h"

#include <chrono>
#include <stdexcept>
#include <string>

namespace pool {

// A status other than POOL_OK, with the text of pool_last_error().
class error : public std::runtime_error {
public:
    explicit error(pool_status status)
        : std::runtime_error(std::string(pool_status_name(status)) + ": " + pool_last_error()),
          status_(status) {}
    pool_status status() const noexcept { return status_; }

private:
    pool_status status_;
};

// Thrown by a function that conns::run() calls: the connection is broken.
class broken_connection : public std::runtime_error {
public:
    explicit broken_connection(const std::string &what = "the connection is broken")
        : std::runtime_error(what) {}
};

inline void check(pool_status status) {
    if (status != POOL_OK)
        throw error(status);
}

// Any negative duration waits for ever.
inline int64_t timeout(std::chrono::nanoseconds time) noexcept {
    return time.count() < 0 ? POOL_FOREVER : time.count();
}

} // namespace pool

#endif
