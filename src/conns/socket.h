// A socket as the built-in dialer hands it to a pool: its descriptor cast to a pointer, -1 for none.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace pool {

inline int socket_fd(const void *conn) {
    return static_cast<int>(reinterpret_cast<intptr_t>(conn));
}
inline void *socket_conn(int fd) {
    return reinterpret_cast<void *>(static_cast<intptr_t>(fd));
}

} // namespace pool
