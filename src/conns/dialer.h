// The built-in dialer: TCP and Unix stream sockets.
//
// SPDX-License-Identifier: Apache-2.0
//
// Its functions have the signatures of the callbacks in pool/conns.h, and a pool uses them as if a
// user had given them. A connection is the file descriptor cast to a pointer. It needs no ctx.
#pragma once

#include "conns/socket.h"
#include "pool/conns.h"

#include <cstddef>
#include <cstdint>

struct addrinfo;

namespace pool {

// `key` is as in address.h. A host is looked up anew for each dial, and nothing of it is kept; its
// addresses race as in race.h. `deadline` ends everything but the look-up, which cannot be given a
// limit. Failures are POOL_EDIAL with a message.
//
// *conn is the socket from the moment there is one that may survive, and -1 whenever there is none:
// after a fork the child closes its copy even if another thread is in the middle of this. Sockets
// that still race are in a list of their own, to the same end.
pool_status dial_socket(const void *key, size_t key_length, int64_t deadline, void **conn,
                        void *ctx);

void close_socket(void *conn, pool_conns_reason reason, void *ctx);

// Nothing to read, no end of stream and no error: for a protocol in which only requests are
// answered, this is how a good idle connection looks. Under TLS it is not: there the peer may send
// records, session tickets say, whenever it likes.
int32_t socket_is_alive(void *conn, int64_t idle_time, void *ctx);

namespace dialer_detail {
// What looks hosts up: getaddrinfo(). Tests replace it, while nobody dials, by a function whose
// lists are getaddrinfo()'s too.
extern int (*resolve)(const char *host, const char *port, const addrinfo *hints, addrinfo **list);
} // namespace dialer_detail

} // namespace pool
