// Tasks with a key: into the queue, and out of it.
//
// SPDX-License-Identifier: Apache-2.0
#include "workers/workers.h"

#include "platform/nap.h"

#include <cstring>
#include <new>

namespace pool {

TaskQueue::Pushed Workers::push_keyed(HandleTask *task, bool beyond) {
    auto *fresh = static_cast<KeyLine *>(store_->key_lines.take());
    if (fresh == nullptr)
        return TaskQueue::Pushed::kNoMemory;
    if (handoff() && !beyond && !enter_if_free()) {
        store_->key_lines.give_back(fresh);
        return queue_.is_closed() ? TaskQueue::Pushed::kClosed : TaskQueue::Pushed::kFull;
    }
    TaskQueue::Pushed pushed;
    bool crowded = false;
    for (;;) {
        {
            std::lock_guard<std::mutex> guard(keys_.mutex);
            KeyLine *line = keys_.find(task->key);
            if (line == nullptr) {
                new (fresh) KeyLine{task->key, nullptr, nullptr, nullptr, 0, false};
                line = fresh;
            }
            const Entry token = {is_key, line};
            size_t taken;
            pushed =
                queue_.push(task->lane, &token, 1,
                            beyond || handoff() ? TaskQueue::kUnbounded : capacity_, &taken, false);
            if (pushed == TaskQueue::Pushed::kYes) {
                KeyLines::append(line, task);
                if (line == fresh) {
                    keys_.insert(line);
                    fresh = nullptr;
                    crowded = keys_.crowded();
                }
            }
        }
        if (pushed != TaskQueue::Pushed::kNoMemory || !queue_.stock_up())
            break;
    }
    if (crowded)
        make_room_for_keys();
    if (fresh != nullptr)
        store_->key_lines.give_back(fresh);
    if (beyond && pushed == TaskQueue::Pushed::kYes)
        enter_handoff(1);
    if (!beyond && handoff() && pushed != TaskQueue::Pushed::kYes)
        leave_handoff();
    return pushed;
}

// Without memory for a larger table the one there is has to do.
void Workers::make_room_for_keys() {
    constexpr uint32_t kMostLog2 = 24;
    uint32_t log2;
    {
        std::lock_guard<std::mutex> guard(keys_.mutex);
        log2 = keys_.log2() + 2;
    }
    if (log2 > kMostLog2)
        return;
    const auto bytes = [](uint32_t size) { return sizeof(KeyLine *) << size; };
    auto **table = static_cast<KeyLine **>(memory_.alloc(bytes(log2), alignof(KeyLine *)));
    if (table == nullptr)
        return;
    memset(table, 0, bytes(log2));
    uint32_t old_log2 = log2;
    {
        std::lock_guard<std::mutex> guard(keys_.mutex);
        if (keys_.log2() < log2) {
            old_log2 = keys_.log2();
            table = keys_.move_to(table, log2);
        }
    }
    if (table != nullptr)
        memory_.free(table, bytes(old_log2), alignof(KeyLine *));
}

void Workers::free_keys() {
    if (KeyLine **table = keys_.own_table())
        memory_.free(table, sizeof(KeyLine *) << keys_.log2(), alignof(KeyLine *));
}

// A worker has a token in its hands.
void Workers::run_key(Worker *worker, KeyLine *line) {
    HandleTask *task;
    {
        std::lock_guard<std::mutex> guard(keys_.mutex);
        if (line->running) {
            line->owed++;
            return;
        }
        line->running = true;
        task = KeyLines::take_first(line);
    }
    queue_.owe(-1);
    call_submitter(); // the room of this one is free only now
    // Should the task end its thread, the next one of its key must not wait for ever.
    struct End {
        ~End() { pool->end_of_key(line); }
        Workers *pool;
        KeyLine *line;
    } end{this, line};
    run_handle(worker, task);
}

// No task of the key runs any more: what the line is owed goes back into the queue, though the pool may
// be stopped, since the task was taken before.
void Workers::end_of_key(KeyLine *line) {
    for (;;) {
        TaskQueue::Pushed pushed = TaskQueue::Pushed::kYes;
        bool over = false;
        bool put_back = false;
        {
            std::lock_guard<std::mutex> guard(keys_.mutex);
            if (line->owed != 0) {
                put_back = true;
                const Entry token = {is_key, line};
                size_t taken;
                pushed = queue_.push(line->first->lane, &token, 1, TaskQueue::kBeyondAll, &taken,
                                     false, 1);
                if (pushed == TaskQueue::Pushed::kYes)
                    line->owed--;
            }
            if (pushed == TaskQueue::Pushed::kYes) {
                line->running = false;
                over = keys_.remove_if_over(line);
            }
        }
        if (pushed == TaskQueue::Pushed::kYes) {
            if (put_back)
                enter_handoff(1);
            over ? store_->key_lines.give_back(line) : call_worker();
            return;
        }
        if (!queue_.stock_up()) {
            nap(1000000); // it was accepted: now it waits for memory
        }
    }
}

// A token is taken out of the queue by one who drops tasks: the first of its line, which that need not
// belong to.
HandleTask *Workers::take_keyed(KeyLine *line) {
    bool over = false;
    bool stands =
        false; // others of the key are owed a token, and nobody runs who would put it back
    HandleTask *task;
    {
        std::lock_guard<std::mutex> guard(keys_.mutex);
        task = KeyLines::take_first(line);
        stands = !line->running && line->owed != 0;
        if (stands)
            line->running = true; // for as long as it takes
        else
            over = keys_.remove_if_over(line);
    }
    if (stands)
        end_of_key(line);
    if (over)
        store_->key_lines.give_back(line);
    return task;
}

} // namespace pool
