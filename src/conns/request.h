// A request: an acquire without a thread that waits for it.
//
// SPDX-License-Identifier: Apache-2.0
//
// Its waiter stands in the line of its key until it ends: with a connection, or with a failure. It
// is guarded by the pool's lock. The owner's callback runs without it, so the request is freed by
// whoever comes last: the owner, or the thread that has told it.
#pragma once

#include "conns/line.h"
#include "pool/conn_requests.h"

namespace pool {

struct Request : ListLink {
    Request(Conns *its_pool, Key *its_key, int64_t deadline, int32_t priority, bool fresh,
            int64_t now)
        : pool(its_pool), key(its_key), waiter(deadline, priority, fresh, now) {
        waiter.request = this;
        taker[0] = '\0';
    }

    Conns *const pool;
    Key *key; // while it waits
    ConnWaiter waiter;
    char taker[kTakerBytes];
    bool ended = false;
    bool told = false;    // ended for good: it can be finished
    bool telling = false; // a thread is about to call on_done, or in it
    bool owned = true;    // its owner has not given it up
    pool_status status = POOL_OK;
    pool_conns_lease *lease = nullptr;
    int fd = -1;
    pool_conns_request_fn on_done = nullptr;
    void *ctx = nullptr;
    WaiterQueue<Waiter> watchers; // threads that wait for the end
    char text[160] = {};          // what pool_last_error() shall say
};

} // namespace pool
