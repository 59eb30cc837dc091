// What 0 stands for in the options of a pool of connections.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace pool {

constexpr uint32_t kDefaultOpenPerKey = 10;
constexpr int64_t kDefaultConnectTimeout = 10000000000;
constexpr int64_t kDefaultIdleTimeout = 600000000000;
constexpr int64_t kDefaultMaxLifetime = 1800000000000;
constexpr int64_t kDefaultValidateAfter = 500000000;
constexpr int64_t kDefaultValidateTimeout = 5000000000;
constexpr int64_t kDefaultDialBackoff = 10000000;
constexpr int64_t kDefaultDialBackoffMax = 5000000000;

} // namespace pool
