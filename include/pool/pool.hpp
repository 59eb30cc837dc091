// pool/pool.hpp - the C API for C++20: handles that end themselves, leases that go back by
// themselves, exceptions in place of statuses. Nothing here but calls of the C functions, whose
// headers say what they do.
//
// SPDX-License-Identifier: Apache-2.0
//
//     pool::objects<Session> sessions;                     // new Session, delete
//     auto session = sessions.get();                       // a std::unique_ptr that puts it back
//
//     pool::buffers buffers;
//     auto buffer = buffers.get(5000);                     // buffer.data(), buffer.capacity()
//     pool::buf text(buffers);
//     text.append("hello ").append(name);                  // text.view()
//
//     pool::conns upstreams;                               // TCP and Unix sockets
//     auto lease = upstreams.acquire("127.0.0.1:8080", 5s);
//     talk(lease.fd());                                    // goes back, or is closed if this throws
//
//     pool::workers crew;
//     crew.submit([] { work(); });
//     auto answer = crew.start([] { return 6 * 7; });      // answer.get()
//
// Every constructor takes the C options last. All classes are as thread-safe as what they wrap; a
// lease belongs to one thread at a time and must end before its pool does.
#ifndef POOL_POOL_HPP
#define POOL_POOL_HPP

#include "pool.h"

#include "hpp/buffers.hpp"
#include "hpp/conns.hpp"
#include "hpp/error.hpp"
#include "hpp/objects.hpp"
#include "hpp/worker_groups.hpp"
#include "hpp/worker_sets.hpp"
#include "hpp/workers.hpp"

#include <string>

namespace pool {

// Statistics of every pool in the process.
inline std::string stats_text(pool_stats_format format) {
    std::string text;
    check(pool_stats_write(
        format,
        [](const char *piece, size_t length, void *to) {
            static_cast<std::string *>(to)->append(piece, length);
        },
        &text));
    return text;
}

} // namespace pool

#endif
