// The side of submitters: how a task gets into the queue, and what happens while it is full.
//
// SPDX-License-Identifier: Apache-2.0
//
// Of those who wait for room one at a time is woken, in the order in which they came, and looks for
// itself; when it has what it needs and there is more, it wakes the next. Until it runs, workers go
// on and others may take the room: one wake-up then pays for as many tasks as fit in meanwhile, where
// a hand-over would make every task wait for a thread to wake up. (As sync.Mutex does it in Go.)
#include "workers/workers.h"

#include "platform/clock.h"
#include "platform/status.h"
#include "sync/callback.h"

namespace pool {

TaskQueue::Pushed Workers::push(int lane, const Entry *entries, size_t count, bool beyond,
                                size_t *taken) {
    if (HandleTask *task = handle_in(entries, count))
        return push_handle(task, beyond, taken);
    if (beyond) {
        const TaskQueue::Pushed pushed =
            queue_.push(lane, entries, count, TaskQueue::kUnbounded, taken);
        enter_handoff(*taken);
        return pushed;
    }
    if (!handoff())
        return queue_.push(lane, entries, count, capacity_, taken);
    return push_handoff(lane, entries, count, taken);
}

// As many as there are workers that are not taken, or may be started.
TaskQueue::Pushed Workers::push_handoff(int lane, const Entry *entries, size_t count,
                                        size_t *taken) {
    Section section(mutex_);
    const int64_t most = max_workers_.load(std::memory_order_relaxed);
    *taken = 0;
    if (inside_ >= most)
        return queue_.is_closed() ? TaskQueue::Pushed::kClosed : TaskQueue::Pushed::kFull;
    const size_t room = static_cast<size_t>(most - inside_);
    const size_t some = count < room ? count : room;
    const TaskQueue::Pushed pushed = queue_.push(lane, entries, some, TaskQueue::kUnbounded, taken);
    inside_ += static_cast<int64_t>(*taken);
    return pushed == TaskQueue::Pushed::kYes && some < count ? TaskQueue::Pushed::kFull : pushed;
}

bool Workers::enter_if_free() {
    Section section(mutex_);
    if (inside_ >= max_workers_.load(std::memory_order_relaxed))
        return false;
    inside_++;
    return true;
}

// Entries that are in the queue of a hand-off pool whether there was room or not. They take workers,
// too.
void Workers::enter_handoff(size_t count) {
    if (!handoff() || count == 0)
        return;
    Section section(mutex_);
    inside_ += static_cast<int64_t>(count);
}

// An entry that was in the queue of a hand-off pool is over: its worker is free.
void Workers::leave_handoff() {
    Section section(mutex_);
    inside_--;
    room_found(section);
}

HandleTask *Workers::handle_in(const Entry *entries, size_t count) {
    if (count != 1 || entries->run != is_task)
        return nullptr;
    auto *task = static_cast<Task *>(entries->arg);
    return task->kind == TaskKind::kHandle ? static_cast<HandleTask *>(task) : nullptr;
}

// One that may have a key and a weight.
TaskQueue::Pushed Workers::push_handle(HandleTask *task, bool beyond, size_t *taken) {
    *taken = 0;
    if (!load(task, beyond))
        return TaskQueue::Pushed::kFull;
    TaskQueue::Pushed pushed;
    if (task->key != 0) {
        pushed = push_keyed(task, beyond);
        *taken = pushed == TaskQueue::Pushed::kYes;
    } else {
        const Entry entry = entry_of(task);
        if (beyond) {
            pushed = queue_.push(task->lane, &entry, 1, TaskQueue::kUnbounded, taken);
            enter_handoff(*taken);
        } else {
            pushed = handoff() ? push_handoff(task->lane, &entry, 1, taken)
                               : queue_.push(task->lane, &entry, 1, capacity_, taken);
        }
    }
    if (pushed != TaskQueue::Pushed::kYes)
        unload(task);
    return pushed;
}

// Its weight is on the queue, if that bears it. One that is too heavy for any queue waits for an empty
// one.
bool Workers::load(HandleTask *task, bool beyond) {
    if (task->weight == 0 || options_.queue_bytes == 0)
        return true;
    uint64_t now = bytes_.load(std::memory_order_relaxed);
    do {
        if (now != 0 && !beyond &&
            (now >= options_.queue_bytes || options_.queue_bytes - now < task->weight))
            return false;
    } while (!bytes_.compare_exchange_weak(now, now + task->weight, std::memory_order_acq_rel));
    task->loaded.store(true, std::memory_order_release);
    return true;
}

// Once, by whoever comes first: one that cancels it, or takes it out of the queue.
void Workers::unload(HandleTask *task) {
    if (task->weight == 0 || !task->loaded.exchange(false, std::memory_order_acq_rel))
        return;
    bytes_.fetch_sub(task->weight, std::memory_order_acq_rel);
    call_submitter();
}

pool_status Workers::submit_weighed(HandleTask *task, const Manner &manner) {
    const Entry entry = entry_of(task);
    size_t taken;
    return submit_slowly(task->lane, &entry, 1, manner, &taken);
}

pool_status Workers::submit_slowly(int lane, const Entry *entries, size_t count,
                                   const Manner &manner, size_t *taken) {
    *taken = 0;
    RoomTurn turn;
    if (const HandleTask *task = handle_in(entries, count))
        turn.weight = task->weight;
    const pool_status status = submit_in_turn(lane, entries, count, manner, taken, &turn);
    if (turn.called) {
        Section section(mutex_);
        end_turn(section, &turn);
    }
    return status;
}

pool_status Workers::submit_in_turn(int lane, const Entry *entries, size_t count,
                                    const Manner &manner, size_t *taken, RoomTurn *turn) {
    const bool beyond = on_own_worker();
    const int64_t deadline = deadline_after(manner.timeout);
    for (;;) {
        if (parent_ == nullptr && threads_.load(std::memory_order_relaxed) == 0 &&
            !stopping_.load(std::memory_order_relaxed))
            if (pool_status status = start(Start::kFirst))
                return status;
        if (parent_ != nullptr && parent_->is_stopped())
            return refuse(POOL_ECLOSED, "the pool that it is a part of is stopped");
        size_t some = 0;
        TaskQueue::Pushed pushed = TaskQueue::Pushed::kFull;
        if (!line_up_.load(std::memory_order_relaxed) || turn->called || beyond || manner.only_try)
            pushed = push(lane, entries + *taken, count - *taken, beyond, &some);
        if (some != 0)
            if (pool_status status = see_to(entries[*taken], some))
                return status;
        *taken += some;
        switch (pushed) {
        case TaskQueue::Pushed::kYes:
            return POOL_OK;
        case TaskQueue::Pushed::kClosed:
            return refuse(POOL_ECLOSED, "the pool is stopped");
        case TaskQueue::Pushed::kNoMemory:
            return fail(POOL_ENOMEM, "no memory for a task of pool '%s'", name_);
        case TaskQueue::Pushed::kFull:
            break;
        }
        bool again = false;
        if (pool_status status = when_full(entries[*taken], manner, deadline, turn, &again))
            return status;
        if (!again && ++*taken == count)
            return POOL_OK;
    }
}

// Some tasks are in the queue, `first` and those behind it: have somebody come for them. Between a
// look at threads_ and the push the last worker may have ended. If nobody can be started then, nobody
// can have taken a task either, and a single one is taken back.
pool_status Workers::see_to(const Entry &first, size_t count) {
    call_worker();
    if (parent_ != nullptr || threads_.load(std::memory_order_seq_cst) != 0 ||
        queue_.waiting() == 0)
        return POOL_OK;
    const pool_status status = start(Start::kFirst);
    if (status == POOL_OK || count != 1 || !queue_.take_back(first))
        return POOL_OK;
    queue_.owe(-1);
    return status;
}

pool_status Workers::submit_bulk(const Entry *entries, size_t count, const Manner &manner,
                                 size_t *taken) {
    *taken = 0;
    if (count == 0)
        return POOL_OK;
    return submit_slowly(kNormalLane, entries, count, manner, taken);
}

pool_status Workers::refuse(pool_status status, const char *why) {
    rejected_.fetch_add(1, std::memory_order_relaxed);
    return fail(status, "pool '%s': %s", name_, why);
}

// The queue is full. POOL_OK with *again: look again; without it: the task is dealt with.
pool_status Workers::when_full(const Entry &entry, const Manner &manner, int64_t deadline,
                               RoomTurn *turn, bool *again) {
    if (manner.only_try || options_.full == POOL_WORKERS_FAIL)
        return refuse(POOL_EFULL, "the queue is full");
    switch (options_.full) {
    case POOL_WORKERS_CALLER_RUNS:
        if (const HandleTask *task = handle_in(&entry, 1); task != nullptr && is_loan(task->what))
            break; // it asks for a worker, to run a task on this thread anyway
        run(nullptr, entry);
        return POOL_OK;
    case POOL_WORKERS_DROP_NEWEST:
        count(nullptr, POOL_WORKERS_DROPPED);
        drop(entry, POOL_EFULL);
        return POOL_OK;
    case POOL_WORKERS_DROP_OLDEST: {
        Entry oldest;
        *again = queue_.pop_oldest_of_lowest(&oldest);
        if (!*again)
            oldest = entry; // nothing waits: the queue has no room at all, or not for this one
        if (drop(oldest, POOL_EFULL))
            count(nullptr, POOL_WORKERS_DROPPED);
        if (*again && handoff())
            leave_handoff();
        return POOL_OK;
    }
    default:
        break;
    }
    *again = true;
    if (manner.timeout == 0)
        return refuse(POOL_ETIMEDOUT, "the queue is full and the timeout is 0");
    return wait_for_room(deadline, turn);
}

// ---- waiting for room -----------------------------------------------------------------------

// Under the lock.
bool Workers::has_room(uint64_t weight) const {
    if (handoff() ? inside_ >= max_workers_.load(std::memory_order_relaxed)
                  : queue_.used() >= capacity_)
        return false;
    const uint64_t bytes = bytes_.load(std::memory_order_acquire);
    return weight == 0 || options_.queue_bytes == 0 || bytes == 0 ||
           (bytes < options_.queue_bytes && options_.queue_bytes - bytes >= weight);
}

// POOL_OK: look again.
pool_status Workers::wait_for_room(int64_t deadline, RoomTurn *turn) {
    Section section(mutex_);
    const int64_t now = clock_now();
    const bool before = turn->called;
    if (!before) {
        turn->since = now;
        if (options_.max_blocked != 0 && room_.size() >= options_.max_blocked)
            return refuse(POOL_EFULL, "the queue is full, and as many wait for room as may");
    } else if (now - turn->since >= kPatience) {
        line_up_.store(true, std::memory_order_relaxed); // others have been quicker for too long
        queue_.set_fast_capacity(0);
    }
    if (stopping_.load(std::memory_order_relaxed))
        return refuse(POOL_ECLOSED, "the pool is stopped");
    if (before)
        turn->called = room_called_ = false;
    queue_.want_room(true); // from here on whoever makes room comes by
    if (has_room(turn->weight) && !room_called_ && (before || room_.empty())) {
        turn->called = room_called_ = true;
        return POOL_OK;
    }
    RoomWaiter waiter(deadline, turn->weight);
    switch (room_.wait(section, waiter, before)) {
    case Outcome::kServed:
        turn->called = true;
        return POOL_OK;
    case Outcome::kExpired:
        room_found(section);
        return refuse(POOL_ETIMEDOUT, "the queue stayed full");
    default:
        return refuse(POOL_ECLOSED, "the pool was stopped while the caller waited for room");
    }
}

void Workers::end_turn(Section &section, RoomTurn *turn) {
    turn->called = room_called_ = false;
    if (line_up_.load(std::memory_order_relaxed)) {
        line_up_.store(false, std::memory_order_relaxed);
        queue_.set_fast_capacity(plain_ ? capacity_ : 0);
    }
    room_found(section);
}

// There may be room: have the one look who has waited longest.
void Workers::call_submitter() {
    Section section(mutex_);
    room_found(section);
}

void Workers::room_found(Section &section) {
    if (room_called_)
        return;
    RoomWaiter *first = room_.empty() ? nullptr : room_.first_live(section, clock_now());
    queue_.want_room(first != nullptr);
    if (first == nullptr || !has_room(first->weight))
        return;
    queue_.want_room(false); // whoever was called asks again
    room_called_ = true;
    room_.finish(section, first, Outcome::kServed);
}

// ---- tasks that never run -------------------------------------------------------------------

// False: its task was gone already.
bool Workers::drop(const Entry &entry, pool_status status) {
    if (entry.run == is_task)
        return drop_task(static_cast<Task *>(entry.arg), status);
    if (entry.run == is_subpool) {
        static_cast<Workers *>(entry.arg)->lose_token(status);
        return false;
    }
    if (entry.run == is_key)
        return drop_task(take_keyed(static_cast<KeyLine *>(entry.arg)), status);
    if (entry.run == is_nothing) {
        queue_.owe(1);
        return false;
    }
    tell_dropped(entry.arg, status);
    return true;
}

void Workers::tell_dropped(void *arg, pool_status status) {
    if (options_.on_drop != nullptr)
        call_contained("on_drop of a worker pool",
                       [&] { options_.on_drop(arg, status, options_.ctx); });
}

} // namespace pool
