// TaskQueue: the tasks of a pool that wait, three priorities of them.
//
// SPDX-License-Identifier: Apache-2.0
//
// A lane per priority, each a chain of segments that producers fill at one end and consumers empty
// at the other, so that neither touches the other's cache lines but to see how far it has come.
// (Two-lock queue: Michael and Scott, 1996; in arrays, since entries that follow each other in
// memory are fetched before they are asked for.) All producers share one lock and all consumers
// another one, each held for a few instructions.
//
// Invariants:
//   - pushed - popped entries wait. pushed changes under in_lock_, popped under out_lock_.
//   - An entry is written before pushed says so (release); a consumer reads pushed (acquire) before
//     the entry. Nothing else crosses between the two sides, so neither needs the other's lock.
//   - A segment belongs to the producers from the moment it is linked until they leave it, and to the
//     consumers, too, from its first entry on; it is let go by the consumer that empties it, which
//     then finds that the producers have left.
//   - Order: entries of a lane leave it in the order in which they came.
//
// Segments are made and freed without a lock. Empty ones are kept up to a megabyte, so that a queue
// in its steady state allocates nothing; a long queue that gets short gives all others back.
#pragma once

#include "platform/biased_lock.h"
#include "platform/memory.h"
#include "workers/task.h"

#include <atomic>
#include <cstdint>

namespace pool {

class TaskQueue {
public:
    // `fast_capacity`: see set_fast_capacity().
    TaskQueue(Memory &memory, uint64_t fast_capacity)
        : memory_(memory), fast_capacity_(fast_capacity) {}
    ~TaskQueue();
    TaskQueue(const TaskQueue &) = delete;
    TaskQueue &operator=(const TaskQueue &) = delete;

    static constexpr int kLanes = 3; // the first one goes first
    static int lane_of(int32_t priority) { return POOL_WORKERS_HIGH - priority; }

    enum class Pushed { kYes, kFull, kClosed, kNoMemory };

    // As many of the entries as there is room for, one after the other; *taken says how many. kYes: all.
    // What the caller loads after that is not older than its entries (the unlock is a full fence).
    // Unless it may allocate, kNoMemory asks for stock_up(). `repaid` is what is owed less by this.
    Pushed push(int lane, const Entry *entries, size_t count, uint64_t capacity, size_t *taken,
                bool may_allocate = true, int64_t repaid = 0);

    // One entry into the normal lane, if nothing has to be seen to but storing it; if not, call push().
    // `unfenced()` is asked after the push: may what the caller loads after that be older than it?
    enum class PushedFast { kNo, kUnfenced, kFenced };
    template <class Unfenced>
    POOL_ALWAYS_INLINE PushedFast push_fast(pool_workers_task_fn run, void *arg,
                                            Unfenced unfenced) {
        if (__builtin_expect(in_lock_.lock_by_bias(), 1))
            return push_held<BiasedLock::Held::kByBias>(run, arg, unfenced);
        return push_by_word(run, arg, unfenced);
    }

    // Up to how many entries push_fast() may fill the queue; 0: it takes none.
    void set_fast_capacity(uint64_t capacity);

    // Capacities without a bound: for any task, and for what belongs to tasks that have been taken, even
    // into a queue that is closed.
    static constexpr uint64_t kUnbounded = UINT64_MAX;
    static constexpr uint64_t kBeyondAll = UINT64_MAX - 1;
    static_assert(kUnbounded == POOL_WORKERS_UNBOUNDED && kBeyondAll == POOL_WORKERS_HANDOFF);

    // Have memory for the next push at hand. False: there is none.
    bool stock_up();

    // Tasks that wait on although their entries were popped (more), and entries in the queue whose tasks
    // do not wait any more (less): what takes room is the tasks.
    void owe(int64_t more) { owed_.fetch_add(more, std::memory_order_acq_rel); }
    uint64_t used() const {
        const int64_t sum = static_cast<int64_t>(waiting()) + owed_.load(std::memory_order_acquire);
        return sum > 0 ? static_cast<uint64_t>(sum) : 0;
    }

    // The same, and never more than there is, whatever goes on meanwhile. (For statistics: it takes the
    // consumers' lock.)
    uint64_t used_at_most();

    // The next one, unless there is none or the queue is held.
    struct Popped {
        bool room_wanted = false; // somebody waits for it
        int64_t since = 0;        // when it was pushed, if that was measured; else 0
    };
    bool pop(Entry *entry, Popped *popped);

    // The same, if nothing has to be seen to but taking it; if not, call pop().
    POOL_ALWAYS_INLINE bool pop_fast(Entry *entry) {
        const BiasedLock::Held held = out_lock_.lock();
        if (__builtin_expect(left_ == 0 || others_used_.load(std::memory_order_relaxed), 0)) {
            out_lock_.unlock(held);
            return false;
        }
        left_--;
        normal_.popped++;
        Entry &place = normal_.segment->entries[normal_.index++];
        *entry = place;
        place.arg = nullptr; // see take()
        if (__builtin_expect(entry->run == is_key, 0))
            owe(1);
        popped_.store(popped_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        out_lock_.unlock(held);
        return true;
    }

    // What waiting() looks at.
    void prefetch() const {
        __builtin_prefetch(&pushed_);
        __builtin_prefetch(&popped_);
    }

    // Measure when the next one is pushed, beside every kSampled-th.
    void sample_next() { sample_next_.store(true, std::memory_order_relaxed); }

    // Have pops say so. From its return on every pop that makes room either does, or is seen.
    void want_room(bool wanted);

    // The last one of the lowest priority, whatever it is: to make room.
    bool pop_oldest_of_lowest(Entry *entry);

    // Take back an entry that no consumer can have taken: there are none.
    bool take_back(const Entry &entry);

    uint64_t waiting() const {
        // In this order, so that the difference is never negative.
        const uint64_t popped = popped_.load(std::memory_order_acquire);
        return pushed() - popped;
    }
    uint64_t pushed() const {
        uint64_t sum = 0;
        for (const std::atomic<uint64_t> &lane : pushed_)
            sum += lane.load(std::memory_order_acquire);
        return sum;
    }
    uint64_t popped() const { return popped_.load(std::memory_order_acquire); }

    // While it is held, nothing is popped. When this returns, pops that were under way have ended.
    void hold(bool held);

    bool is_closed() {
        BiasedLock::Guard guard(in_lock_);
        return closed_;
    }

    // While it is closed, nothing is pushed. When this returns, pushes under way have ended.
    void close(bool closed);

    // In the child after fork: what waits belongs to the parent. The memory of it is given up.
    void forget_all();

private:
    struct Segment {
        static constexpr uint32_t kEntries = 1023;
        Segment *next;
        void *spare;
        Entry entries[kEntries];
    };
    static_assert(sizeof(Segment) == 16384);

    static constexpr int kNormal = POOL_WORKERS_HIGH - POOL_WORKERS_NORMAL;

    // One end of a lane.
    struct In {
        Segment *segment = nullptr;
        uint32_t index = 0;
    };
    struct Out {
        Segment *segment = nullptr;
        uint32_t index = 0;
        uint32_t passed_over = 0; // how often a higher lane was chosen while this one waited
        uint64_t popped = 0;
        uint64_t seen = 0; // what pushed_ was when it was last looked at
    };

    template <class Unfenced>
    __attribute__((noinline)) PushedFast push_by_word(pool_workers_task_fn run, void *arg,
                                                      Unfenced unfenced) {
        in_lock_.lock_by_word();
        return push_held<BiasedLock::Held::kByWord>(run, arg, unfenced);
    }

    template <BiasedLock::Held held, class Unfenced>
    POOL_ALWAYS_INLINE PushedFast push_held(pool_workers_task_fn run, void *arg,
                                            Unfenced unfenced) {
        Entry *place = next_;
        if (__builtin_expect(place == limit_ || sample_next_.load(std::memory_order_relaxed), 0)) {
            in_lock_.unlock(held);
            return PushedFast::kNo;
        }
        place->run = run;
        place->arg = arg;
        next_ = place + 1;
        pushed_[kNormal].store(pushed_[kNormal].load(std::memory_order_relaxed) + 1,
                               std::memory_order_release);
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (unfenced()) {
            in_lock_.unlock(held);
            return PushedFast::kUnfenced;
        }
        in_lock_.unlock_fenced(held);
        return PushedFast::kFenced;
    }

    Segment *spare_or_new();
    Segment *take_spare();
    void give_back(Segment *segment);
    void sample();
    uint64_t used_since(uint64_t popped) const;
    void settle_in();
    void prepare_in();
    void prepare_out();
    bool waits(int lane);
    int choose();
    Entry take(int lane, Segment **emptied, bool dropped);

    Memory &memory_;

    // What producers alone use.
    alignas(64) BiasedLock in_lock_;
    bool closed_ = false;
    std::atomic<bool> sample_next_{false};
    Entry *next_ = nullptr;    // where push_fast() may store entries; nullptr: in_ is up to date
    Entry *limit_ = nullptr;   // as far as here
    uint64_t popped_seen_ = 0; // what popped_ was when it was last looked at
    uint64_t fast_capacity_;
    In in_[kLanes];

    // What producers write and consumers read.
    alignas(64) std::atomic<uint64_t> pushed_[kLanes]{};

    // One entry of the normal lane whose time is measured.
    static constexpr uint64_t kSampled = 64;
    alignas(64) std::atomic<uint64_t> sample_{
        0};                    // its number, from 1; 0: none. Then since is written
    int64_t sample_since_ = 0; // before it is set, and read before it is cleared

    // What consumers write, on one cache line as long as there is one lane.
    alignas(64) BiasedLock out_lock_;
    bool held_ = false;
    bool room_wanted_ = false;
    uint32_t left_ = 0; // how many entries pop_fast() may take
    std::atomic<uint64_t> popped_{0};
    Out normal_;
    Out others_[kLanes]; // but the normal one
    Out &out(int lane) { return lane == kNormal ? normal_ : others_[lane]; }

    // Written when a lane is first used.
    alignas(64) std::atomic<Segment *> first_[kLanes]{};
    std::atomic<bool> others_used_{false};
    std::atomic<int64_t> owed_{0};

    static constexpr uint32_t kMostSpares = 64;
    alignas(64) SpinLock spares_lock_;
    Segment *spares_ = nullptr;
    uint32_t spare_count_ = 0;
};

} // namespace pool
