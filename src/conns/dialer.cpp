// SPDX-License-Identifier: Apache-2.0
#include "conns/dialer.h"

#include "conns/address.h"
#include "conns/race.h"
#include "platform/clock.h"
#include "platform/fork.h"
#include "platform/status.h"
#include "sync/callback.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace pool {

int (*dialer_detail::resolve)(const char *, const char *, const addrinfo *,
                              addrinfo **) = getaddrinfo;

namespace {

// A peer that has vanished is noticed after two minutes without traffic. The first probe comes
// before the routers and balancers on the way, which often forget a silent connection after four
// minutes or less, have done so.
constexpr int kKeepIdle = 60;     // s
constexpr int kKeepInterval = 15; // s
constexpr int kKeepCount = 4;

// An address as it may stand in a message: on one line, and with room left for the reason.
struct AddressText {
    static constexpr size_t kMost = sizeof(sockaddr_un::sun_path) + 4; // any path in full

    explicit AddressText(const char *address) {
        snprintf(text, sizeof text, "%.*s%s", static_cast<int>(kMost), address,
                 strlen(address) > kMost ? "..." : "");
        for (char *byte = text; *byte != '\0'; byte++)
            if (*byte < ' ' || *byte > '~')
                *byte = '?';
    }
    char text[kMost + 4];
};

pool_status refuse(const char *address, const char *why) {
    return fail(POOL_EDIAL, "cannot connect to '%s': %s", AddressText(address).text, why);
}

pool_status refuse_errno(const char *address, int error) {
    char buffer[128];
    return refuse(address, strerror_r(error, buffer, sizeof buffer));
}

// With the one of a host's addresses at which it failed, unless that is what the user gave.
pool_status refuse_at(const char *address, const char *host, const addrinfo *at, int error) {
    char number[INET6_ADDRSTRLEN + IF_NAMESIZE];
    if (at == nullptr ||
        getnameinfo(at->ai_addr, at->ai_addrlen, number, sizeof number, nullptr, 0,
                    NI_NUMERICHOST) != 0 ||
        strcmp(number, host) == 0)
        return refuse_errno(address, error);
    char buffer[128];
    return fail(POOL_EDIAL, "cannot connect to '%s' at %s: %s", AddressText(address).text, number,
                strerror_r(error, buffer, sizeof buffer));
}

// Both under fork_mutex(): the child of a fork has no copy of a socket but those that it finds in
// *conn, and finds none there that is closed already and may be another's.
//
// 0, or an errno and -1 in *conn.
int open_unix(void **conn) {
    std::lock_guard<std::mutex> guard(fork_mutex());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *conn = socket_conn(fd);
    return fd >= 0 ? 0 : errno;
}

void drop(void **conn) {
    std::lock_guard<std::mutex> guard(fork_mutex());
    close(socket_fd(*conn));
    *conn = socket_conn(-1);
}

// 0 or an errno.
int make_ready(int fd) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &kKeepIdle, sizeof kKeepIdle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &kKeepInterval, sizeof kKeepInterval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &kKeepCount, sizeof kKeepCount);
    const int flags = fcntl(fd, F_GETFL);
    return flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0 ? errno : 0;
}

pool_status dial_tcp(const char *address, int64_t deadline, void **conn) {
    HostPort parts;
    if (const char *wrong = read_host_port(address, &parts))
        return refuse(address, wrong);
    // Without AI_ADDRCONFIG, which does not count loopback addresses: "::1" would be unknown to a
    // host that has only IPv4 beside it, and the other way round. An address of a family that the
    // host lacks costs a system call that fails.
    addrinfo hints = {};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo *list = nullptr;
    int failure = dialer_detail::resolve(parts.host, parts.port, &hints, &list);
    if (failure == EAI_SYSTEM)
        return refuse_errno(address, errno);
    if (failure != 0)
        return refuse(address, gai_strerror(failure));

    take_turns(list);
    const addrinfo *failed_at;
    int error = connect_first(list, deadline, conn, &failed_at);
    if (error == 0) {
        error = make_ready(socket_fd(*conn));
        if (error != 0)
            drop(conn);
    }
    pool_status status = error == 0 ? POOL_OK : refuse_at(address, parts.host, failed_at, error);
    freeaddrinfo(list);
    return status;
}

// A Unix socket whose listener has no room cannot be polled for, but the system waits for it as
// long as the send timeout says.
pool_status dial_unix(const char *address, int64_t deadline, void **conn) {
    sockaddr_un to;
    if (const char *wrong = read_unix_path(address, &to))
        return refuse(address, wrong);
    int error = open_unix(conn);
    if (error != 0)
        return refuse_errno(address, error);
    const int fd = socket_fd(*conn);
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
    CancellationOff off; // the calls below are where a thread may be cancelled
    *conn = socket_conn(-1);
    char address[kLongestAddress + 1];
    if (key_length > kLongestAddress)
        return fail(POOL_EDIAL, "an address of %zu bytes is too long", key_length);
    if (key_length != 0)
        memcpy(address, key, key_length);
    address[key_length] = '\0';
    if (strlen(address) != key_length)
        return refuse(address, "a NUL byte follows");
    if (is_unix_address(address))
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
