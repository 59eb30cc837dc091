// Connecting to whichever of several addresses answers first: Happy Eyeballs, RFC 8305.
//
// SPDX-License-Identifier: Apache-2.0
//
// One attempt is begun after the other, the next one 250 ms after the last (the RFC's Connection
// Attempt Delay) or as soon as any has failed. None is given up for another: all race in one poll
// loop on the calling thread until the first is connected, and the others are closed.
//
// What the RFC has and this has not:
//   - getaddrinfo() asks for both families together and answers once, so there is no Resolution
//     Delay and no address that comes later. It also does the sorting by RFC 6724.
//   - Nobody keeps round-trip times, to sort by or to shorten the delay: a pool dials too rarely
//     for them to be fresh.
//   - No IPv6 address is made up from an IPv4 one on a network with NAT64: that needs DNS queries
//     of one's own.
//
// Fork. Invariant: whenever fork_mutex() is free, each open socket of a race is in that race's
// entry of a process-wide list or, having won, in *conn; in exactly one of the two. fork() holds
// that mutex, so the child finds its copy of every socket, and closes each once. The entries are on
// the heap: a thread's stack may be another thread's by the time our handler runs in the child, if
// an earlier handler has started one. An entry that the child inherits stays behind there.
#pragma once

#include <cstdint>
#include <netdb.h>

namespace pool {

// Let the two families take turns, beginning with the first one's (First Address Family Count 1);
// within a family the order stays. `list` is not empty and stays the head.
void take_turns(addrinfo *list);

// Try them in this order until `deadline`. 0, and the socket, non-blocking and close-on-exec, in
// *conn; or an errno, and in *failed_at whose it is (nullptr: nobody's), with *conn untouched. Of
// several failures it is the last of those that say most: what the peer or the network answered
// before silence, and that before what this host knows by itself.
int connect_first(const addrinfo *list, int64_t deadline, void **conn, const addrinfo **failed_at);

} // namespace pool
