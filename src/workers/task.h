// Task: what waits in a queue until a worker runs it.
//
// SPDX-License-Identifier: Apache-2.0
//
// The plain kind is an Entry and nothing else: two words in a segment of the queue. What must be
// known of a task beyond that (a handle, a group, a deadline, memory of the caller's) makes it a
// Task, and its entry only says where that is.
//
// A Task's state only moves forward, by compare-and-swap, so that of a worker that begins it and a
// caller that cancels it one is right:
//
//     queued --> running --> succeeded, failed or cancelled
//        '-----> cancelled or dropped, and never runs
//
// The entry of one that will never run stays in the queue until a worker comes by; the Task stays
// with it.
#pragma once

#include "pool/worker_groups.h"

#include <atomic>
#include <cstdint>

namespace pool {

struct Task;

struct Entry {
    pool_workers_task_fn run; // or one of the marks below
    void *arg;
};

// Marks: never called, and told from functions by one comparison.
inline constexpr char kMarks[5] = {};
inline pool_workers_task_fn mark(int number) {
    return reinterpret_cast<pool_workers_task_fn>(reinterpret_cast<uintptr_t>(kMarks + number));
}
inline bool is_mark(pool_workers_task_fn run) {
    return reinterpret_cast<uintptr_t>(run) - reinterpret_cast<uintptr_t>(kMarks) < sizeof kMarks;
}
struct Mark { // a constant, whatever is initialized when
    int number;
    operator pool_workers_task_fn() const { return mark(number); }
};
inline constexpr Mark is_task = {0};    // arg is a Task
inline constexpr Mark is_payload = {1}; // arg is for the option `process`
inline constexpr Mark is_subpool = {2}; // arg is a Workers: one of its tasks
inline constexpr Mark is_key = {3};     // arg is a KeyLine: the next task of its key
inline constexpr Mark is_nothing = {4}; // taken back

inline Entry entry_of(Task *task) {
    return {is_task, task};
}

class Group;
struct GroupResult;
class Workers;

// A Task's word: its state, and what is true of it beside that.
constexpr uint32_t kStateMask = 15;  // a pool_workers_state
constexpr uint32_t kCancelFlag = 16; // it should give up
constexpr uint32_t kCommitted = 32;  // it can no longer be cancelled
constexpr uint32_t kWaitedFor = 64;  // somebody sleeps on the word
constexpr uint32_t kFlagSeen = 128;  // it has looked at its flag, and found it set
constexpr uint32_t kSettled = 1024;  // it was begun or ended elsewhere, or its entry was taken out

enum class TaskKind : uint8_t {
    kNode,   // in memory of the caller's, which is his again when it begins
    kGroup,  // from the pool's store
    kHandle, // a HandleTask
};

struct Task {
    Entry what;
    Group *group;        // nullptr: none
    Task *next;          // in whatever list it is in
    GroupResult *result; // where its group keeps how it ended; nullptr: nowhere
    std::atomic<uint32_t> word;
    std::atomic<uint32_t> holds; // places that know it: the queue, its group's list
    TaskKind kind;

    // A task may be begun or ended by one who does not have its entry, which then stays in the queue for
    // a while. Both that one and whoever takes the entry out ask this; the second one gets false.
    bool settle() { return (word.fetch_or(kSettled, std::memory_order_acq_rel) & kSettled) == 0; }

    uint32_t state() const { return word.load(std::memory_order_acquire) & kStateMask; }
};

static_assert(sizeof(Task) <= sizeof(pool_workers_node));

constexpr size_t kMessageBytes = 128;

// How a task ended. Not all of the message is cleared: most tasks have none.
struct TaskEnd {
    TaskEnd() { message[0] = '\0'; }

    pool_workers_state state = POOL_WORKERS_QUEUED;
    pool_status status = POOL_OK;
    int32_t code = 0;
    void *result = nullptr;
    char message[kMessageBytes];
};

} // namespace pool
