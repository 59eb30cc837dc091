// Sockets on this machine to connect to, and what the dialer connects with.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "conns/dialer.h"

#include <arpa/inet.h>
#include <cstring>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <set>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace pool_test {

// A socket at "127.0.0.1", "::1" or a path that does not listen, and so refuses. The system chooses
// the port, which is taken as long as this lives.
class BoundSocket {
public:
    explicit BoundSocket(const std::string &where) {
        length_ = sizeof address_;
        if (where[0] == '/') {
            sockaddr_un *to = reinterpret_cast<sockaddr_un *>(&address_);
            to->sun_family = AF_UNIX;
            strncpy(to->sun_path, where.c_str(), sizeof to->sun_path - 1);
            length_ = sizeof *to;
            path_ = where;
            unlink(where.c_str());
        } else if (where.find(':') != std::string::npos) {
            sockaddr_in6 *to = reinterpret_cast<sockaddr_in6 *>(&address_);
            to->sin6_family = AF_INET6;
            inet_pton(AF_INET6, where.c_str(), &to->sin6_addr);
            length_ = sizeof *to;
        } else {
            sockaddr_in *to = reinterpret_cast<sockaddr_in *>(&address_);
            to->sin_family = AF_INET;
            inet_pton(AF_INET, where.c_str(), &to->sin_addr);
            length_ = sizeof *to;
        }
        fd_ = socket(address_.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        works_ = bind(fd_, reinterpret_cast<sockaddr *>(&address_), length_) == 0;
        socklen_t length = length_;
        getsockname(fd_, reinterpret_cast<sockaddr *>(&address_), &length);
        if (address_.ss_family == AF_INET)
            key_ = where + ":" + std::to_string(port());
        else if (address_.ss_family == AF_INET6)
            key_ = "[" + where + "]:" + std::to_string(port());
        else
            key_ = "unix:" + where;
    }
    ~BoundSocket() {
        close(fd_);
        if (!path_.empty())
            unlink(path_.c_str());
    }
    BoundSocket(const BoundSocket &) = delete;
    BoundSocket &operator=(const BoundSocket &) = delete;

    bool works() const { return works_; }
    const std::string &key() const { return key_; }
    // The same for IPv4 and IPv6.
    uint16_t port() const {
        return ntohs(reinterpret_cast<const sockaddr_in *>(&address_)->sin_port);
    }

protected:
    sockaddr_storage address_ = {};
    socklen_t length_;
    int fd_ = -1;
    bool works_ = false;

private:
    std::string path_;
    std::string key_;
};

class Listener : public BoundSocket {
public:
    explicit Listener(const std::string &where, int backlog = 64) : BoundSocket(where) {
        works_ = works_ && listen(fd_, backlog) == 0;
    }

    int accept() {
        int fd = ::accept(fd_, nullptr, nullptr);
        EXPECT_GE(fd, 0);
        return fd;
    }
};

// A listener whose queue is full answers nobody.
class SilentListener : public Listener {
public:
    explicit SilentListener(const std::string &where) : Listener(where, 0) {
        for (int &fd : fds_) {
            fd = socket(address_.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
            static_cast<void>(connect(fd, reinterpret_cast<sockaddr *>(&address_), length_));
        }
        pollfd full = {fd_, POLLIN, 0};
        EXPECT_TRUE(!works_ || poll(&full, 1, -1) == 1);
    }
    ~SilentListener() {
        for (int fd : fds_)
            close(fd);
    }
    // From now on there is room; whoever waits is answered when it asks again.
    void make_room() { EXPECT_EQ(listen(fd_, 64), 0); }

private:
    int fds_[8];
};

inline std::string socket_path(const char *name) {
    return "/tmp/libpool-test-" + std::to_string(getpid()) + "-" + name;
}

// The sockets that this process has open.
inline std::set<int> open_sockets() {
    std::set<int> found;
    for (int fd = 0; fd < 1024; fd++) {
        // A call of which ThreadSanitizer does not believe that it uses what another thread makes.
        int type;
        socklen_t length = sizeof type;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0)
            found.insert(fd);
    }
    return found;
}

inline uint16_t peer_port(int fd) {
    sockaddr_storage peer = {};
    socklen_t length = sizeof peer;
    EXPECT_EQ(getpeername(fd, reinterpret_cast<sockaddr *>(&peer), &length), 0);
    return ntohs(reinterpret_cast<sockaddr_in *>(&peer)->sin_port);
}

// Addresses as getaddrinfo() lists them, from keys "number:port".
inline addrinfo *list_of(const std::vector<std::string> &keys) {
    addrinfo *list = nullptr, **end = &list;
    for (const std::string &key : keys) {
        size_t colon = key.rfind(':');
        std::string host = key.substr(0, colon);
        if (host[0] == '[')
            host = host.substr(1, host.size() - 2);
        addrinfo hints = {};
        hints.ai_socktype = SOCK_STREAM;
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
        EXPECT_EQ(getaddrinfo(host.c_str(), key.c_str() + colon + 1, &hints, end), 0) << key;
        end = &(*end)->ai_next;
    }
    return list;
}

// While it lives, every host that is looked up has these addresses, ports included. One at a time,
// and one dial at a time.
class EveryHost {
public:
    explicit EveryHost(std::vector<std::string> keys) {
        has(std::move(keys));
        lookups = 0;
        pool::dialer_detail::resolve = resolve;
    }
    ~EveryHost() { pool::dialer_detail::resolve = getaddrinfo; }
    EveryHost(const EveryHost &) = delete;
    EveryHost &operator=(const EveryHost &) = delete;

    void has(std::vector<std::string> keys) { keys_ = std::move(keys); }

    inline static int lookups = 0;
    inline static addrinfo last_hints = {};

private:
    static int resolve(const char *, const char *, const addrinfo *hints, addrinfo **list) {
        lookups++;
        last_hints = *hints;
        *list = list_of(keys_);
        return 0;
    }
    inline static std::vector<std::string> keys_;
};

} // namespace pool_test
