// Requests: acquiring without a thread that waits.
//
// SPDX-License-Identifier: Apache-2.0
//
// A request exists from start to finish or destroy, and keeps the pool for as long. It ends once,
// under the lock; its owner is told without it, by the thread that lets the lock go next. Until
// that is done the request is not freed, whatever its owner does.
#include "conns/conns.h"

#include "platform/clock.h"
#include "platform/last_error_kept.h"
#include "platform/status.h"
#include "sync/callback.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/eventfd.h>
#include <unistd.h>

namespace pool {
namespace {

void signal_fd(int fd) {
    if (fd < 0)
        return;
    const uint64_t one = 1;
    ssize_t written;
    do {
        written = write(fd, &one, sizeof one);
    } while (written < 0 && errno == EINTR);
}

} // namespace

void Turn::unlock() {
    const uint32_t threads = threads_;
    threads_ = 0;
    List<Request> ended;
    while (Request *request = ended_.pop_front())
        ended.push_back(request);
    Section::unlock();
    for (uint32_t i = 0; i < threads; i++)
        pool_->crew_.start_counted();
    while (Request *request = ended.pop_front())
        pool_->tell_ended(request);
}

pool_status Conns::start_request(const Wanted &wanted, pool_conns_request_fn on_done, void *ctx,
                                 Request **out) {
    // What is idle is tried first, as a call of acquire that does not wait. The request itself is
    // made only after that, so that nothing but memory can fail it then.
    pool_conns_lease *lease = nullptr;
    Wanted at_once = wanted;
    at_once.timeout = 0;
    pool_status status = acquire(at_once, &lease);
    if (status != POOL_OK && status != POOL_EAGAIN && status != POOL_EBAD)
        return status;
    const int64_t now = clock_now();
    Request *request = memory_.make<Request>(this, nullptr, deadline_after(wanted.timeout),
                                             wanted.priority, wanted.fresh, now);
    if (request == nullptr) {
        if (lease != nullptr)
            release(lease);
        return fail(POOL_ENOMEM, "pool '%s': no memory for a request", name_);
    }
    request->on_done = on_done;
    request->ctx = ctx;
    if (wanted.taker != nullptr)
        snprintf(request->taker, sizeof request->taker, "%s", wanted.taker);

    Surplus surplus(memory_);
    Turn turn(mutex_, this);
    requests_++;
    if (status != POOL_EAGAIN || wanted.timeout == 0) {
        // Not POOL_EAGAIN, which says that a request has not ended.
        if (status == POOL_EAGAIN)
            status = POOL_ETIMEDOUT;
        request->lease = lease;
        end_request(turn, request, status, nullptr);
        turn.unlock();
        *out = request;
        return POOL_OK;
    }
    Key *key = nullptr;
    if (closed_)
        status = fail(POOL_ECLOSED, "pool '%s' is closed", name_);
    else if (now_.max_waiters != 0 && waiters_ >= now_.max_waiters)
        status = too_many_wait();
    else
        status = crew_.call(turn);
    if (status == POOL_OK && (key = find(wanted)) == nullptr)
        status = find_key(turn, wanted, &surplus, &key);
    if (status == POOL_OK && closed_)
        status = fail(POOL_ECLOSED, "pool '%s' is closed", name_);
    if (status == POOL_OK && (options_.flags & POOL_CONNS_FAIL_FAST) != 0 &&
        clock_now() < key->not_before) {
        counters_.backed_off++;
        status = failed_before(key);
    }
    if (status != POOL_OK) {
        if (key != nullptr)
            forget_if_unused(key);
        requests_--;
        turn.unlock();
        memory_.destroy(request);
        return status;
    }
    request->key = key;
    enter_line(key, &request->waiter);
    counters_.waits++;
    *out = request; // it may end, and be told so, as soon as the lock is let go
    serve(turn, key);
    crew_.poke(turn);
    return POOL_OK;
}

// ---- ends -----------------------------------------------------------------------------------

// It stands in line no more. The connection, if any, has been taken for it.
void Conns::end_request(Turn &turn, Request *request, pool_status status, Conn *conn) {
    request->ended = true;
    request->status = status;
    request->key = nullptr;
    request->waiter.conn = conn;
    if (status != POOL_OK)
        snprintf(request->text, sizeof request->text, "%s", last_error_text());
    request->telling = true;
    if (conn == nullptr)
        show_end(turn, request);
    turn.end(request);
}

// From now on it can be finished.
void Conns::show_end(Turn &turn, Request *request) {
    request->told = true;
    while (Waiter *watcher = request->watchers.first())
        request->watchers.finish(turn, watcher, Outcome::kServed);
}

// Another thread has taken it out of its line.
void Conns::end_served(Turn &turn, Request *request) {
    if (request->waiter.outcome == Outcome::kServed) {
        if (Conn *conn = request->waiter.conn) {
            conn->state = ConnState::kOut;
            end_request(turn, request, POOL_OK, conn);
        }
        return;
    }
    // Whoever ends it has not failed.
    LastErrorKept kept;
    pool_status status = request->waiter.failure;
    if (status == POOL_OK)
        status = fail(POOL_ECLOSED, "pool '%s' was closed while the request waited", name_);
    else
        failed_before(request->key);
    end_request(turn, request, status, nullptr);
}

// Without the lock. A connection becomes a lease here, since that may call a hook: one that is not
// good enough is closed, and the request goes back into its line, before all others of its
// priority.
void Conns::tell_ended(Request *request) {
    if (Conn *conn = request->waiter.conn) {
        Key *key = conn->key;
        pool_conns_reason reason = examine(conn, request->waiter.deadline, false);
        if (request->taker[0] != '\0')
            make_room_for_taker(conn);
        Turn turn(mutex_, this);
        if (reason == 0)
            reason = unwanted(conn);
        request->waiter.conn = nullptr;
        if (reason != 0 || request->told) {
            ConnList doomed;
            const bool new_one = conn->uses.load(std::memory_order_relaxed) == 0;
            const bool hopeless = new_one && reason == kRefused;
            if (reason != 0)
                doom(conn, reason, &doomed);
            else // cancelled meanwhile
                keep(turn, conn, clock_now(), &doomed);
            if (!closed_ && !hopeless && request->owned && !request->told) {
                request->ended = request->telling = false;
                request->waiter.outcome = Outcome::kWaiting;
                request->key = key;
                enter_line(key, &request->waiter, true);
                retire(turn, &doomed);
                return;
            }
            retire(turn, &doomed);
            if (!request->told) {
                LastErrorKept kept;
                request->status =
                    hopeless ? refused_new() : fail(POOL_ECLOSED, "pool '%s' is closed", name_);
                snprintf(request->text, sizeof request->text, "%s", last_error_text());
            }
        } else {
            if (conn->uses.load(std::memory_order_relaxed) == 0)
                fresh_lends_++;
            counters_.empty_acquires++;
            counters_.empty_time += static_cast<uint64_t>(clock_now() - request->waiter.since);
            request->lease = lend(conn, clock_now_coarse());
            if (request->taker[0] != '\0')
                name_taker(conn, request->taker);
            show_end(turn, request);
        }
    }
    pool_conns_request_fn on_done = nullptr;
    {
        Turn turn(mutex_, this);
        show_end(turn, request);
        signal_fd(request->fd);
        if (request->owned)
            on_done = request->on_done;
    }
    if (on_done != nullptr)
        call_contained("on_done of a request", [&] {
            on_done(reinterpret_cast<pool_conns_request *>(request), request->ctx);
        });
    Turn turn(mutex_, this);
    request->telling = false;
    if (!request->owned)
        drop_request(turn, request);
}

// The lock is let go, and with it, maybe, the pool.
void Conns::drop_request(Turn &turn, Request *request) {
    const int fd = request->fd;
    pool_conns_lease *lease = request->lease;
    turn.unlock();
    memory_.destroy(request);
    if (fd >= 0)
        ::close(fd);
    if (lease != nullptr)
        release(lease);
    turn.lock();
    requests_--;
    leave(turn);
}

// Those whose time is over. The crew looks at them when the first of them is due.
void Conns::expire_requests(Turn &turn, int64_t now) {
    for (Key *next_key, *key = waiting_keys_.front(); key != nullptr; key = next_key) {
        next_key = waiting_keys_.next(key);
        key->pins++;
        bool gone = false;
        for (ConnWaiter *next, *waiter = key->line.first(); waiter != nullptr; waiter = next) {
            next = key->line.next(waiter);
            if (waiter->request == nullptr || !waiter->expired(now))
                continue;
            leave_line(key, waiter, Outcome::kExpired, now);
            end_request(turn, waiter->request, time_out(key), nullptr);
            gone = true;
        }
        if (gone)
            serve(turn, key);
        key->pins--;
        forget_if_unused(key);
    }
}

// ---- what its owner does --------------------------------------------------------------------

int32_t Conns::request_fd(Request *request) {
    Turn turn(mutex_, this);
    if (request->fd < 0) {
        request->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (request->fd < 0) {
            fail(POOL_EIO, "no file descriptor for a request: errno %d", errno);
            return -1;
        }
        if (request->told)
            signal_fd(request->fd);
    }
    return request->fd;
}

pool_status Conns::wait_request(Request *request, int64_t timeout) {
    const int64_t deadline = deadline_after(timeout);
    Turn turn(mutex_, this);
    while (!request->told) {
        Waiter watcher(deadline);
        if (timeout == 0 || request->watchers.wait(turn, watcher) == Outcome::kExpired)
            return fail(POOL_ETIMEDOUT, "the request has not ended");
    }
    return POOL_OK;
}

pool_status Conns::cancel_request(Request *request) {
    Turn turn(mutex_, this);
    if (request->told)
        return POOL_OK;
    counters_.canceled++;
    Key *key = request->key;
    if (key == nullptr) { // another thread is looking at the connection that it is to get
        request->status = POOL_ECANCELED;
        snprintf(request->text, sizeof request->text, "the request was cancelled");
        show_end(turn, request);
        return POOL_OK;
    }
    leave_line(key, &request->waiter, Outcome::kCancelled, clock_now());
    end_request(turn, request, POOL_ECANCELED, nullptr);
    snprintf(request->text, sizeof request->text, "the request was cancelled");
    key->pins++;
    serve(turn, key);
    serve_all(turn);
    key->pins--;
    forget_if_unused(key);
    return POOL_OK;
}

pool_status Conns::finish_request(Request *request, pool_conns_lease **out) {
    Turn turn(mutex_, this);
    if (!request->told)
        return fail(POOL_EAGAIN, "the request has not ended");
    const pool_status status = request->status;
    *out = request->lease;
    request->lease = nullptr;
    request->owned = false;
    if (status != POOL_OK)
        fail(status, "%s", request->text);
    if (!request->telling)
        drop_request(turn, request);
    return status;
}

void Conns::destroy_request(Request *request) {
    {
        Turn turn(mutex_, this);
        request->on_done = nullptr;
    }
    cancel_request(request);
    Turn turn(mutex_, this);
    request->owned = false;
    if (!request->telling)
        drop_request(turn, request);
}

} // namespace pool
