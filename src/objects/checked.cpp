// SPDX-License-Identifier: Apache-2.0
#include "objects/checked.h"

#include "platform/status.h"

#include <new>

namespace pool {

// Where memory for the table runs out an object goes untracked: checked mode may miss a mistake
// then, but never invents one, as taken_back() adopts what was lost.

void CheckedTable::handed_out(void *object) {
    std::lock_guard<std::mutex> guard(mutex_);
    try {
        out_[object] = true;
    } catch (const std::bad_alloc &) {
        lossy_ = true;
    }
}

pool_status CheckedTable::taken_back(void *object, bool adopt, const char *pool_name) {
    std::lock_guard<std::mutex> guard(mutex_);
    auto found = out_.find(object);
    if (found == out_.end()) {
        if (!adopt && !lossy_)
            return fail(POOL_EMISUSE, "put of %p: pool '%s' has not handed it out", object,
                        pool_name);
        try {
            out_[object] = false;
        } catch (const std::bad_alloc &) {
            lossy_ = true;
        }
        return POOL_OK;
    }
    if (!found->second)
        return fail(POOL_EMISUSE, "double put of %p: it is idle in pool '%s' already", object,
                    pool_name);
    found->second = false;
    return POOL_OK;
}

void CheckedTable::forget(void *object) {
    std::lock_guard<std::mutex> guard(mutex_);
    out_.erase(object);
}

size_t CheckedTable::out(void **first) const {
    std::lock_guard<std::mutex> guard(mutex_);
    size_t count = 0;
    for (const auto &[object, is_out] : out_) {
        if (is_out && count++ == 0)
            *first = object;
    }
    return count;
}

void CheckedTable::clear() {
    std::lock_guard<std::mutex> guard(mutex_);
    out_.clear();
}

// If another thread of the parent was changing the table, what it left cannot be trusted.
void CheckedTable::repair_after_fork() {
    bool whole = mutex_.try_lock();
    new (&mutex_) std::mutex;
    if (!whole) {
        new (&out_) std::unordered_map<void *, bool>;
        lossy_ = true;
    }
}

} // namespace pool
