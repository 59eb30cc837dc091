// Group: tasks that are waited for together.
//
// SPDX-License-Identifier: Apache-2.0
//
// `word` counts the tasks that have not ended, and says whether somebody sleeps until there are none:
// one word, so that whoever ends the last task learns both by one instruction and then touches the
// group no more, since it may be gone. (It wakes by the address alone.)
//
// A group that a task of another group made is inside that one. It holds a reference to it, so the
// way up can be followed as long as a task of the inner group exists.
//
// Tasks of a group that wait in the shared queue are in a list of the group, too, so that a worker
// which waits for the group finds them wherever they stand in the queue: of the two places that know
// such a task, the first to claim it runs it.
#pragma once

#include "platform/fork.h"
#include "platform/lock.h"
#include "platform/memory.h"
#include "sync/futex.h"
#include "workers/task.h"

#include <atomic>
#include <cstdint>

namespace pool {

struct GroupResult {
    TaskEnd end;
    size_t index;
    GroupResult *next_ended; // in the order in which they ended
};

struct Worker;

class Group {
public:
    Group(Workers *its_pool, Group *its_parent, const pool_workers_group_options &options,
          int64_t its_deadline, uint64_t its_maker, const Worker *its_worker)
        : pool(its_pool), parent(its_parent), depth(its_parent != nullptr ? parent->depth + 1 : 0),
          flags(options.flags), priority(options.priority), name(options.name),
          deadline(its_deadline), maker(its_maker), worker_(its_worker), forks_(fork_generation()) {
        if (parent != nullptr)
            parent->ref(its_worker);
    }

    Workers *const pool;
    Group *const parent;
    const uint32_t depth;
    const uint32_t flags;
    const int32_t priority;
    const char *const name;
    const int64_t deadline; // INT64_MAX: none
    const uint64_t maker;   // the number of the frame that it was made in; 0: in none

    // ---- references ----
    // `worker`: the one that the thread is, if it is inside the task of this group in which the inner
    // group was made; else nullptr. References of the worker that made this group are counted apart:
    // no other one touches that count, and when the handle ends no task of the group runs any more.
    // (Biased reference counting: Choi, Shull and Torrellas, 2018.)
    void ref(const Worker *worker) {
        if (worker != nullptr && worker == worker_)
            own_refs_++;
        else
            refs_.fetch_add(1, std::memory_order_relaxed);
    }
    // True: it was the last one.
    bool unref(const Worker *worker) {
        if (worker == nullptr || worker != worker_)
            return refs_.fetch_sub(1, std::memory_order_acq_rel) == 1;
        own_refs_--;
        return false; // the handle has not ended
    }
    // The handle ends. True: there was no other reference.
    bool end() {
        const int64_t less = kHandle - own_refs_;
        return refs_.load(std::memory_order_acquire) == less ||
               refs_.fetch_sub(less, std::memory_order_acq_rel) == less;
    }

    // ---- tasks that have not ended ----
    uint32_t pending() const { return word_.load(std::memory_order_acquire) >> 1; }
    void add() { word_.fetch_add(2, std::memory_order_relaxed); }
    // What the caller has done is seen by whoever sees the count.
    void remove() {
        if (__builtin_expect(word_.fetch_sub(2, std::memory_order_acq_rel) == 3, 0))
            futex_wake_all(&word_);
    }
    // Until there are none, the deadline has passed, or for no reason at all.
    void sleep(int64_t until);

    // In the child after fork the tasks are the parent's, and none is pending. True: they were, and
    // nobody has been told yet.
    bool forget_if_forked() { return __builtin_expect(forks_ != fork_generation(), 0) && forget(); }

    // ---- cancelling ----
    // Its own flag, or that of a group around it.
    bool is_cancelled() const {
        for (const Group *group = this; group != nullptr; group = group->parent)
            if (group->cancelled_.load(std::memory_order_acquire))
                return true;
        return false;
    }
    // True: it was not cancelled before.
    bool cancel() {
        return !cancelled_.load(std::memory_order_relaxed) &&
               !cancelled_.exchange(true, std::memory_order_acq_rel);
    }
    // True: it was.
    bool forget_cancel() {
        return cancelled_.load(std::memory_order_relaxed) &&
               cancelled_.exchange(false, std::memory_order_acq_rel);
    }
    bool is_within(const Group *outer) const {
        const Group *group = this;
        while (group != nullptr && group->depth > outer->depth)
            group = group->parent;
        return group == outer;
    }

    // ---- how tasks end ----
    bool keeps_results() const { return (flags & POOL_WORKERS_GROUP_RESULTS) != 0; }
    // A place for the result of one more; nullptr: no memory.
    GroupResult *new_result(Memory &memory);
    void note(GroupResult *result, const TaskEnd &end);
    // The status of a wait, once nothing is pending, if no task of the group went wrong or was refused;
    // else see outcome().
    bool went_well() const {
        return !bad_.load(std::memory_order_relaxed) && !cancelled_.load(std::memory_order_relaxed);
    }
    // That status otherwise, the first failure's text in *message. It is forgotten with this.
    pool_status outcome(char (&message)[kMessageBytes]);
    bool result(size_t index, TaskEnd *end); // false: no such task
    bool next_ended(size_t *index, TaskEnd *end, bool *any_left, uint32_t *seen);
    void sleep_for_ended(uint32_t seen, int64_t until);
    void free_results(Memory &memory) {
        if (chunks_ != nullptr)
            free_chunks(memory);
    }

    // ---- the list of those in the shared queue ----
    void list(Task *task, Task **dead);
    Task *claim_listed(Task **dead);
    bool lists_any() const { return listed_.load(std::memory_order_relaxed) != nullptr; }

private:
    bool forget();
    void free_chunks(Memory &memory);

    static constexpr size_t kChunk = 64;
    struct Chunk {
        Chunk *next;
        GroupResult results[kChunk];
    };

    static constexpr int64_t kHandle = int64_t{1} << 40; // counts as more than all others

    const Worker *const worker_; // that made it; nullptr: another thread
    unsigned forks_;
    std::atomic<int64_t> refs_{kHandle}; // but its own
    int64_t own_refs_ = 0;
    std::atomic<uint32_t> word_{0}; // tasks * 2 + 1 if somebody sleeps
    std::atomic<bool> cancelled_{false};
    std::atomic<uint32_t> ended_word_{0}; // how many have ended, for those who wait for the next

    SpinLock lock_;                // guards what follows
    std::atomic<bool> bad_{false}; // read by anybody
    TaskEnd first_bad_;
    std::atomic<Task *> listed_{nullptr}; // read by anybody
    Task *listed_last_ = nullptr;
    size_t count_ = 0;
    Chunk *chunks_ = nullptr;
    Chunk *last_chunk_ = nullptr;
    GroupResult *first_ended_ = nullptr;
    GroupResult *last_ended_ = nullptr;
    size_t read_ = 0; // by next_ended
};

} // namespace pool
