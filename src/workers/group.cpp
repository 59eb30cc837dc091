// SPDX-License-Identifier: Apache-2.0
#include "workers/group.h"

#include "sync/futex.h"

#include <cstring>
#include <new>

namespace pool {

void Group::sleep(int64_t until) {
    uint32_t word = word_.load(std::memory_order_acquire);
    while ((word >> 1) != 0 && (word & 1) == 0)
        if (word_.compare_exchange_weak(word, word | 1, std::memory_order_acq_rel,
                                        std::memory_order_acquire))
            word |= 1;
    if ((word >> 1) != 0)
        futex_wait(word_, word, until);
    else
        word_.fetch_and(~1u, std::memory_order_relaxed);
}

bool Group::forget() {
    forks_ = fork_generation();
    lock_.reset_after_fork();
    listed_.store(nullptr, std::memory_order_relaxed);
    listed_last_ = nullptr;
    return word_.exchange(0, std::memory_order_relaxed) >> 1 != 0;
}

// ---- how tasks end --------------------------------------------------------------------------

GroupResult *Group::new_result(Memory &memory) {
    Chunk *fresh = nullptr;
    GroupResult *result = nullptr;
    while (result == nullptr) {
        {
            SpinLock::Guard guard(lock_);
            if (count_ % kChunk == 0 && fresh != nullptr) {
                (last_chunk_ != nullptr ? last_chunk_->next : chunks_) = fresh;
                last_chunk_ = fresh;
                fresh = nullptr;
                result = &last_chunk_->results[0];
            } else if (count_ % kChunk != 0) {
                result = &last_chunk_->results[count_ % kChunk];
            }
            if (result != nullptr)
                result->index = count_++;
        }
        if (result == nullptr) {
            void *place = memory.alloc(sizeof(Chunk), alignof(Chunk));
            if (place == nullptr)
                return nullptr;
            fresh = new (place) Chunk{};
        }
    }
    if (fresh != nullptr)
        memory.free(fresh, sizeof(Chunk), alignof(Chunk));
    return result;
}

void Group::note(GroupResult *result, const TaskEnd &end) {
    const bool bad = end.status != POOL_OK;
    if (!bad && result == nullptr)
        return;
    {
        SpinLock::Guard guard(lock_);
        if (bad && !bad_.load(std::memory_order_relaxed)) {
            bad_.store(true, std::memory_order_relaxed);
            first_bad_ = end;
        }
        if (result == nullptr)
            return;
        result->end = end;
        result->next_ended = nullptr;
        (last_ended_ != nullptr ? last_ended_->next_ended : first_ended_) = result;
        last_ended_ = result;
    }
    ended_word_.fetch_add(1, std::memory_order_acq_rel);
    futex_wake_all(&ended_word_);
}

pool_status Group::outcome(char (&message)[kMessageBytes]) {
    SpinLock::Guard guard(lock_);
    message[0] = '\0';
    pool_status status = POOL_OK;
    if (bad_.load(std::memory_order_relaxed)) {
        status = first_bad_.status;
        memcpy(message, first_bad_.message, sizeof message);
    } else if (cancelled_.load(std::memory_order_relaxed)) {
        status = POOL_ECANCELED;
    }
    bad_.store(false, std::memory_order_relaxed);
    return status;
}

bool Group::result(size_t index, TaskEnd *end) {
    SpinLock::Guard guard(lock_);
    if (index >= count_)
        return false;
    Chunk *chunk = chunks_;
    for (size_t before = index / kChunk; before > 0; before--)
        chunk = chunk->next;
    *end = chunk->results[index % kChunk].end;
    return true;
}

// The next one that has ended and was not read; false: there is none now. *any_left: there will be.
bool Group::next_ended(size_t *index, TaskEnd *end, bool *any_left, uint32_t *seen) {
    *seen = ended_word_.load(std::memory_order_acquire);
    SpinLock::Guard guard(lock_);
    *any_left = read_ < count_;
    GroupResult *result = first_ended_;
    if (result == nullptr)
        return false;
    *index = result->index;
    *end = result->end;
    first_ended_ = result->next_ended;
    if (first_ended_ == nullptr)
        last_ended_ = nullptr;
    read_++;
    return true;
}

void Group::sleep_for_ended(uint32_t seen, int64_t until) {
    futex_wait(ended_word_, seen, until);
}

void Group::free_chunks(Memory &memory) {
    while (Chunk *chunk = chunks_) {
        chunks_ = chunk->next;
        memory.free(chunk, sizeof(Chunk), alignof(Chunk));
    }
}

// ---- the list of those in the shared queue --------------------------------------------------

// Behind the others. Those in front that were run from the queue are taken out, into *dead.
void Group::list(Task *task, Task **dead) {
    task->next = nullptr;
    SpinLock::Guard guard(lock_);
    Task *first = listed_.load(std::memory_order_relaxed);
    for (int i = 0; i < 2 && first != nullptr && first->state() != POOL_WORKERS_QUEUED; i++) {
        Task *gone = first;
        first = gone->next;
        gone->next = *dead;
        *dead = gone;
    }
    (first != nullptr ? listed_last_->next : first) = task;
    listed_last_ = task;
    listed_.store(first, std::memory_order_relaxed);
}

// The oldest one that nobody has begun, which is the caller's now; nullptr if there is none.
Task *Group::claim_listed(Task **dead) {
    SpinLock::Guard guard(lock_);
    while (Task *task = listed_.load(std::memory_order_relaxed)) {
        listed_.store(task->next, std::memory_order_relaxed);
        uint32_t word = POOL_WORKERS_QUEUED;
        if (task->word.compare_exchange_strong(word, POOL_WORKERS_RUNNING,
                                               std::memory_order_acq_rel))
            return task;
        task->next = *dead;
        *dead = task;
    }
    return nullptr;
}

} // namespace pool
