// Turn: the lock of a pool of connections, held, with what is due once it is let go.
//
// SPDX-License-Identifier: Apache-2.0
//
// Those are the wakes of threads, as in Section, and the ends of requests, whose callbacks run under
// no lock.
#pragma once

#include "conns/request.h"
#include "sync/event.h"

namespace pool {

class Conns;

class Turn : public Section {
public:
    Turn(Mutex &mutex, Conns *pool) : Section(mutex), pool_(pool) {}
    ~Turn() {
        if (held())
            unlock();
    }

    void unlock();

    // Do what is due, before a wait that lets the lock go in another way. True if the lock was let
    // go for that: look again.
    bool settle() {
        if (threads_ == 0 && ended_.empty() && !due())
            return false;
        unlock();
        lock();
        return true;
    }

    // Start a thread of the crew, which has counted it already, once the lock is let go.
    void start_thread() { threads_++; }

    // Tell its owner, once the lock is let go.
    void end(Request *request) { ended_.push_back(request); }

private:
    Conns *const pool_;
    uint32_t threads_ = 0;
    List<Request> ended_;
};

} // namespace pool
