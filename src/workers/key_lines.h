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
// queue's locks are taken inside, nothing is allocated and nobody is called. A larger table is made
// outside and filled inside, when there are four lines a bucket; it never gets smaller.
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
        KeyLine *line = table_[bucket(key)];
        while (line != nullptr && line->key != key)
            line = line->chain;
        return line;
    }

    void insert(KeyLine *line) {
        line->chain = table_[bucket(line->key)];
        table_[bucket(line->key)] = line;
        lines_++;
    }

    bool crowded() const { return lines_ / kCrowd >= buckets(); }
    uint32_t buckets() const { return 1u << log2_; }

    // From now on in this table of so many buckets, all nullptr. The one of before, which is the
    // caller's to free, or nullptr.
    KeyLine **move_to(KeyLine **table, uint32_t log2) {
        KeyLine **old = table_;
        const uint32_t old_buckets = buckets();
        table_ = table;
        log2_ = log2;
        for (uint32_t i = 0; i < old_buckets; i++)
            for (KeyLine *next, *line = old[i]; line != nullptr; line = next) {
                next = line->chain;
                line->chain = table_[bucket(line->key)];
                table_[bucket(line->key)] = line;
            }
        return old != first_table_ ? old : nullptr;
    }
    KeyLine **own_table() const { return table_ != first_table_ ? table_ : nullptr; }
    uint32_t log2() const { return log2_; }

    // True: the caller has the record.
    bool remove_if_over(KeyLine *line) {
        if (line->running || line->first != nullptr)
            return false;
        KeyLine **link = &table_[bucket(line->key)];
        while (*link != line)
            link = &(*link)->chain;
        *link = line->chain;
        lines_--;
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
        for (KeyLine *&head : first_table_)
            head = nullptr;
        table_ = first_table_;
        log2_ = kFirstLog2;
        lines_ = 0;
    }

private:
    static constexpr uint32_t kFirstLog2 = 8;
    static constexpr uint64_t kCrowd = 4;
    uint32_t bucket(uint64_t key) const {
        return static_cast<uint32_t>(key * 0x9e3779b97f4a7c15u >> (64 - log2_));
    }

    KeyLine *first_table_[1u << kFirstLog2] = {};
    KeyLine **table_ = first_table_;
    uint32_t log2_ = kFirstLog2;
    uint64_t lines_ = 0;
};

} // namespace pool
