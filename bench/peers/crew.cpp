// The peer that is a mutex, two condition variables, a deque and some threads. See peers.h.
//
// SPDX-License-Identifier: Apache-2.0
//
// A task is a function and its argument, as in the pool, and not a std::function, which would cost
// more. Who submits wakes one thread, after the lock is free, whether one sleeps or not.
#include "peers.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

struct peers_crew {
    struct Item {
        peers_task task;
        void *arg;
    };

    std::mutex mutex;
    std::condition_variable added;
    std::condition_variable ended; // nothing waits or runs
    std::deque<Item> waiting;
    size_t running = 0;
    bool stopped = false;
    std::vector<std::thread> threads;

    void work();
};

void peers_crew::work() {
    std::unique_lock<std::mutex> lock(mutex);
    while (true) {
        added.wait(lock, [this] { return !waiting.empty() || stopped; });
        if (waiting.empty())
            return;
        const Item item = waiting.front();
        waiting.pop_front();
        ++running;
        lock.unlock();
        item.task(item.arg);
        lock.lock();
        if (--running == 0 && waiting.empty())
            ended.notify_all();
    }
}

peers_crew *peers_crew_create(uint32_t threads) {
    auto *crew = new peers_crew;
    for (uint32_t i = 0; i < threads; ++i)
        crew->threads.emplace_back(&peers_crew::work, crew);
    return crew;
}

int32_t peers_crew_submit(peers_crew *crew, peers_task task, void *arg) {
    {
        std::lock_guard<std::mutex> guard(crew->mutex);
        crew->waiting.push_back({task, arg});
    }
    crew->added.notify_one();
    return 0;
}

void peers_crew_wait(peers_crew *crew) {
    std::unique_lock<std::mutex> lock(crew->mutex);
    crew->ended.wait(lock, [crew] { return crew->waiting.empty() && crew->running == 0; });
}

void peers_crew_destroy(peers_crew *crew) {
    if (crew == nullptr)
        return;
    {
        std::lock_guard<std::mutex> guard(crew->mutex);
        crew->stopped = true;
    }
    crew->added.notify_all();
    for (std::thread &thread : crew->threads)
        thread.join();
    delete crew;
}
