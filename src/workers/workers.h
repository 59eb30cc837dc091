// Workers: a queue of tasks and the threads that run them.
//
// SPDX-License-Identifier: Apache-2.0
//
// A submitter pushes its task and looks at two words: if somebody is searching for work, or nobody is
// idle, that is all. Otherwise it wakes one worker. (Waking is what a tiny task costs.) If all sleep and
// nothing waits, the task goes to that worker past the queue, in the cache line that the wake-up touches
// anyway; apart from that it is woken as ever, to search.
//
// While tasks are tiny, things are different; see streak.cpp.
//
// A worker is searching from the moment it is woken, or has found nothing more to do, until it has
// found a task or gone to sleep. There is at most one, so at most one wakes up or spins at a time; one
// that finds a task while more wait passes the baton: it has the next one woken. (As in folly's
// ThrottledLifoSem and in Go's scheduler.)
//
// Why no wake-up is lost. Three pairs of threads meet, each in Dekker's way: each writes what is its
// own, and after that, with everything sequentially consistent, reads what is the other's.
//   - A submitter pushes, then reads searchers_ and idle_. A worker that stops searching leaves
//     searchers_, or enters idle_, and then looks at the queue once more. (In two cases the
//     submitter does without a fence and the other one fences for both: streak.cpp, deques.)
//   - A submitter that must wait for room says so under the consumers' lock of the queue, and looks
//     for room there; a worker that pops reads that under the same lock.
//   - Who waits for quiet says so (watched_), then reads busy of all workers; a worker clears busy,
//     then reads watched_. (A task is handed over under the lock, so who looks finds it in the worker's
//     record, or the worker, which took it from there after that, busy.)
//
// Invariants, whenever mutex_ is free:
//   - submitted = succeeded + failed + cancelled + dropped + discarded + waiting + running
//   - Tasks that wait imply threads_ > 0, since a worker looks at the queue once more after it has left
//     threads_. A thread that a task ends (pthread_exit, cancellation) has itself replaced before it
//     goes; only until then the last one may leave tasks behind.
//   - A worker is in the list of the idle ones exactly while idle_ counts it; whoever takes it out
//     wakes it.
//
// No callback, allocation or system call that waits happens under mutex_. start_mutex_ serializes the
// starting of threads; mutex_ may be taken under it, and the locks of the queue under both, never the
// reverse.
//
// A fork may catch another thread anywhere, so the child trusts nothing here but single words: it
// starts with empty lists and queues.
#pragma once

#include "platform/fork.h"
#include "platform/histogram.h"
#include "platform/memory.h"
#include "platform/registry.h"
#include "pool/workers.h"
#include "shards/sweeper.h"
#include "sync/waiters.h"
#include "workers/group.h"
#include "workers/handle_task.h"
#include "workers/key_lines.h"
#include "workers/task_queue.h"
#include "workers/task_store.h"
#include "workers/worker.h"

#include <atomic>
#include <mutex>
#include <pthread.h>

namespace pool {

// How a submitter wants to wait for room.
struct Manner {
    int64_t timeout = POOL_FOREVER;
    bool only_try = false; // whatever the pool's policy
};

class Workers {
public:
    // The options with every default filled in. With a parent it has no threads of its own.
    explicit Workers(const pool_workers_options &options, Workers *parent = nullptr);
    Workers(const Workers &) = delete;
    Workers &operator=(const Workers &) = delete;

    // Before anything else. After a failure call end() all the same.
    pool_status init();

    // submitting.cpp
    // What most submits are. False: not one of them, call submit().
    POOL_ALWAYS_INLINE bool submit_fast(pool_workers_task_fn task, void *arg) {
        const uint32_t threads = threads_.load(std::memory_order_relaxed);
        if (__builtin_expect(threads == 0, 0))
            return false;
        // Hints: hand_over() looks again.
        if (idle_.load(std::memory_order_relaxed) == threads &&
            searchers_.load(std::memory_order_relaxed) == 0 && hand_over(task, arg))
            return true;
        const TaskQueue::PushedFast pushed =
            queue_.push_fast(task, arg, [this] { return in_streak(); });
        if (pushed == TaskQueue::PushedFast::kFenced)
            call_own_worker();
        return pushed != TaskQueue::PushedFast::kNo;
    }
    pool_status submit(const Entry &entry, const Manner &manner) {
        size_t taken;
        return submit_fast(entry.run, entry.arg)
                   ? POOL_OK
                   : submit_slowly(kNormalLane, &entry, 1, manner, &taken);
    }
    pool_status submit(int lane, const Entry &entry, const Manner &manner) {
        size_t taken;
        return lane == kNormalLane ? submit(entry, manner)
                                   : submit_slowly(lane, &entry, 1, manner, &taken);
    }
    pool_status submit_bulk(const Entry *entries, size_t count, const Manner &manner,
                            size_t *taken);

    // tasks.cpp
    pool_status start_task(const Entry &what, const pool_workers_task_options &options,
                           const Manner &manner, bool silent, HandleTask **out);
    static pool_status wait_started(HandleTask *task, int64_t deadline);
    static pool_status wait(HandleTask *task, int64_t deadline);
    static void get_info(HandleTask *task, pool_workers_task_info *info);
    static void unref(HandleTask *task) { release(task); }
    pool_status run_and_wait(const Entry &what, int64_t timeout, void **result);
    pool_status run_here(const Entry &what, int64_t timeout);
    bool has_free_worker();

    // cancelling.cpp
    static pool_workers_cancel cancel(HandleTask *task);
    static bool is_cancelled(Frame *frame);
    static bool commit(Frame *frame);

    // groups.cpp
    pool_status create_group(const pool_workers_group_options &options, Group **out);
    pool_status submit(Group *group, Entry what, Task *node);
    pool_status wait(Group *group, int64_t deadline);
    pool_status next_ended(Group *group, int64_t deadline, size_t *index, TaskEnd *end);
    pool_status destroy(Group *group);
    void cancel(Group *group);
    bool is_cancelled(const Group *group) const {
        return cancelled_groups_.load(std::memory_order_acquire) != 0 && group->is_cancelled();
    }

    static Worker *this_worker();
    const pool_workers_options &options() const { return options_; }
    bool cancels_all() const { return stop_cancels_.load(std::memory_order_acquire); }
    bool is_subpool_of_another() const { return parent_ != nullptr; }
    uint32_t max_workers() const { return max_workers_.load(std::memory_order_relaxed); }
    bool is_stopped() const { return stopping_.load(std::memory_order_relaxed); }
    bool has_subpools() const { return subpools_.load(std::memory_order_relaxed) != 0; }
    bool has_groups();

    // stopping.cpp
    pool_status stop(pool_workers_stop_mode mode, int64_t timeout, pool_workers_report *report);
    pool_status wait_idle(int64_t timeout);
    pool_status pause(int64_t timeout);
    pool_status resume();
    pool_status restart();

    // sizing.cpp
    pool_status start_minimum();
    pool_status resize(uint32_t min, uint32_t max);

    // statistics.cpp
    pool_workers_stats stats();
    const Histogram *histogram(pool_workers_time which) const;
    pool_status visit_running(int64_t min_age, pool_workers_running_fn visit, void *arg);
    pool_status watch_stuck(int64_t threshold, pool_workers_running_fn on_stuck, void *arg);
    pool_status stop_async(pool_workers_stop_mode mode, int *fd);
    const char *name() const { return name_; }

    // Stop, join every thread, free everything, call ctx_free. Only the object itself is left.
    void end();

    // Is this thread one of this pool's?
    bool on_own_worker() const { return own_worker() != nullptr; }
    bool has_process() const { return options_.process != nullptr; }

    const pool_allocator *allocator() const { return custom_allocator_ ? &allocator_ : nullptr; }

private:
    static constexpr uint32_t kMostCpus = 65536;
    static constexpr int kNormalLane = POOL_WORKERS_HIGH - POOL_WORKERS_NORMAL;

    struct RoomWaiter : Waiter {
        RoomWaiter(int64_t until, uint64_t its_weight) : Waiter(until), weight(its_weight) {}
        const uint64_t weight;
    };
    // What a submitter that has waited for room knows.
    struct RoomTurn {
        bool called = false; // it is the one that was woken to look
        int64_t since = 0;   // when it came
        uint64_t weight = 0; // of its task
    };
    static constexpr int64_t kPatience = 1000000; // then nobody is quicker any more
    enum class Start { kMinimum, kFirst, kMore };

    // submitting.cpp
    pool_status submit_slowly(int lane, const Entry *entries, size_t count, const Manner &manner,
                              size_t *taken);
    pool_status submit_in_turn(int lane, const Entry *entries, size_t count, const Manner &manner,
                               size_t *taken, RoomTurn *turn);
    pool_status see_to(const Entry &first, size_t count);
    TaskQueue::Pushed push(int lane, const Entry *entries, size_t count, bool beyond,
                           size_t *taken);
    bool handoff() const { return capacity_ == POOL_WORKERS_HANDOFF; }
    pool_status refuse(pool_status status, const char *why);
    pool_status when_full(const Entry &entry, const Manner &manner, int64_t deadline,
                          RoomTurn *turn, bool *again);
    TaskQueue::Pushed push_handoff(int lane, const Entry *entries, size_t count, size_t *taken);
    bool enter_if_free();
    void enter_handoff(size_t count);
    void leave_handoff();
    bool has_room(uint64_t weight) const;
    static HandleTask *handle_in(const Entry *entries, size_t count);
    TaskQueue::Pushed push_handle(HandleTask *task, bool beyond, size_t *taken);
    bool load(HandleTask *task, bool beyond);
    void unload(HandleTask *task);
    pool_status submit_weighed(HandleTask *task, const Manner &manner);
    pool_status wait_for_room(int64_t deadline, RoomTurn *turn);
    void end_turn(Section &section, RoomTurn *turn);
    void room_found(Section &section);
    void call_submitter();
    bool drop(const Entry &entry, pool_status status);

    // waking.cpp
    // A task has been pushed: see to it that somebody comes for it.
    void call_worker() { parent_ != nullptr ? call_parent() : call_own_worker(); }
    void call_own_worker() {
        if (searchers_.load(std::memory_order_seq_cst) == 0 &&
            (idle_.load(std::memory_order_seq_cst) != 0 ||
             threads_.load(std::memory_order_relaxed) <
                 spawn_below_.load(std::memory_order_relaxed)))
            summon();
    }
    void summon();
    bool hand_over(pool_workers_task_fn task, void *arg);
    bool take_handed(Worker *worker, Entry *entry);
    void prefetch(Worker *worker) const;
    bool search(Worker *worker);
    bool search_in_streak(uint32_t claim);
    void end_search(Worker *worker);
    void give_up_search(bool may_start = true);
    void search_on(Worker *worker);
    bool sleep(Worker *worker);
    bool leave(Worker *worker, bool stopping);
    bool too_many() const {
        return threads_.load(std::memory_order_relaxed) >
               max_workers_.load(std::memory_order_relaxed);
    }
    Worker *take_idle();
    void wake_up(Worker *worker);
    void wake_all_idle(Section &section);
    int64_t idle_deadline();

    // streak.cpp
    bool in_streak() const { return searchers_.load(std::memory_order_seq_cst) > 1; }
    static uint32_t claim_of(const Worker *worker);
    void vote_for_streak(int64_t run_time);
    bool streak_is_due() const;
    bool begin_streak(Worker *worker);
    bool run_streak(Worker *worker);
    void end_streak(Worker *worker);
    void break_streak();
    void pause_streak(Worker *worker);
    bool watches(Worker *worker, int64_t *until);
    bool take_over(Worker *worker);

    // subpool.cpp
    void call_parent();
    void give_token();
    void run_one(Worker *worker);
    void end_one();
    void forget_one();
    void lose_token(pool_status status);
    void leave_parent();
    void call_workers();

    // threads.cpp
    Worker *own_worker(const Place &place) const;
    Worker *own_worker() const { return own_worker(this_place()); }
    pool_status wait_for_state(Section &section, Worker *worker);
    pool_status start(Start why);
    bool start_wanted(Start why) const;
    void start_more();
    void arrive(Worker *worker, pthread_t thread);
    static void run_worker(void *worker);
    bool set_up(Worker *worker);
    void work(Worker *worker);
    bool next(Worker *worker, Entry *entry);
    void depart(Worker *worker);
    void join(List<Worker> *workers);
    void call_hook(pool_thread_fn hook, const char *what);
    void bind(const Worker *worker);

    // running.cpp
    void run(Worker *worker, const Entry &entry);
    void run_task(Worker *worker, Task *task);
    void run_in(Frame *frame, const Entry &entry);
    void call(TaskEnd *end, const Entry &entry, void *state);
    static void say_what(TaskEnd *end);
    void finish(Frame *frame, const Entry &entry);
    static bool is_heard(const Frame *frame);
    static bool is_loan(const Entry &entry);
    static constexpr uint32_t kMeasured = 64; // of so many tasks, one
    struct Times {
        int64_t submitted = 0; // 0: unknown
        int64_t begun = 0;     // 0: not measured
    };
    Times begin_times(const Frame *frame);
    void end_times(const Frame *frame, const Times &times);
    void count(Worker *worker, pool_workers_state state);
    void observe(pool_workers_observer_fn observer, const Frame *frame, void *arg);
    bool drop_task(Task *task, pool_status status);
    void tell_dropped(void *arg, pool_status status);

    // tasks.cpp
    void run_handle(Worker *worker, HandleTask *task);
    void run_claimed_handle(Worker *worker, HandleTask *task);
    static bool claim_handle(HandleTask *task, uint32_t *word, uint32_t mark = 0);
    void leave_entry(Task *task);
    void entry_was_dead(Task *task);
    static void end_handle(HandleTask *task);
    static void end_unrun(HandleTask *task, pool_workers_state state, pool_status status);
    template <class Done>
    static bool wait_for(HandleTask *task, int64_t deadline, Done done);
    static bool waits_in_a_circle(const HandleTask *task, const Worker *self);
    static pool_status outcome(HandleTask *task);
    static void release(HandleTask *task);

    // cancelling.cpp
    static pool_workers_cancel cancel_queued(HandleTask *task, pool_status why);

    // keys.cpp
    TaskQueue::Pushed push_keyed(HandleTask *task, bool beyond);
    void make_room_for_keys();
    void free_keys();
    void run_key(Worker *worker, KeyLine *line);
    void end_of_key(KeyLine *line);
    HandleTask *take_keyed(KeyLine *line);

    // groups.cpp
    WorkDeque *deque_of(Worker *worker);
    static bool claim(Task *task);
    void let_go(Task *task);
    void let_go_all(Task *dead);
    void run_claimed(Worker *worker, Task *task);
    void run_group_task(Worker *worker, Entry entry, Group *group, GroupResult *result);
    void run_group_task_slowly(Worker *worker, const Entry &entry, Group *group,
                               GroupResult *result);
    struct GroupGuard {
        GroupGuard(Group *its_group, GroupResult *its_result, const Frame *its_frame)
            : group(its_group), result(its_result), frame(its_frame) {}
        ~GroupGuard();
        Group *const group;
        GroupResult *const result;
        const Frame *const frame;
    };
    bool has_work() const;
    bool look_again();
    bool push_to_deque(Worker *worker, WorkDeque *deque, Task *task);
    void count_group(Worker *worker, int more);
    void forget_cancel(Group *group);
    pool_status submit_shared(Group *group, const Entry &what);
    void help(Worker *worker, Group *group, int64_t deadline);
    Task *own_task_within(Worker *worker, Group *group);
    Task *steal(Worker *worker);
    void end(Group *group, const Place &place);

    // stopping.cpp
    void begin_stop(pool_workers_stop_mode mode);
    bool quiet();
    bool stop_is_over();
    bool nothing_runs();
    void tell_quiet(Section &section);
    template <class Condition>
    pool_status wait_until(Section &section, int64_t deadline, Condition condition,
                           const char *what);
    void join_all();

    // statistics.cpp
    struct Running {
        pool_workers_running info;
        char name[64];
    };
    uint64_t running();
    size_t list_running(int64_t min_age, bool once, Running *list, size_t most);
    static void look_for_stuck(SweepClient *client);
    void tell_stop_fd();
    void close_stop_fd();
    uint64_t ended(pool_workers_state state);
    pool_workers_stats read();
    uint64_t stolen();
    uint64_t waiting_in_deques() const;
    static void read_stats(void *pool, void *stats);
    static bool read_histogram(void *pool, int32_t which, TimeHistogram *histogram);

    // fork.cpp
    static void in_child(ForkWatcher *watcher);
    void repair_in_child();

    // Never change after the constructor.
    char name_[64];
    const pool_workers_options options_; // the callbacks and rules in it
    const uint64_t capacity_;
    const bool custom_allocator_;
    const pool_allocator allocator_;
    const bool plain_;        // nothing beside the queue decides whether a task is taken
    Workers *const parent_;   // nullptr: none
    const bool streaks_;      // are there any?
    const bool plain_groups_; // nothing beside their groups cares about tasks of groups
    const int lane_in_parent_ = kNormalLane;
    uint32_t *cpus_ = nullptr;
    const uint32_t usable_cpus_;
    const uint32_t spawn_rate_;
    Memory memory_;

    TaskQueue queue_;

    // What a wake-up changes, on one cache line: it is somewhere else then.
    alignas(64) Mutex mutex_;          // guards what is not atomic from here on
    uint32_t wakes_ = 0;               // how many there were
    List<Worker::IdleLink> idle_list_; // asleep, most recently idle first: idle_
    std::atomic<uint32_t> searchers_{0};
    std::atomic<uint32_t> idle_{0};
    Worker *watcher_ = nullptr; // the one of those that are idle that watches a streak
    uint64_t handed_ = 0;       // tasks given to workers that slept, past the queue

    // Read by every submit, written when workers come and go.
    alignas(64) std::atomic<uint32_t> threads_{0}; // that exist and have not ended
    std::atomic<uint32_t> spawn_below_{0};         // start more while there are fewer threads
    std::atomic<uint32_t> max_workers_;
    const bool hands_over_;            // are tasks given to workers that sleep?
    std::atomic<uint32_t> watched_{0}; // somebody waits until nothing runs
    std::atomic<uint32_t> paused_{0};
    std::atomic<bool> line_up_{false}; // submitters must stand in line
    std::atomic<bool> stopping_{false};
    std::atomic<bool> unfenced_{false}; // pushes to deques are; see push_to_deque()

    alignas(64) std::atomic<uint32_t> streak_votes_{0};
    std::mutex start_mutex_;
    uint32_t min_workers_;
    List<Worker> threads_list_;    // to be joined
    WaiterQueue<RoomWaiter> room_; // submitters that wait for room
    int64_t inside_ = 0;           // entries of a hand-off pool that are in the queue or run
    bool room_called_ = false;     // one of them has been woken and has not looked yet
    WaiterQueue<Waiter> quiet_;    // callers that wait until nothing runs
    WaiterQueue<Waiter> set_up_;   // callers that wait until a worker has its state
    bool stop_begun_ = false;      // what waited has been dropped, if it is to be
    bool stop_over_ = false;       // and nothing runs any more
    uint64_t restarts_ = 0;        // after which a stop of before is over, too
    uint64_t started_ = 0;         // for the threads' names
    uint64_t spawned_for_ = 0;     // pushes / spawn_rate_ when the last thread was started
    uint64_t start_fails_ = 0;
    uint64_t replaced_ = 0;
    int64_t reaped_at_ = INT64_MIN;
    uint64_t past_ends_[POOL_WORKERS_DROPPED + 1] = {}; // of workers that are gone
    uint64_t past_stolen_ = 0;
    uint64_t discarded_ = 0;
    uint64_t submitted_ = 0; // as statistics have last said
    std::atomic<uint64_t> beside_ends_[POOL_WORKERS_DROPPED + 1] = {}; // not of workers
    std::atomic<uint64_t> rejected_{0};
    std::atomic<uint32_t> active_{0};   // of a subpool: tokens
    std::atomic<uint32_t> running_{0};  // of a subpool: workers that look for a task, or run one
    std::atomic<uint32_t> in_tasks_{0}; // of a subpool: tasks that run
    std::atomic<uint32_t> subpools_{0};
    std::atomic<uint64_t> steals_{0}; // tried
    std::atomic<bool> stop_cancels_{false};
    std::atomic<uint64_t> groups_{0};           // but those that workers have counted
    std::atomic<uint64_t> cancelled_groups_{0}; // while there are none, nobody has to look at them
    std::atomic<bool> stop_drops_{false};
    std::atomic<WorkDeque *> deques_{nullptr}; // all there are, whoever has them
    std::atomic<uint64_t> bytes_{0};           // weights of tasks that wait
    Histogram waits_;
    Histogram runs_;
    KeyLines keys_;
    TaskStore *store_ = nullptr;
    const pool_cpu_mode cpu_mode_;

    // The tasks that run for too long.
    struct Watch : SweepClient {
        Workers *pool = nullptr;
        int64_t threshold = 0;
        pool_workers_running_fn on_stuck = nullptr;
        void *arg = nullptr;
        bool listed = false;
    } watch_;
    std::mutex watch_mutex_; // whoever changes watch_
    int stop_fd_ = -1;

    struct Fork : ForkWatcher {
        Workers *pool = nullptr;
    } fork_;
    bool watching_forks_ = false;
    bool joined_parent_ = false;
    RegistryEntry entry_;
};

} // namespace pool
