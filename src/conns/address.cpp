// SPDX-License-Identifier: Apache-2.0
#include "conns/address.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace pool {
namespace {

constexpr char kUnixPrefix[] = "unix:";
constexpr size_t kUnixPrefixLength = sizeof kUnixPrefix - 1;

// 0: it is not one.
uint16_t read_port(const char *digits) {
    unsigned value = 0;
    size_t count = 0;
    for (; digits[count] >= '0' && digits[count] <= '9' && count < 5; count++)
        value = value * 10 + static_cast<unsigned>(digits[count] - '0');
    return digits[count] == '\0' && value <= 65535 ? static_cast<uint16_t>(value) : 0;
}

} // namespace

bool is_unix_address(const char *address) {
    return strncmp(address, kUnixPrefix, kUnixPrefixLength) == 0;
}

const char *read_host_port(const char *address, HostPort *out) {
    const char *colon = strrchr(address, ':');
    if (colon == nullptr)
        return "the address has no port";
    const char *host = address;
    size_t length = static_cast<size_t>(colon - address);
    if (*host == '[') {
        if (length < 2 || host[length - 1] != ']')
            return "'[' without ']'";
        host++;
        length -= 2;
    } else if (memchr(host, ':', length) != nullptr) {
        return "an IPv6 address needs brackets";
    }
    if (length == 0)
        return "the address has no host";
    if (length > kLongestHost)
        return "the host name is too long";
    memcpy(out->host, host, length);
    out->host[length] = '\0';

    const uint16_t port = read_port(colon + 1);
    if (port == 0)
        return "the port is not a number from 1 to 65535";
    snprintf(out->port, sizeof out->port, "%" PRIu16, port);
    return nullptr;
}

const char *read_unix_path(const char *address, sockaddr_un *out) {
    const char *path = address + kUnixPrefixLength;
    const size_t length = strlen(path);
    if (length == 0)
        return "the path is empty";
    if (length >= sizeof out->sun_path)
        return "the path is too long";
    *out = {};
    out->sun_family = AF_UNIX;
    memcpy(out->sun_path, path, length);
    return nullptr;
}

} // namespace pool
