// A listening socket on this machine.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <cstring>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace pool_test {

class Listener {
public:
    // "127.0.0.1", "::1" or a path; the port is chosen by the system.
    explicit Listener(const std::string &where, int backlog = 64) {
        sockaddr_storage address = {};
        socklen_t length;
        if (where[0] == '/') {
            sockaddr_un *to = reinterpret_cast<sockaddr_un *>(&address);
            to->sun_family = AF_UNIX;
            strncpy(to->sun_path, where.c_str(), sizeof to->sun_path - 1);
            length = sizeof *to;
            path_ = where;
            unlink(where.c_str());
        } else if (where.find(':') != std::string::npos) {
            sockaddr_in6 *to = reinterpret_cast<sockaddr_in6 *>(&address);
            to->sin6_family = AF_INET6;
            inet_pton(AF_INET6, where.c_str(), &to->sin6_addr);
            length = sizeof *to;
        } else {
            sockaddr_in *to = reinterpret_cast<sockaddr_in *>(&address);
            to->sin_family = AF_INET;
            inet_pton(AF_INET, where.c_str(), &to->sin_addr);
            length = sizeof *to;
        }
        fd_ = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        works_ = bind(fd_, reinterpret_cast<sockaddr *>(&address), length) == 0 &&
                 listen(fd_, backlog) == 0;
        getsockname(fd_, reinterpret_cast<sockaddr *>(&address), &length);
        if (address.ss_family == AF_INET)
            key_ = where + ":" +
                   std::to_string(ntohs(reinterpret_cast<sockaddr_in *>(&address)->sin_port));
        else if (address.ss_family == AF_INET6)
            key_ = "[" + where + "]:" +
                   std::to_string(ntohs(reinterpret_cast<sockaddr_in6 *>(&address)->sin6_port));
        else
            key_ = "unix:" + where;
    }
    ~Listener() {
        close(fd_);
        if (!path_.empty())
            unlink(path_.c_str());
    }
    Listener(const Listener &) = delete;
    Listener &operator=(const Listener &) = delete;

    bool works() const { return works_; }
    const std::string &key() const { return key_; }
    int accept() {
        int fd = ::accept(fd_, nullptr, nullptr);
        EXPECT_GE(fd, 0);
        return fd;
    }

private:
    int fd_ = -1;
    bool works_ = false;
    std::string path_;
    std::string key_;
};

inline std::string socket_path(const char *name) {
    return "/tmp/libpool-test-" + std::to_string(getpid()) + "-" + name;
}

} // namespace pool_test
