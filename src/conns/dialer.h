// The built-in dialer: TCP and Unix stream sockets.
//
// SPDX-License-Identifier: Apache-2.0
//
// Its functions have the signatures of the callbacks in pool/conns.h, and a pool uses them as if a
// user had given them. A connection is the file descriptor cast to a pointer. It needs no ctx.
#pragma once

#include "pool/conns.h"

#include <cstddef>
#include <cstdint>

namespace pool {

// `key` is "host:port", "[v6]:port" or "unix:/path". The addresses of a host are tried in the order
// in which the resolver gives them, each for its share of the time that is left. The resolver
// itself cannot be given a time limit. Failures are POOL_EDIAL with a message.
//
// *conn is the socket from the moment there is one, and -1 whenever there is none: after a fork the
// child closes its copy even if another thread is in the middle of this.
pool_status dial_socket(const void *key, size_t key_length, int64_t deadline, void **conn,
                        void *ctx);

void close_socket(void *conn, pool_conns_reason reason, void *ctx);

// Nothing to read, no end of stream and no error: for a protocol in which only requests are
// answered, this is how a good idle connection looks.
int32_t socket_is_alive(void *conn, int64_t idle_time, void *ctx);

inline int socket_fd(const void *conn) {
    return static_cast<int>(reinterpret_cast<intptr_t>(conn));
}
inline void *socket_conn(int fd) {
    return reinterpret_cast<void *>(static_cast<intptr_t>(fd));
}

} // namespace pool
