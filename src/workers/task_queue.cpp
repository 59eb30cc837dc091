// SPDX-License-Identifier: Apache-2.0
#include "workers/task_queue.h"

#include "platform/clock.h"

#include <new>

namespace pool {

TaskQueue::~TaskQueue() {
    for (int lane = 0; lane < kLanes; lane++) {
        Segment *segment = out(lane).segment;
        if (segment == nullptr)
            segment = first_[lane].load(std::memory_order_relaxed);
        while (segment != nullptr) {
            Segment *next = segment->next;
            memory_.free(segment, sizeof(Segment), alignof(Segment));
            segment = next;
        }
    }
    while (Segment *segment = take_spare())
        memory_.free(segment, sizeof(Segment), alignof(Segment));
}

// ---- producers ------------------------------------------------------------------------------

TaskQueue::Pushed TaskQueue::push(int lane, const Entry *entries, size_t count, uint64_t capacity,
                                  size_t *taken, bool may_allocate, int64_t repaid) {
    *taken = 0;
    Segment *fresh = nullptr;
    Pushed result;
    BiasedLock::Held held = in_lock_.lock();
    settle_in();
    for (;;) {
        if (closed_ && capacity != kBeyondAll) {
            result = Pushed::kClosed;
            break;
        }
        uint64_t used = used_since(popped_seen_);
        if (used >= capacity || capacity - used < count - *taken) {
            // With the consumers' lock, since there is a moment between the two numbers.
            BiasedLock::Guard guard(out_lock_);
            popped_seen_ = popped_.load(std::memory_order_acquire);
            used = used_since(popped_seen_);
        }
        if (used >= capacity) {
            result = Pushed::kFull;
            break;
        }
        In &tail = in_[lane];
        if (tail.segment == nullptr || tail.index == Segment::kEntries) {
            if (fresh == nullptr)
                fresh = take_spare();
            if (fresh == nullptr) {
                in_lock_.unlock(held);
                if (!may_allocate)
                    return Pushed::kNoMemory;
                fresh = spare_or_new();
                if (fresh == nullptr)
                    return Pushed::kNoMemory;
                held = in_lock_.lock();
                settle_in();
                continue;
            }
            fresh->next = nullptr;
            if (tail.segment == nullptr) {
                first_[lane].store(fresh, std::memory_order_relaxed);
                if (lane != kNormal)
                    others_used_.store(true, std::memory_order_relaxed);
            } else {
                tail.segment->next = fresh;
            }
            tail = {fresh, 0};
            fresh = nullptr;
        }
        uint64_t some = count - *taken;
        if (some > capacity - used)
            some = capacity - used;
        if (some > Segment::kEntries - tail.index)
            some = Segment::kEntries - tail.index;
        if (lane == kNormal)
            sample();
        for (uint64_t i = 0; i < some; i++)
            tail.segment->entries[tail.index + i] = entries[*taken + i];
        tail.index += static_cast<uint32_t>(some);
        *taken += some;
        if (*taken == count && repaid != 0)
            owe(-repaid); // first: a task may be missing from a count, but not be there twice
        pushed_[lane].store(pushed_[lane].load(std::memory_order_relaxed) + some,
                            std::memory_order_release);
        if (*taken == count) {
            result = Pushed::kYes;
            break;
        }
    }
    prepare_in();
    in_lock_.unlock_fenced(held);
    if (fresh != nullptr)
        give_back(fresh);
    return result;
}

// Under the producers' lock, as what follows: how many tasks are in the queue if so many were popped.
uint64_t TaskQueue::used_since(uint64_t popped) const {
    const int64_t sum =
        static_cast<int64_t>(pushed() - popped) + owed_.load(std::memory_order_relaxed);
    return sum > 0 ? static_cast<uint64_t>(sum) : 0;
}

// What push_fast() has stored shows in in_, and it stores no more.
void TaskQueue::settle_in() {
    if (next_ != nullptr)
        in_[kNormal].index = static_cast<uint32_t>(next_ - in_[kNormal].segment->entries);
    next_ = limit_ = nullptr;
}

// What push_fast() may do: up to the end of the segment, the bound, and the next entry whose time is
// measured. The bound holds as long as nothing but pushes makes more of what is used.
void TaskQueue::prepare_in() {
    const In &tail = in_[kNormal];
    if (closed_ || tail.segment == nullptr)
        return;
    const uint64_t used = used_since(popped_seen_);
    if (used >= fast_capacity_)
        return;
    uint64_t free = (0 - pushed_[kNormal].load(std::memory_order_relaxed)) % kSampled;
    if (free > Segment::kEntries - tail.index)
        free = Segment::kEntries - tail.index;
    if (free > fast_capacity_ - used)
        free = fast_capacity_ - used;
    next_ = tail.segment->entries + tail.index;
    limit_ = next_ + free;
}

void TaskQueue::set_fast_capacity(uint64_t capacity) {
    BiasedLock::Guard guard(in_lock_);
    settle_in();
    fast_capacity_ = capacity;
}

// Under the lock: the entry that is about to be pushed may be one whose time is measured.
void TaskQueue::sample() {
    const uint64_t number = pushed_[kNormal].load(std::memory_order_relaxed);
    const bool wanted = sample_next_.load(std::memory_order_relaxed);
    if (number % kSampled != 0 && !wanted)
        return;
    if (wanted)
        sample_next_.store(false, std::memory_order_relaxed);
    if (sample_.load(std::memory_order_acquire) != 0)
        return; // the one before has not been popped
    sample_since_ = clock_now();
    sample_.store(number + 1, std::memory_order_release);
}

bool TaskQueue::take_back(const Entry &entry) {
    BiasedLock::Guard in(in_lock_);
    settle_in();
    BiasedLock::Guard guard(out_lock_);
    for (int lane = 0; lane < kLanes; lane++) {
        Segment *segment = out(lane).segment;
        uint32_t index = out(lane).index;
        if (segment == nullptr)
            segment = first_[lane].load(std::memory_order_relaxed);
        while (segment != nullptr) {
            const uint32_t end = segment == in_[lane].segment ? in_[lane].index : Segment::kEntries;
            for (; index < end; index++)
                if (segment->entries[index].run == entry.run &&
                    segment->entries[index].arg == entry.arg) {
                    segment->entries[index] = {is_nothing, nullptr};
                    return true;
                }
            segment = segment->next;
            index = 0;
        }
    }
    return false;
}

void TaskQueue::close(bool closed) {
    BiasedLock::Guard guard(in_lock_);
    settle_in();
    closed_ = closed;
}

// ---- consumers ------------------------------------------------------------------------------

bool TaskQueue::waits(int lane) {
    Out &from = out(lane);
    if (from.popped == from.seen)
        from.seen = pushed_[lane].load(std::memory_order_acquire);
    return from.popped != from.seen;
}

// The lane whose turn it is, or -1.
int TaskQueue::choose() {
    if (!others_used_.load(std::memory_order_relaxed))
        return waits(kNormal) ? kNormal : -1;
    constexpr uint32_t kPatience = 15;
    int chosen = -1;
    for (int lane = 0; lane < kLanes; lane++) {
        if (!waits(lane))
            continue;
        if (chosen < 0) {
            chosen = lane;
        } else if (++out(lane).passed_over > kPatience) {
            chosen = lane;
            break;
        }
    }
    if (chosen >= 0)
        out(chosen).passed_over = 0;
    return chosen;
}

Entry TaskQueue::take(int lane, Segment **emptied, bool dropped) {
    Out &from = out(lane);
    if (from.segment == nullptr) {
        from.segment = first_[lane].load(std::memory_order_relaxed);
        from.index = 0;
    } else if (from.index == Segment::kEntries) {
        *emptied = from.segment;
        from.segment = from.segment->next;
        from.index = 0;
    }
    Entry &place = from.segment->entries[from.index++];
    const Entry entry = place;
    // The cache line gets to be the consumer's alone. If it were left shared, the producer's next write
    // there would wait until all others have given it up, which takes several times as long as a line
    // that comes from elsewhere. (AMD's Zen 4: 54 ns an entry, and 6 with this.)
    place.arg = nullptr;
    from.popped++;
    if (entry.run == is_key && !dropped)
        owe(1); // until its task begins; first, lest there be room for a moment
    popped_.store(popped_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    return entry;
}

POOL_HOT bool TaskQueue::pop(Entry *entry, Popped *popped) {
    Segment *emptied = nullptr;
    const BiasedLock::Held held = out_lock_.lock();
    const int lane = held_ ? -1 : choose();
    if (lane >= 0) {
        *entry = take(lane, &emptied, false);
        if (lane == kNormal && sample_.load(std::memory_order_acquire) == normal_.popped) {
            popped->since = sample_since_;
            sample_.store(0, std::memory_order_release);
        }
    }
    popped->room_wanted = room_wanted_;
    prepare_out();
    out_lock_.unlock(held);
    if (emptied != nullptr)
        give_back(emptied);
    return lane >= 0;
}

// What pop_fast() may do: up to the end of the segment, what is known to be there, and the entry whose
// time is measured. (That one said so before pushed_ counted it.)
POOL_HOT void TaskQueue::prepare_out() {
    left_ = 0;
    if (held_ || room_wanted_ || normal_.segment == nullptr)
        return;
    uint64_t left = normal_.seen - normal_.popped;
    const uint64_t sampled = sample_.load(std::memory_order_acquire);
    if (sampled > normal_.popped && left >= sampled - normal_.popped)
        left = sampled - normal_.popped - 1;
    if (left > Segment::kEntries - normal_.index)
        left = Segment::kEntries - normal_.index;
    left_ = static_cast<uint32_t>(left);
}

uint64_t TaskQueue::used_at_most() {
    BiasedLock::Guard guard(out_lock_);
    return used();
}

void TaskQueue::want_room(bool wanted) {
    BiasedLock::Guard guard(out_lock_);
    left_ = 0;
    room_wanted_ = wanted;
}

bool TaskQueue::pop_oldest_of_lowest(Entry *entry) {
    Segment *emptied = nullptr;
    int lane = kLanes - 1;
    const BiasedLock::Held held = out_lock_.lock();
    while (lane >= 0 && !waits(lane))
        lane--;
    if (lane >= 0)
        *entry = take(lane, &emptied, true);
    left_ = 0;
    out_lock_.unlock(held);
    if (emptied != nullptr)
        give_back(emptied);
    return lane >= 0;
}

void TaskQueue::hold(bool held) {
    BiasedLock::Guard guard(out_lock_);
    left_ = 0;
    held_ = held;
}

// ---- segments -------------------------------------------------------------------------------

TaskQueue::Segment *TaskQueue::spare_or_new() {
    if (Segment *spare = take_spare())
        return spare;
    return static_cast<Segment *>(memory_.alloc(sizeof(Segment), alignof(Segment)));
}

bool TaskQueue::stock_up() {
    void *segment = memory_.alloc(sizeof(Segment), alignof(Segment));
    if (segment != nullptr)
        give_back(static_cast<Segment *>(segment));
    return segment != nullptr;
}

TaskQueue::Segment *TaskQueue::take_spare() {
    SpinLock::Guard guard(spares_lock_);
    Segment *spare = spares_;
    if (spare != nullptr) {
        spares_ = spare->next;
        spare_count_--;
    }
    return spare;
}

void TaskQueue::give_back(Segment *segment) {
    {
        SpinLock::Guard guard(spares_lock_);
        if (spare_count_ < kMostSpares) {
            segment->next = spares_;
            spares_ = segment;
            spare_count_++;
            return;
        }
    }
    memory_.free(segment, sizeof(Segment), alignof(Segment));
}

// ---- fork -----------------------------------------------------------------------------------

void TaskQueue::forget_all() {
    in_lock_.reset_after_fork();
    out_lock_.reset_after_fork();
    spares_lock_.reset_after_fork();
    spares_ = nullptr;
    spare_count_ = 0;
    owed_.store(0, std::memory_order_relaxed);
    sample_.store(0, std::memory_order_relaxed);
    held_ = room_wanted_ = false;
    left_ = 0;
    next_ = limit_ = nullptr;
    popped_.store(pushed(), std::memory_order_relaxed);
    popped_seen_ = pushed();
    for (int lane = 0; lane < kLanes; lane++) {
        in_[lane] = {};
        out(lane) = {};
        first_[lane].store(nullptr, std::memory_order_relaxed);
        out(lane).seen = out(lane).popped = pushed_[lane].load(std::memory_order_relaxed);
    }
}

} // namespace pool
