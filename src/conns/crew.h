// The crew: the threads of a pool of connections, if it has been asked for any.
//
// SPDX-License-Identifier: Apache-2.0
//
// They dial for those who wait, keep some connections ready, ping, reap and report. They are started
// when there is something to do, as many as that and the bound allow, and end after a while without
// work; one stays while there are duties that return. Everything here is guarded by the pool's
// lock. In the child after fork there are none; they are started again when there is work. Where the system
// refuses threads, those who wait in acquire dial by themselves.
#pragma once

#include "platform/list.h"
#include "pool/common.h"
#include "sync/condition.h"

#include <cstdint>
#include <pthread.h>

namespace pool {

class Conns;
class Turn;

class Crew {
public:
    explicit Crew(Conns *pool) : pool_(pool) {}
    Crew(const Crew &) = delete;
    Crew &operator=(const Crew &) = delete;

    // There may be something to do: a thread will look. If there is none that could, one is started
    // when the lock is let go.
    void poke(Turn &turn);

    // The same, and POOL_ENOTHREAD if there is no thread and none can be started. The lock is let go
    // meanwhile.
    pool_status call(Turn &turn);

    void wake_all();

    // What poke() has counted. Without the lock.
    pool_status start_counted();

    // Take no more work, and wait until all threads have ended. Not from one of them.
    void stop(Turn &turn);

    bool on_own_thread() const;
    uint64_t threads() const { return count_; }

    // There is no thread, and the last one that was wanted could not be started.
    bool unable() const { return unable_; }

    void forget_all(); // in the child after fork

private:
    struct Member : ListLink {
        explicit Member(Conns *its_pool) : pool(its_pool) {}
        Conns *const pool;
        pthread_t thread{};
        bool started = false; // `thread` is known
        bool ended = false;   // will not touch the pool again: may be joined
    };

    static void run(void *member);
    void work(Turn &turn);
    void sleep(int64_t span);
    bool join_ended(Turn &turn);

    Conns *const pool_;
    List<Member> members_;
    uint64_t count_ = 0; // of threads that have not ended, or are about to be started
    uint64_t idle_ = 0;  // of those, asleep
    uint64_t calls_ = 0; // grows with each poke, so that none is missed
    bool stopping_ = false;
    bool unable_ = false;
    Condition changed_;
};

} // namespace pool
