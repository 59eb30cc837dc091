// SPDX-License-Identifier: Apache-2.0
#include "conns/dialer.h"

#include "platform/clock.h"
#include "platform/status.h"
#include "sync/callback.h"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace pool {
namespace {

constexpr char kUnixPrefix[] = "unix:";
constexpr size_t kUnixPrefixLength = sizeof kUnixPrefix - 1;
constexpr size_t kLongestHost = 255;
constexpr int64_t kLeastShare = 2000000000; // ns for one of several addresses, if there are as many

struct HostPort {
    char host[kLongestHost + 1];
    char port[6];
};

pool_status refuse(const char *address, const char *why) {
    return fail(POOL_EDIAL, "cannot connect to '%s': %s", address, why);
}

pool_status refuse_errno(const char *address, int error) {
    char buffer[128];
    return refuse(address, strerror_r(error, buffer, sizeof buffer));
}

void drop(void **conn) {
    int fd = socket_fd(*conn);
    *conn = socket_conn(-1);
    close(fd);
}

// ---- addresses ------------------------------------------------------------------------------

// nullptr, or what is wrong.
const char *parse(const char *address, HostPort *out) {
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

    const char *digits = colon + 1;
    unsigned value = 0;
    size_t count = 0;
    for (; digits[count] >= '0' && digits[count] <= '9' && count < 5; count++)
        value = value * 10 + static_cast<unsigned>(digits[count] - '0');
    if (count == 0 || digits[count] != '\0' || value == 0 || value > 65535)
        return "the port is not a number from 1 to 65535";
    snprintf(out->port, sizeof out->port, "%u", value);
    return nullptr;
}

// ---- connecting -----------------------------------------------------------------------------

// 0, or ETIMEDOUT, or another errno.
int wait_connected(int fd, int64_t deadline) {
    for (;;) {
        int wait_ms = -1;
        if (deadline != POOL_FOREVER) {
            int64_t left = deadline - clock_now();
            if (left <= 0)
                return ETIMEDOUT;
            int64_t ms = (left + 999999) / 1000000;
            wait_ms = ms < INT_MAX ? static_cast<int>(ms) : INT_MAX;
        }
        pollfd poller = {fd, POLLOUT, 0};
        int ready = poll(&poller, 1, wait_ms);
        if (ready > 0)
            break;
        if (ready < 0 && errno != EINTR)
            return errno;
    }
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        return errno;
    return error;
}

// One address: 0 and the socket in *conn, or an errno.
int connect_tcp(const addrinfo &to, int64_t deadline, void **conn) {
    int fd = socket(to.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *conn = socket_conn(fd);
    if (fd < 0)
        return errno;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    int error = connect(fd, to.ai_addr, to.ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS || error == EINTR)
        error = wait_connected(fd, deadline);
    if (error == 0) {
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0)
            error = errno;
    }
    if (error != 0)
        drop(conn);
    return error;
}

int64_t share_of(int64_t deadline, int64_t addresses) {
    if (deadline == POOL_FOREVER || addresses == 1)
        return deadline;
    int64_t now = clock_now();
    int64_t share = (deadline - now) / addresses;
    if (share < kLeastShare)
        share = kLeastShare;
    return deadline - now < share ? deadline : now + share;
}

pool_status dial_tcp(const char *address, int64_t deadline, void **conn) {
    HostPort parts;
    if (const char *wrong = parse(address, &parts))
        return refuse(address, wrong);
    addrinfo hints = {};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo *list = nullptr;
    int failure = getaddrinfo(parts.host, parts.port, &hints, &list);
    if (failure == EAI_SYSTEM)
        return refuse_errno(address, errno);
    if (failure != 0)
        return refuse(address, gai_strerror(failure));

    int64_t count = 0;
    for (const addrinfo *to = list; to != nullptr; to = to->ai_next)
        count++;
    int error = ETIMEDOUT;
    for (const addrinfo *to = list; to != nullptr; to = to->ai_next, count--) {
        if (deadline != POOL_FOREVER && clock_now() >= deadline)
            break;
        error = connect_tcp(*to, share_of(deadline, count), conn);
        if (error == 0)
            break;
    }
    freeaddrinfo(list);
    return error == 0 ? POOL_OK : refuse_errno(address, error);
}

// A Unix socket whose listener has no room cannot be polled for, but the system waits for it as
// long as the send timeout says.
pool_status dial_unix(const char *address, int64_t deadline, void **conn) {
    sockaddr_un to = {};
    to.sun_family = AF_UNIX;
    const char *path = address + kUnixPrefixLength;
    size_t length = strlen(path);
    if (length == 0)
        return refuse(address, "the path is empty");
    if (length >= sizeof to.sun_path)
        return refuse(address, "the path is too long");
    memcpy(to.sun_path, path, length);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *conn = socket_conn(fd);
    if (fd < 0)
        return refuse_errno(address, errno);
    int error;
    do {
        timeval limit = {0, 0}; // none
        if (deadline != POOL_FOREVER) {
            int64_t left = deadline - clock_now();
            error = ETIMEDOUT;
            if (left <= 0)
                break;
            limit.tv_sec = static_cast<time_t>(left / 1000000000);
            limit.tv_usec = static_cast<suseconds_t>(left % 1000000000 / 1000 + 1);
            if (limit.tv_usec == 1000000)
                limit = {limit.tv_sec + 1, 0};
        }
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        error = connect(fd, reinterpret_cast<const sockaddr *>(&to), sizeof to) == 0 ? 0 : errno;
    } while (error == EINTR);
    if (error == EAGAIN)
        error = ETIMEDOUT;
    const timeval none = {0, 0};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
    if (error == 0)
        return POOL_OK;
    drop(conn);
    return refuse_errno(address, error);
}

} // namespace

pool_status dial_socket(const void *key, size_t key_length, int64_t deadline, void **conn, void *) {
    constexpr size_t kLongest = kLongestHost + 16;
    CancellationOff off; // the calls below are where a thread may be cancelled
    *conn = socket_conn(-1);
    char address[kLongest + 1];
    if (key_length > kLongest)
        return fail(POOL_EDIAL, "an address of %zu bytes is too long", key_length);
    if (key_length != 0)
        memcpy(address, key, key_length);
    address[key_length] = '\0';
    if (strlen(address) != key_length)
        return refuse(address, "a NUL byte follows");
    if (strncmp(address, kUnixPrefix, kUnixPrefixLength) == 0)
        return dial_unix(address, deadline, conn);
    return dial_tcp(address, deadline, conn);
}

void close_socket(void *conn, pool_conns_reason, void *) {
    close(socket_fd(conn));
}

int32_t socket_is_alive(void *conn, int64_t, void *) {
    char byte;
    ssize_t got;
    do {
        got = recv(socket_fd(conn), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

} // namespace pool
