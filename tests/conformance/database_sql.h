// A connection pool set up as Go's database/sql sets up its own.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/conn_pool.h"

namespace pool_test {

// sql.OpenDB(connector): no bound on open connections, two idle ones, no lifetimes.
inline pool_conns_options sql_db(Peer &peer) {
    pool_conns_options options = peer.options();
    options.max_open_per_key = UINT32_MAX;
    options.max_idle_per_key = 2;
    return options;
}

// The same after SetMaxOpenConns(open) and SetMaxIdleConns(idle).
inline pool_conns_options sql_db(Peer &peer, uint32_t open, uint32_t idle) {
    pool_conns_options options = sql_db(peer);
    options.max_open_per_key = open;
    options.max_idle_per_key = idle;
    return options;
}

} // namespace pool_test
