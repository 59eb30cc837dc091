// KeyLines: tasks of one key run one at a time, in the order in which they were submitted.
//
// SPDX-License-Identifier: Apache-2.0
//
// Each key that has tasks has a line of them. What lies in the queue is a token for each, good for
// whichever task is the first in the line when a worker takes it. A token that comes while a task of
// the key runs is owed: the worker that runs that task puts it back when the task has ended.
//
// Invariants, whenever mutex is free:
//   - tasks in a line = its tokens in the queue + what it is owed
//   - a line is in the table while it has tasks or one of them runs
//
// A token is pushed and its task appended under the mutex, so tokens never are more than tasks; the
// queue's locks are taken inside, nothing is allocated and nobody is called.
#pragma once

#include "workers/handle_task.h"

#include <cstdint>
#include <mutex>

namespace pool {

struct KeyLine {
    uint64_t key;
    KeyLine *chain; // the next one in its bucket
    HandleTask *first;
    HandleTask *last;
    uint64_t owed;
    bool running;
};

class KeyLines {
public:
    std::mutex mutex; // guards everything below

    KeyLine *find(uint64_t key) const {
        KeyLine *line = buckets_[bucket(key)];
        while (line != nullptr && line->key != key)
            line = line->chain;
        return line;
    }

    void insert(KeyLine *line) {
        line->chain = buckets_[bucket(line->key)];
        buckets_[bucket(line->key)] = line;
    }

    // True: the caller has the record.
    bool remove_if_over(KeyLine *line) {
        if (line->running || line->first != nullptr)
            return false;
        KeyLine **link = &buckets_[bucket(line->key)];
        while (*link != line)
            link = &(*link)->chain;
        *link = line->chain;
        return true;
    }

    static void append(KeyLine *line, HandleTask *task) {
        task->next = nullptr;
        if (line->first != nullptr)
            line->last->next = task;
        else
            line->first = task;
        line->last = task;
    }

    static HandleTask *take_first(KeyLine *line) {
        HandleTask *task = line->first;
        line->first = static_cast<HandleTask *>(task->next);
        return task;
    }

    // In the child after fork: the tasks are the parent's.
    void forget_all() {
        for (KeyLine *&head : buckets_)
            head = nullptr;
    }

private:
    static constexpr uint32_t kBuckets = 256;
    static uint32_t bucket(uint64_t key) {
        return static_cast<uint32_t>(key * 0x9e3779b97f4a7c15u >> 56);
    }

    KeyLine *buckets_[kBuckets] = {};
};

} // namespace pool
