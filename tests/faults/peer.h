// A server on this machine that can be told to misbehave.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sync/gate.h"

#include <arpa/inet.h>
#include <cerrno>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <set>
#include <string>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace pool_test {

// Sends back what it gets, or, given a port of 127.0.0.1, passes everything on to there and back.
// All of it is done by one thread, from the constructor to the destructor. The other functions are
// for the test's thread; what they say is done when they return.
class Peer {
public:
    struct Where {
        const char *host = "127.0.0.1";
        uint16_t port = 0;     // 0: one that the system chooses
        uint16_t upstream = 0; // 0: echo
    };

    Peer() : Peer(Where{}) {}
    explicit Peer(const Where &where) : upstream_(where.upstream) {
        listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const int on = 1;
        setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        address_ = address_of(where.host, where.port);
        EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr *>(&address_), sizeof address_), 0);
        EXPECT_EQ(listen(listener_, kBacklog), 0);
        socklen_t length = sizeof address_;
        getsockname(listener_, reinterpret_cast<sockaddr *>(&address_), &length);
        key_ = std::string(where.host) + ":" + std::to_string(port());
        wake_ = eventfd(0, EFD_CLOEXEC);
        thread_ = std::thread([this] { run(); });
    }
    ~Peer() {
        change([this] { over_ = true; });
        thread_.join();
        for (auto &[fd, other] : routes_)
            close(fd);
        for (int fd : crowd_)
            close(fd);
        if (listener_ >= 0)
            close(listener_);
        close(wake_);
    }
    Peer(const Peer &) = delete;
    Peer &operator=(const Peer &) = delete;

    const std::string &key() const { return key_; }
    uint16_t port() const { return ntohs(address_.sin_port); }

    int accepted() {
        std::lock_guard<std::mutex> guard(mutex_);
        return accepted_;
    }
    // Connections of clients, now.
    size_t open() {
        std::lock_guard<std::mutex> guard(mutex_);
        return clients_;
    }

    // Half open: what comes is not read, and no end is passed on.
    void stop_forwarding() {
        change([this] { forwards_ = false; });
    }
    void go_on_forwarding() {
        change([this] { forwards_ = true; });
    }

    // The system accepts on behalf of a listener as long as its queue has room. From now on it has
    // none, so whoever connects hears nothing.
    void stop_accepting() {
        change([this] {
            accepts_ = false;
            listen(listener_, 0);
        });
        for (int i = 0; i < 8; i++) {
            crowd_.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            connect(crowd_.back(), reinterpret_cast<sockaddr *>(&address_), sizeof address_);
        }
    }
    void go_on_accepting() {
        for (int fd : crowd_)
            close(fd);
        crowd_.clear();
        change([this] {
            listen(listener_, kBacklog);
            accepts_ = true;
        });
    }
    // Nobody listens any more; connections stay.
    void stop_listening() {
        change([this] {
            close(listener_);
            listener_ = -1;
        });
    }

    // Cut every connection with a reset.
    void reset_all() {
        change([this] {
            while (!routes_.empty())
                drop(routes_.begin()->first, true);
        });
    }
    // Those that exist now are cut with a reset when the next byte comes.
    void reset_at_the_next_byte() {
        change([this] {
            for (auto &[fd, other] : routes_)
                doomed_.insert(fd);
        });
    }

private:
    static constexpr int kBacklog = 64;

    static sockaddr_in address_of(const char *host, uint16_t port) {
        sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        inet_pton(AF_INET, host, &address.sin_addr);
        return address;
    }

    template <class Change>
    void change(Change change) {
        {
            std::lock_guard<std::mutex> guard(mutex_);
            change();
        }
        const uint64_t one = 1;
        EXPECT_EQ(write(wake_, &one, sizeof one), static_cast<ssize_t>(sizeof one));
    }

    void run() {
        std::vector<pollfd> polled;
        for (;;) {
            polled.assign(1, {wake_, POLLIN, 0});
            {
                std::lock_guard<std::mutex> guard(mutex_);
                if (over_)
                    return;
                if (accepts_ && listener_ >= 0)
                    polled.push_back({listener_, POLLIN, 0});
                if (forwards_)
                    for (auto &[fd, other] : routes_)
                        polled.push_back({fd, POLLIN, 0});
            }
            poll(polled.data(), polled.size(), -1);
            std::lock_guard<std::mutex> guard(mutex_);
            for (const pollfd &each : polled) {
                if (each.revents == 0)
                    continue;
                if (each.fd == wake_) {
                    uint64_t count;
                    EXPECT_EQ(read(wake_, &count, sizeof count),
                              static_cast<ssize_t>(sizeof count));
                } else if (each.fd == listener_) {
                    if (accepts_)
                        take();
                } else if (forwards_ && routes_.contains(each.fd)) {
                    pass_on(each.fd);
                }
            }
        }
    }

    void take() {
        int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0)
            return; // it has gone again
        int other = client;
        if (upstream_ != 0) {
            other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            sockaddr_in to = address_of("127.0.0.1", upstream_);
            if (connect(other, reinterpret_cast<sockaddr *>(&to), sizeof to) != 0) {
                close(other);
                close(client);
                return;
            }
            routes_[other] = client;
        }
        routes_[client] = other;
        accepted_++;
        clients_++;
    }

    void pass_on(int fd) {
        char data[4096];
        ssize_t got = recv(fd, data, sizeof data, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got > 0 && !doomed_.contains(fd) &&
            send(routes_[fd], data, static_cast<size_t>(got), MSG_NOSIGNAL) == got)
            return;
        drop(fd, doomed_.contains(fd));
    }

    // A connection and, if there is one, its continuation.
    void drop(int fd, bool reset) {
        int other = routes_[fd];
        for (int each : {fd, other}) {
            if (routes_.erase(each) == 0)
                continue;
            doomed_.erase(each);
            if (reset) {
                const linger at_once = {1, 0};
                setsockopt(each, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            }
            close(each);
        }
        clients_--;
    }

    const uint16_t upstream_;
    int listener_, wake_;
    sockaddr_in address_;
    std::string key_;
    std::vector<int> crowd_; // of the test's thread

    std::mutex mutex_; // guards the rest
    bool over_ = false, accepts_ = true, forwards_ = true;
    std::map<int, int> routes_; // from where to where bytes go
    std::set<int> doomed_;      // to be cut at the next byte
    int accepted_ = 0;
    size_t clients_ = 0;
    std::thread thread_;
};

// Wait until this side has heard of a reset or an end; it takes its time, on the same machine too.
inline void await_end(int fd) {
    pollfd end = {fd, POLLIN, 0};
    EXPECT_EQ(poll(&end, 1, -1), 1);
}

// One byte there and one back; false if the connection broke.
inline bool exchange(int fd, char byte = '?') {
    char got = 0;
    return send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && recv(fd, &got, 1, 0) == 1 && got == byte;
}

} // namespace pool_test
