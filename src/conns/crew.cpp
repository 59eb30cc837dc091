// SPDX-License-Identifier: Apache-2.0
#include "conns/crew.h"

#include "conns/conns.h"
#include "platform/clock.h"
#include "platform/status.h"
#include "platform/thread.h"
#include "sync/callback.h"

#include <cstdio>
#include <new>

namespace pool {
namespace {

constexpr int64_t kSecond = 1000000000;
constexpr int64_t kLinger = 10 * kSecond; // without work, before a thread ends

thread_local const Conns *crew_of = nullptr;

} // namespace

bool Crew::on_own_thread() const {
    return crew_of == pool_;
}

// ---- starting -------------------------------------------------------------------------------

void Crew::poke(Turn &turn) {
    if (count_ == 0 && !pool_->has_duties())
        return;
    calls_++;
    if (idle_ > 0) {
        changed_.wake_one();
    } else if (!stopping_ && !pool_->closed_ && count_ < pool_->crew_limit() &&
               (count_ == 0 || pool_->has_dials(clock_now()))) {
        count_++;
        turn.start_thread();
    }
}

void Crew::wake_all() {
    changed_.wake_all();
}

pool_status Crew::call(Turn &turn) {
    calls_++;
    if (count_ > 0) {
        changed_.wake_one();
        return POOL_OK;
    }
    count_++;
    turn.unlock();
    pool_status status = start_counted();
    turn.lock();
    return status;
}

pool_status Crew::start_counted() {
    Member *member = pool_->memory_.make<Member>(pool_);
    pool_status status = member != nullptr
                             ? POOL_OK
                             : fail(POOL_ENOMEM, "no memory for a thread of a connection pool");
    if (status == POOL_OK) {
        Turn turn(pool_->mutex_, pool_);
        join_ended(turn);
        members_.push_back(member);
        turn.unlock();
        char name[16];
        snprintf(name, sizeof name, "conns-%.9s", pool_->name_);
        status = start_thread({name, 0, run, member}, &member->thread);
    }
    Turn turn(pool_->mutex_, pool_);
    if (status == POOL_OK) {
        member->started = true;
        unable_ = false;
    } else {
        count_--;
        if (count_ == 0) {
            unable_ = true;
            pool_->serve_everybody(turn); // who can will dial by himself
        }
        if (member != nullptr) {
            List<Member>::remove(member);
            turn.unlock();
            pool_->memory_.destroy(member);
            turn.lock();
        }
    }
    changed_.wake_all();
    return status;
}

// ---- working --------------------------------------------------------------------------------

void Crew::run(void *arg) {
    Member *member = static_cast<Member *>(arg);
    Conns *pool = member->pool;
    Crew &crew = pool->crew_;
    CancellationOff off;
    crew_of = pool;
    Turn turn(pool->mutex_, pool);
    crew.work(turn);
    crew.count_--;
    member->ended = true;
    crew.changed_.wake_all();
}

void Crew::work(Turn &turn) {
    int64_t idle_from = clock_now();
    uint64_t seen = calls_ - 1;
    while (!stopping_ && !pool_->closed_) {
        const int64_t now = clock_now();
        if (pool_->do_duty(turn, now)) {
            idle_from = clock_now();
            continue;
        }
        if (turn.settle())
            continue;
        if (seen != calls_) { // it may have been meant for what has just been looked at
            seen = calls_;
            continue;
        }
        int64_t wait = pool_->next_duty(now) - now;
        const bool needed = count_ == 1 && pool_->has_duties();
        if (!needed) {
            int64_t left = idle_from + kLinger - now;
            if (left <= 0)
                return;
            if (left < wait)
                wait = left;
        }
        sleep(wait);
        seen = calls_ - 1;
    }
}

void Crew::sleep(int64_t span) {
    if (span <= 0)
        return;
    idle_++;
    changed_.wait(pool_->mutex_, deadline_after(span));
    idle_--;
}

// ---- ending ---------------------------------------------------------------------------------

// True if there were any; then the lock was let go.
bool Crew::join_ended(Turn &turn) {
    List<Member> ended;
    for (Member *next, *member = members_.front(); member != nullptr; member = next) {
        next = members_.next(member);
        if (member->started && member->ended) {
            List<Member>::remove(member);
            ended.push_back(member);
        }
    }
    if (ended.empty())
        return false;
    turn.unlock();
    while (Member *member = ended.pop_front()) {
        pthread_join(member->thread, nullptr);
        pool_->memory_.destroy(member);
    }
    turn.lock();
    return true;
}

void Crew::stop(Turn &turn) {
    stopping_ = true;
    changed_.wake_all();
    while (count_ != 0 || !members_.empty()) {
        if (join_ended(turn) || turn.settle())
            continue;
        changed_.wait(pool_->mutex_, POOL_FOREVER);
    }
}

// Their stacks and records are gone, or leak.
void Crew::forget_all() {
    new (&members_) List<Member>;
    new (&changed_) Condition;
    count_ = idle_ = 0;
    unable_ = false;
}

} // namespace pool
