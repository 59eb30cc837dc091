// That no connection is lost, whatever happens to it.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "conns/backend.h"
#include "pool/conn_stats.h"

namespace pool_test {

inline pool_conns_stats stats_of(pool_conns *pool) {
    pool_conns_stats stats = {};
    stats.size = sizeof stats;
    EXPECT_EQ(pool_conns_get_stats(pool, &stats), POOL_OK);
    return stats;
}

// Once nobody is in a call and no lease is out: what was made or adopted is closed, detached or
// idle, and nobody waits.
inline pool_conns_stats expect_balanced(pool_conns *pool) {
    eventually([&] { return stats_of(pool).dialing == 0; }); // those of the pool's threads
    pool_conns_stats s = stats_of(pool);
    EXPECT_EQ(s.dials - s.dial_fails + s.adopted,
              s.closed_broken + s.closed_invalid + s.closed_max_lifetime + s.closed_idle_timeout +
                  s.closed_max_idle + s.closed_pool + s.closed_cleared + s.closed_max_uses +
                  s.detached + s.idle + s.in_use);
    EXPECT_EQ(s.in_use, 0u);
    EXPECT_EQ(s.waiters, 0u);
    EXPECT_EQ(s.open, s.idle);
    return s;
}

} // namespace pool_test
