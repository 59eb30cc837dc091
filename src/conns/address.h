// Reading the keys of the built-in dialer: "host:port", "[v6]:port" or "unix:/path".
//
// SPDX-License-Identifier: Apache-2.0
//
// Only the form is judged here, and nobody is asked: what stands for the host may be a name or a
// number, and an IPv6 one may have a scope ("[fe80::1%eth0]:80").
#pragma once

#include <cstddef>
#include <sys/socket.h>
#include <sys/un.h>

namespace pool {

constexpr size_t kLongestHost = 255;
constexpr size_t kLongestAddress = kLongestHost + 16; // brackets, colon and port come to less

struct HostPort {
    char host[kLongestHost + 1]; // without brackets
    char port[6];                // "1" to "65535", without leading zeros
};

bool is_unix_address(const char *address);

// Both return nullptr, or what is wrong.
const char *read_host_port(const char *address, HostPort *out);
const char *read_unix_path(const char *address, sockaddr_un *out);

} // namespace pool
