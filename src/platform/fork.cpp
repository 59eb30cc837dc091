// SPDX-License-Identifier: Apache-2.0
#include "platform/fork.h"

#include "platform/status.h"

#include <mutex>
#include <new>
#include <pthread.h>

namespace pool {
namespace {

// Never destroyed: pools may live longer than static destructors run.
struct Watchers {
    std::mutex mutex;
    List<ForkWatcher> list;
    bool installed = false;
};

Watchers &watchers() {
    alignas(Watchers) static unsigned char memory[sizeof(Watchers)];
    static Watchers *const instance = new (memory) Watchers;
    return *instance;
}

void before_fork() {
    watchers().mutex.lock();
}

void after_fork_in_parent() {
    watchers().mutex.unlock();
}

void after_fork_in_child() {
    Watchers &all = watchers();
    all.mutex.unlock();
    fork_count.fetch_add(1, std::memory_order_relaxed);
    for (ForkWatcher *watcher = all.list.front(); watcher != nullptr;
         watcher = all.list.next(watcher))
        watcher->in_child(watcher);
}

} // namespace

pool_status watch_fork(ForkWatcher *watcher) {
    Watchers &all = watchers();
    std::lock_guard<std::mutex> guard(all.mutex);
    if (!all.installed) {
        if (pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) != 0)
            return fail(POOL_ENOMEM, "fork handlers could not be installed");
        all.installed = true;
    }
    if (!watcher->linked())
        all.list.push_back(watcher);
    return POOL_OK;
}

void unwatch_fork(ForkWatcher *watcher) {
    Watchers &all = watchers();
    std::lock_guard<std::mutex> guard(all.mutex);
    List<ForkWatcher>::remove(watcher);
}

std::mutex &fork_mutex() {
    return watchers().mutex;
}

} // namespace pool
