// Noticing fork: every pool repairs itself in the child.
//
// SPDX-License-Identifier: Apache-2.0
//
// Invariant: the list of watchers changes only under its mutex, and fork() itself holds that mutex,
// so the child inherits a whole list. In the child exactly one thread exists; a watcher's callback
// runs on it, may touch everything, and must not allocate or wait.
#pragma once

#include "platform/list.h"
#include "pool/common.h"

#include <atomic>
#include <mutex>

namespace pool {

struct ForkWatcher : ListLink {
    void (*in_child)(ForkWatcher *self) = nullptr;
};

// POOL_ENOMEM if the handlers cannot be installed. One that is watched already is left alone.
pool_status watch_fork(ForkWatcher *watcher);
void unwatch_fork(ForkWatcher *watcher);

// The mutex that fork() itself holds: a process-wide list that it guards is whole in the child.
// Held briefly, never across a callback.
std::mutex &fork_mutex();

// How many forks lie between the process that first used the library and this one.
inline std::atomic<unsigned> fork_count{0};
inline unsigned fork_generation() {
    return fork_count.load(std::memory_order_relaxed);
}

} // namespace pool
