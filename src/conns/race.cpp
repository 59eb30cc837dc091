// SPDX-License-Identifier: Apache-2.0
#include "conns/race.h"

#include "conns/socket.h"
#include "platform/clock.h"
#include "platform/fork.h"
#include "platform/memory.h"
#include "platform/status.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <mutex>
#include <new>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pool {
namespace {

constexpr int64_t kAttemptDelay = 250000000; // ns

// What the child of a fork must find. The n-th socket belongs to the n-th address; -1: it has
// failed. The array follows the struct.
struct Race : ListLink {
    explicit Race(size_t addresses) : most(addresses) {}

    pollfd *sockets() { return reinterpret_cast<pollfd *>(this + 1); }

    const size_t most;
    size_t begun = 0;
};

struct Races : ForkWatcher {
    List<Race> list; // guarded by fork_mutex(), entries included
};

void close_in_child(ForkWatcher *watcher) {
    List<Race> &list = static_cast<Races *>(watcher)->list;
    for (Race *race = list.front(); race != nullptr; race = list.next(race))
        for (size_t i = 0; i < race->begun; i++)
            if (race->sockets()[i].fd >= 0)
                close(race->sockets()[i].fd);
    new (&list) List<Race>;
}

// Never destroyed: pools may live longer than static destructors run.
Races &races() {
    alignas(Races) static unsigned char memory[sizeof(Races)];
    static Races *const instance = [] {
        auto *made = new (memory) Races;
        made->in_child = close_in_child;
        return made;
    }();
    return *instance;
}

size_t bytes_for(size_t addresses) {
    return sizeof(Race) + addresses * sizeof(pollfd);
}

Race *begin_race(size_t addresses) {
    if (watch_fork(&races()) != POOL_OK)
        return nullptr;
    void *memory = process_alloc(bytes_for(addresses), alignof(Race));
    if (memory == nullptr)
        return nullptr;
    Race *race = new (memory) Race(addresses);
    std::lock_guard<std::mutex> guard(fork_mutex());
    races().list.push_back(race);
    return race;
}

// The winner, if there is one, becomes *conn; all others are closed.
void end_race(Race *race, pollfd *winner, void **conn) {
    {
        std::lock_guard<std::mutex> guard(fork_mutex());
        List<Race>::remove(race);
        if (winner != nullptr) {
            *conn = socket_conn(winner->fd);
            winner->fd = -1;
        }
        for (size_t i = 0; i < race->begun; i++)
            if (race->sockets()[i].fd >= 0)
                close(race->sockets()[i].fd);
    }
    const size_t bytes = bytes_for(race->most);
    race->~Race();
    process_free(race, bytes, alignof(Race));
}

// 0 or an errno, and fd -1.
int open_next(Race *race, int family) {
    std::lock_guard<std::mutex> guard(fork_mutex());
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    race->sockets()[race->begun++] = {fd, POLLOUT, 0};
    return fd >= 0 ? 0 : errno;
}

void drop(pollfd *socket) {
    std::lock_guard<std::mutex> guard(fork_mutex());
    close(socket->fd);
    socket->fd = -1;
}

// With nobody listening on a port of this host from which connections start, an attempt may start
// from that very port and meet itself.
bool meets_itself(int fd) {
    sockaddr_storage here = {}, there = {};
    socklen_t here_length = sizeof here, there_length = sizeof there;
    return getsockname(fd, reinterpret_cast<sockaddr *>(&here), &here_length) == 0 &&
           getpeername(fd, reinterpret_cast<sockaddr *>(&there), &there_length) == 0 &&
           here_length == there_length && memcmp(&here, &there, here_length) == 0;
}

// Of a socket that is connected, or that poll() has reported: 0 or an errno.
int result_of(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        return errno;
    if (error == 0 && meets_itself(fd))
        return ECONNREFUSED;
    return error;
}

// 0: connected; EINPROGRESS: it is on its way; or another errno.
int start(int fd, const addrinfo &to) {
    if (connect(fd, to.ai_addr, to.ai_addrlen) == 0)
        return result_of(fd);
    return errno == EINTR ? EINPROGRESS : errno;
}

// How much a failure says about the peer. A host with only one family fails by itself for the
// addresses of the other.
int weight(int error) {
    switch (error) {
    case EAFNOSUPPORT:
    case EADDRNOTAVAIL:
    case ENETUNREACH:
        return 0;
    case ETIMEDOUT:
        return 1;
    default:
        return 2;
    }
}

struct Failure {
    int error = 0;
    const addrinfo *at = nullptr;

    void add(int its_error, const addrinfo *its_at) {
        if (error == 0 || weight(its_error) >= weight(error)) {
            error = its_error;
            at = its_at;
        }
    }
};

// For poll().
int milliseconds_until(int64_t moment, int64_t now) {
    if (moment == POOL_FOREVER)
        return -1;
    return static_cast<int>(std::min<int64_t>((moment - now) / 1000000 + 1, INT_MAX));
}

// The race as its thread sees it.
class Run {
public:
    Run(Race *race, const addrinfo *list) : race_(race), list_(list), next_(list) {}

    // When it returns there is a winner, or nothing is left to wait for.
    void until(int64_t deadline) {
        while (winner_ == nullptr && (next_ != nullptr || running_ > 0)) {
            const int64_t now = clock_now();
            if (deadline != POOL_FOREVER && now >= deadline) {
                time_out();
                return;
            }
            if (next_ != nullptr && now >= next_at_)
                start_next(now);
            else if (next_ != nullptr && (deadline == POOL_FOREVER || next_at_ < deadline))
                wait(next_at_, now);
            else
                wait(deadline, now);
        }
    }

    pollfd *winner() const { return winner_; }
    const Failure &failure() const { return failure_; }

private:
    void start_next(int64_t now) {
        const addrinfo *to = next_;
        next_ = to->ai_next;
        pollfd *socket = race_->sockets() + race_->begun;
        int error = open_next(race_, to->ai_family);
        if (error == 0) {
            error = start(socket->fd, *to);
            if (error == 0) {
                winner_ = socket;
                return;
            }
            if (error == EINPROGRESS) {
                running_++;
                next_at_ = now + kAttemptDelay;
                return;
            }
            drop(socket);
        }
        failure_.add(error, to);
    }

    void wait(int64_t moment, int64_t now) {
        int reported = poll(race_->sockets(), race_->begun, milliseconds_until(moment, now));
        if (reported < 0 && errno != EINTR) {
            failure_.add(errno, nullptr);
            next_ = nullptr;
            running_ = 0;
        }
        const addrinfo *to = list_;
        for (size_t i = 0; reported > 0 && winner_ == nullptr && i < race_->begun; i++) {
            pollfd *socket = race_->sockets() + i;
            if (socket->fd >= 0 && socket->revents != 0)
                take_result(socket, to, now);
            to = to->ai_next;
        }
    }

    void take_result(pollfd *socket, const addrinfo *to, int64_t now) {
        int error = result_of(socket->fd);
        if (error == 0) {
            winner_ = socket;
            return;
        }
        drop(socket);
        running_--;
        next_at_ = now;
        failure_.add(error, to);
    }

    void time_out() {
        failure_.add(ETIMEDOUT, nullptr);
        const addrinfo *to = list_;
        for (size_t i = 0; i < race_->begun; i++, to = to->ai_next)
            if (race_->sockets()[i].fd >= 0)
                failure_.add(ETIMEDOUT, to);
    }

    Race *const race_;
    const addrinfo *const list_;
    const addrinfo *next_; // of those in the list not yet begun
    int64_t next_at_ = INT64_MIN;
    size_t running_ = 0; // attempts that may still succeed
    pollfd *winner_ = nullptr;
    Failure failure_;
};

} // namespace

void take_turns(addrinfo *list) {
    for (addrinfo *last = list; last != nullptr; last = last->ai_next) {
        addrinfo **link = &last->ai_next;
        while (*link != nullptr && (*link)->ai_family == last->ai_family)
            link = &(*link)->ai_next;
        addrinfo *other = *link;
        if (other == nullptr)
            break;
        *link = other->ai_next;
        other->ai_next = last->ai_next;
        last->ai_next = other;
    }
}

int connect_first(const addrinfo *list, int64_t deadline, void **conn, const addrinfo **failed_at) {
    size_t addresses = 0;
    for (const addrinfo *to = list; to != nullptr; to = to->ai_next)
        addresses++;
    *failed_at = nullptr;
    Race *race = begin_race(addresses);
    if (race == nullptr)
        return ENOMEM;

    Run run(race, list);
    run.until(deadline);
    end_race(race, run.winner(), conn);
    if (run.winner() != nullptr)
        return 0;
    *failed_at = run.failure().at;
    return run.failure().error;
}

} // namespace pool
