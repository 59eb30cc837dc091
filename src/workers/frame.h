// Frame: a task that a thread is inside of.
//
// SPDX-License-Identifier: Apache-2.0
//
// It stands on the stack of that thread, on top of the frame there was: a task that waits for others
// may run them meanwhile. The thread is a worker, or a submitter that found the queue full.
#pragma once

#include "workers/place.h"
#include "workers/task.h"

namespace pool {

struct HandleTask;

struct Frame {
    // In worker.h.
    inline Frame(Workers *its_pool, Worker *its_worker, HandleTask *its_task, Group *its_group,
                 void *arg, const char *name);
    inline ~Frame();
    Frame(const Frame &) = delete;
    Frame &operator=(const Frame &) = delete;

    // That of the calling thread, or nullptr.
    static Frame *current() { return this_place().frame; }

    Place &place;
    Workers *const pool;
    Worker *const worker;   // nullptr: a submitter
    HandleTask *const task; // nullptr: it has no handle
    Group *const group;     // nullptr: it is in none
    bool saw_cancel = false;
    TaskEnd end; // as far as the task has said
    Frame *const outer;
    const uint64_t number; // no other frame ever has it; 0: a submitter's
    void *const outer_arg;
    const char *const outer_name;
    const int64_t outer_since;
};

} // namespace pool
