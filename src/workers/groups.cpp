// How tasks of groups are submitted, found, run and waited for.
//
// SPDX-License-Identifier: Apache-2.0
#include "workers/workers.h"

#include "platform/clock.h"
#include "platform/membarrier.h"
#include "platform/status.h"
#include "workers/group.h"

#include "sync/callback.h"

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <new>
#include <sched.h>

namespace pool {

// ---- groups ---------------------------------------------------------------------------------

// Inside the group whose task the caller is, if that is one of this pool.
pool_status Workers::create_group(const pool_workers_group_options &options, Group **out) {
    const Place &place = this_place();
    Worker *own = place.worker != nullptr && place.worker->pool == this ? place.worker : nullptr;
    void *memory = own != nullptr && own->spare_group_count != 0
                       ? own->spare_groups[--own->spare_group_count]
                       : store_->groups.take();
    if (memory == nullptr)
        return fail(POOL_ENOMEM, "pool '%s': no memory for a group", name_);
    const Frame *frame = place.frame;
    Group *outer = nullptr;
    if (frame != nullptr && frame->pool == this)
        outer = frame->group;
    const int64_t deadline = options.within == 0 ? POOL_FOREVER : deadline_after(options.within);
    *out = new (memory) Group(this, outer, options, deadline == POOL_FOREVER ? INT64_MAX : deadline,
                              frame != nullptr ? frame->number : 0, place.worker);
    count_group(place.worker, 1);
    return POOL_OK;
}

// How many there are, in a counter of the thread's own if it has one.
void Workers::count_group(Worker *worker, int more) {
    if (worker != nullptr && worker->pool == this)
        worker->groups.add(static_cast<uint64_t>(more));
    else
        groups_.fetch_add(static_cast<uint64_t>(more), std::memory_order_relaxed);
}

bool Workers::has_groups() {
    Section section(mutex_);
    uint64_t sum = groups_.load(std::memory_order_relaxed);
    for (Worker *worker = threads_list_.front(); worker != nullptr;
         worker = threads_list_.next(worker))
        sum += worker->groups.read();
    // In the child after fork those of the parent do not count, but may be destroyed.
    return static_cast<int64_t>(sum) > 0;
}

void Workers::cancel(Group *group) {
    if (group->cancel())
        cancelled_groups_.fetch_add(1, std::memory_order_release);
}

void Workers::forget_cancel(Group *group) {
    if (group->forget_cancel())
        cancelled_groups_.fetch_sub(1, std::memory_order_relaxed);
}

// The caller's handle ends. From the inside out: each group holds the one around it.
void Workers::end(Group *group, const Place &place) {
    Worker *own = place.worker != nullptr && place.worker->pool == this ? place.worker : nullptr;
    bool last = group->end();
    bool here = place.frame != nullptr && group->maker != 0 && place.frame->number == group->maker;
    while (last) {
        Group *outer = group->parent;
        group->free_results(memory_);
        last = outer != nullptr && outer->unref(here ? place.worker : nullptr);
        group->~Group();
        if (own != nullptr && own->spare_group_count < Worker::kSpareGroups)
            own->spare_groups[own->spare_group_count++] = group;
        else
            store_->groups.give_back(group);
        group = outer;
        here = false;
    }
}

pool_status Workers::destroy(Group *group) {
    const Place &place = this_place();
    if (group->pending() != 0) {
        for (Frame *frame = place.frame; frame != nullptr; frame = frame->outer)
            if (frame->group != nullptr && frame->group->is_within(group))
                return fail(POOL_EDEADLK, "a group cannot be destroyed by one of its own tasks");
        cancel(group);
        wait(group, POOL_FOREVER);
    }
    if (group->lists_any()) {
        Task *dead = nullptr;
        group->claim_listed(&dead);
        let_go_all(dead);
    }
    forget_cancel(group);
    end(group, place);
    count_group(place.worker, -1);
    return POOL_OK;
}

// ---- submitting -----------------------------------------------------------------------------

// The worker's own deque, made at its first use; nullptr if there is no memory.
WorkDeque *Workers::deque_of(Worker *worker) {
    if (worker->deque != nullptr)
        return worker->deque;
    {
        Section section(mutex_);
        for (WorkDeque *deque = deques_.load(std::memory_order_relaxed); deque != nullptr;
             deque = deque->next)
            if (!deque->owned) {
                deque->owned = true;
                return worker->deque = deque;
            }
    }
    WorkDeque *made = memory_.make<WorkDeque>();
    if (made == nullptr)
        return nullptr;
    Section section(mutex_);
    made->next = deques_.load(std::memory_order_relaxed);
    deques_.store(made, std::memory_order_release);
    return worker->deque = made;
}

// Between a push and the look at who sleeps stands a fence, which would be much of what a tiny task
// costs. So a worker that pushes a lot leaves it out for as long as nobody has a last look, and
// whoever does makes all threads fence first; see look_again().
//
// The flag is set by a full fence, and acquired: who reads it sees whoever had entered idle_ before
// finding it clear.
bool Workers::push_to_deque(Worker *worker, WorkDeque *deque, Task *task) {
    constexpr uint32_t kMany = 1024;
    if (!deque->push(task))
        return false;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (!unfenced_.load(std::memory_order_acquire)) {
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (++worker->unfenced % kMany == 0 && can_fence_threads())
            unfenced_.exchange(true, std::memory_order_seq_cst); // fenced against the next push
    }
    call_own_worker();
    return true;
}

// `node`, if any, is where the task may live.
pool_status Workers::submit(Group *group, Entry what, Task *node) {
    if (is_cancelled(group))
        return fail(POOL_ECANCELED, "pool '%s': the group is cancelled", name_);
    Worker *worker = own_worker();
    // A subpool's bound holds for its groups, too.
    WorkDeque *deque = worker != nullptr && worker->pool == this ? deque_of(worker) : nullptr;
    if (deque == nullptr)
        return submit_shared(group, what);
    GroupResult *result = nullptr;
    if (group->keeps_results() && (result = group->new_result(memory_)) == nullptr)
        return fail(POOL_ENOMEM, "pool '%s': no memory for a result", name_);
    Task *task = node != nullptr ? node : static_cast<Task *>(store_->tasks.take());
    if (task == nullptr)
        return fail(POOL_ENOMEM, "no memory for a task of pool '%s'", name_);
    new (task) Task{{what.run, what.arg},
                    group,
                    nullptr,
                    result,
                    POOL_WORKERS_QUEUED,
                    1,
                    node != nullptr ? TaskKind::kNode : TaskKind::kGroup};
    group->add();
    if (!push_to_deque(worker, deque, task)) {
        group->remove();
        if (node == nullptr)
            store_->tasks.give_back(task);
        return submit_shared(group, what);
    }
    return POOL_OK;
}

// Into the queue of all, and into the list of the group.
pool_status Workers::submit_shared(Group *group, const Entry &what) {
    GroupResult *result = nullptr;
    if (group->keeps_results() && (result = group->new_result(memory_)) == nullptr)
        return fail(POOL_ENOMEM, "pool '%s': no memory for a result", name_);
    auto *task = static_cast<Task *>(store_->tasks.take());
    if (task == nullptr)
        return fail(POOL_ENOMEM, "no memory for a task of pool '%s'", name_);
    new (task) Task{what, group, nullptr, result, POOL_WORKERS_QUEUED, 2, TaskKind::kGroup};
    group->add();
    Task *dead = nullptr;
    group->list(task, &dead);
    let_go_all(dead);
    pool_status status = submit(TaskQueue::lane_of(group->priority), entry_of(task), {});
    if (status != POOL_OK) {
        // It is in no queue. In the list somebody may have claimed it, and then it runs all the same.
        if (claim(task)) {
            TaskEnd end;
            end.state = POOL_WORKERS_DROPPED;
            end.status = status;
            if (result != nullptr)
                group->note(result, end);
            group->remove();
        } else {
            status = POOL_OK;
        }
        let_go(task);
    }
    return status;
}

// ---- running --------------------------------------------------------------------------------

// Only one of those who know the task gets to run it.
bool Workers::claim(Task *task) {
    if (task->holds.load(std::memory_order_acquire) == 1 && task->state() == POOL_WORKERS_QUEUED)
        return true; // nobody else knows it
    uint32_t word = POOL_WORKERS_QUEUED;
    return task->word.compare_exchange_strong(word, POOL_WORKERS_RUNNING,
                                              std::memory_order_acq_rel);
}

void Workers::let_go(Task *task) {
    if (task->holds.load(std::memory_order_acquire) == 1 ||
        task->holds.fetch_sub(1, std::memory_order_acq_rel) == 1)
        store_->tasks.give_back(task);
}

void Workers::let_go_all(Task *dead) {
    while (Task *task = dead) {
        dead = task->next;
        let_go(task);
    }
}

// The record goes when the task has ended, even if its thread ends with it.
void Workers::run_claimed(Worker *worker, Task *task) {
    struct LetGo {
        ~LetGo() { pool->let_go(task); }
        Workers *pool;
        Task *task;
    } end{this, task};
    run_group_task(worker, task->what, task->group, task->result);
}

// What most tasks of groups are: nothing has to be seen to but running them.
POOL_CATCHES_FORCED_UNWIND void Workers::run_group_task(Worker *worker, Entry entry, Group *group,
                                                        GroupResult *result) {
    if (!plain_groups_ || worker == nullptr || ++worker->unmeasured >= kMeasured ||
        cancelled_groups_.load(std::memory_order_acquire) != 0 || group->deadline != INT64_MAX ||
        stopping_.load(std::memory_order_relaxed)) {
        run_group_task_slowly(worker, entry, group, result);
        return;
    }
    Frame frame(this, worker, nullptr, group, entry.arg, group->name);
    GroupGuard guard(group, result, &frame);
    try {
        entry.run(entry.arg);
    } catch (abi::__forced_unwind &) {
        frame.end.state = POOL_WORKERS_FAILED;
        snprintf(frame.end.message, sizeof frame.end.message, "the task ended its thread");
        finish(&frame, entry);
        throw;
    } catch (...) {
        say_what(&frame.end);
    }
    if (__builtin_expect(frame.end.state == POOL_WORKERS_QUEUED && !frame.saw_cancel, 1)) {
        worker->since.store(frame.outer_since, std::memory_order_release);
        frame.end.state = POOL_WORKERS_SUCCEEDED;
        worker->ends[POOL_WORKERS_SUCCEEDED].add(1);
    } else {
        finish(&frame, entry);
    }
}

void Workers::run_group_task_slowly(Worker *worker, const Entry &entry, Group *group,
                                    GroupResult *result) {
    pool_status unwanted = POOL_OK;
    if (stopping_.load(std::memory_order_relaxed) && stop_drops_.load(std::memory_order_relaxed))
        unwanted = POOL_ECLOSED;
    else if (is_cancelled(group) ||
             (group->deadline != INT64_MAX && clock_now() >= group->deadline))
        unwanted = POOL_ECANCELED;
    if (unwanted != POOL_OK) {
        if (unwanted == POOL_ECANCELED)
            cancel(group);
        TaskEnd end;
        end.state = unwanted == POOL_ECLOSED ? POOL_WORKERS_DROPPED : POOL_WORKERS_CANCELLED;
        end.status = unwanted;
        count(worker, end.state);
        tell_dropped(entry.arg, unwanted);
        group->note(result, end);
        group->remove();
        return;
    }
    Frame frame(this, worker, nullptr, group, entry.arg, group->name);
    GroupGuard guard(group, result, &frame);
    run_in(&frame, entry);
}

// However the task ends, the group hears of it.
Workers::GroupGuard::~GroupGuard() {
    if (result != nullptr || frame->end.status != POOL_OK)
        group->note(result, frame->end);
    if (frame->end.status != POOL_OK && (group->flags & POOL_WORKERS_GROUP_KEEP_GOING) == 0)
        frame->pool->cancel(group);
    group->remove();
}

// ---- finding --------------------------------------------------------------------------------

// The oldest task of another worker's deque.
Task *Workers::steal(Worker *worker) {
    for (WorkDeque *deque = deques_.load(std::memory_order_acquire); deque != nullptr;
         deque = deque->next) {
        if (deque == worker->deque || deque->empty())
            continue;
        // Before the task is out: whoever finds that deque empty and reads this after that knows.
        steals_.fetch_add(1, std::memory_order_seq_cst);
        if (Task *task = deque->steal()) {
            worker->stolen.add(1);
            return task;
        }
    }
    return nullptr;
}

POOL_HOT bool Workers::has_work() const {
    if (queue_.waiting() != 0)
        return true;
    for (WorkDeque *deque = deques_.load(std::memory_order_acquire); deque != nullptr;
         deque = deque->next)
        if (!deque->empty())
            return true;
    return false;
}

// The newest of its own tasks that is in the group, or in one inside it. Others are put back as they
// were.
Task *Workers::own_task_within(Worker *worker, Group *group) {
    if (worker->deque == nullptr)
        return nullptr;
    Task *others = nullptr;
    Task *found = nullptr;
    while (Task *task = worker->deque->pop()) {
        if (task->group->is_within(group)) {
            found = task;
            break;
        }
        task->next = others;
        others = task;
    }
    if (others != nullptr) {
        while (Task *task = others) {
            others = task->next;
            worker->deque->push(task);
        }
        std::atomic_thread_fence(std::memory_order_seq_cst);
        call_worker(); // one who looked for them meanwhile has found nothing
    }
    return found;
}

// ---- waiting --------------------------------------------------------------------------------

// Run what is in the group, and nothing else, until nothing is left to run or to wait for.
void Workers::help(Worker *worker, Group *group, int64_t deadline) {
    pause_streak(worker);
    constexpr int kLooks = 40;
    constexpr int64_t kGlance = 100000; // what is stolen may have children that can be stolen back
    int fruitless = 0;
    while (group->pending() != 0) {
        if (deadline != POOL_FOREVER && clock_now() >= deadline)
            return;
        Task *task = own_task_within(worker, group);
        bool claimed = false;
        if (task == nullptr && group->lists_any()) {
            Task *dead = nullptr;
            task = group->claim_listed(&dead);
            claimed = task != nullptr;
            if (claimed)
                leave_entry(task);
            let_go_all(dead);
        }
        if (task == nullptr && parent_ == nullptr && fruitless < kLooks &&
            (task = steal(worker)) != nullptr && !task->group->is_within(group)) {
            // Not ours to run here. It may be stolen from here as well as from there.
            WorkDeque *deque = deque_of(worker);
            if (deque != nullptr && push_to_deque(worker, deque, task))
                task = nullptr; // and those are called who looked for it meanwhile
            fruitless = kLooks;
        }
        if (task != nullptr) {
            fruitless = 0;
            if (claimed)
                run_claimed(worker, task);
            else
                run_task(worker, task);
        } else if (fruitless++ < kLooks) {
            sched_yield();
        } else {
            const int64_t until = clock_now() + kGlance;
            group->sleep(deadline == POOL_FOREVER || until < deadline ? until : deadline);
            fruitless = kLooks / 2;
        }
    }
}

pool_status Workers::wait(Group *group, int64_t deadline) {
    if (group->forget_if_forked())
        return fail(POOL_EFORKED, "pool '%s': the tasks of the group belong to the parent process",
                    name_);
    const Place &place = this_place();
    // Further out than where it was made there can be none.
    for (Frame *frame = place.frame; frame != nullptr; frame = frame->outer) {
        if (frame->group == group)
            return fail(POOL_EDEADLK, "a group cannot be waited for by one of its own tasks");
        if (frame->number == group->maker && group->maker != 0)
            break;
    }
    int64_t until = deadline;
    if (group->deadline != INT64_MAX && (until == POOL_FOREVER || group->deadline < until))
        until = group->deadline;
    Worker *worker = own_worker(place);
    for (;;) {
        if (worker != nullptr)
            help(worker, group, until);
        else
            while (group->pending() != 0 && (until == POOL_FOREVER || clock_now() < until))
                group->sleep(until);
        if (group->pending() == 0)
            break;
        if (until == deadline)
            return fail(POOL_ETIMEDOUT, "pool '%s': %u tasks of the group wait or run", name_,
                        group->pending());
        cancel(group); // its time is over; those that run are waited for
        until = deadline;
    }
    if (group->went_well())
        return POOL_OK;
    char message[kMessageBytes];
    const pool_status status = group->outcome(message);
    forget_cancel(group);
    if (status == POOL_OK)
        return POOL_OK;
    return fail(status, "pool '%s': %s", name_,
                message[0] != '\0'         ? message
                : status == POOL_ECANCELED ? "the group was cancelled"
                : status == POOL_ETASK     ? "a task of the group failed"
                                           : "tasks of the group were dropped");
}

pool_status Workers::next_ended(Group *group, int64_t deadline, size_t *index, TaskEnd *end) {
    for (;;) {
        bool any_left;
        uint32_t seen;
        if (group->next_ended(index, end, &any_left, &seen))
            return POOL_OK;
        if (!any_left)
            return fail(POOL_EAGAIN, "pool '%s': every task of the group has been read", name_);
        if (deadline != POOL_FOREVER && clock_now() >= deadline)
            return fail(POOL_ETIMEDOUT, "pool '%s': no task of the group has ended", name_);
        group->sleep_for_ended(seen, deadline);
    }
}

} // namespace pool
