// A connection pool set up as Go's http.DefaultTransport.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/conn_pool.h"

namespace pool_test {

inline pool_conns_options transport(Peer &peer) {
    pool_conns_options options = peer.options();
    options.max_idle = 100;                // MaxIdleConns
    options.max_idle_per_key = 2;          // MaxIdleConnsPerHost
    options.max_open_per_key = UINT32_MAX; // MaxConnsPerHost 0
    options.idle_timeout = 90 * kSecond;   // IdleConnTimeout
    options.connect_timeout = 30 * kSecond;
    options.flags = POOL_CONNS_DIALERS;
    return options;
}

} // namespace pool_test
