// SPDX-License-Identifier: Apache-2.0
#include "shards/budget.h"

#include "shards/shards.h"

namespace pool {

Budget::Budget(uint64_t most_objects, uint64_t most_bytes)
    : objects_(most_objects), bytes_(most_bytes) {}

uint64_t Budget::Room::take(uint64_t most, uint64_t size, uint64_t parts) {
    uint64_t now = word_.load(std::memory_order_relaxed);
    for (;;) {
        uint64_t units = (now & kMostBound) / size;
        if (units == 0)
            return 0;
        uint64_t share = units / parts;
        uint64_t take = share >= most ? most : share > 1 ? share : 1;
        // acq_rel: who takes room sees that its former object has left.
        if (word_.compare_exchange_weak(now, now - take * size, std::memory_order_acq_rel,
                                        std::memory_order_relaxed))
            return take;
    }
}

void Budget::Room::give(uint64_t amount) {
    word_.fetch_add(amount + kMostBound + 1, std::memory_order_acq_rel);
}

void Budget::Room::set_used(uint64_t used) {
    word_.store(bound_ > used ? bound_ - used : 0, std::memory_order_relaxed);
}

uint32_t Budget::take(uint32_t most, uint64_t weight, uint64_t parts) {
    uint64_t taken = objects_.bounded() ? objects_.take(most, 1, parts) : most;
    if (taken == 0 || !bytes_.bounded())
        return static_cast<uint32_t>(taken);
    uint64_t with_bytes = bytes_.take(taken, weight, parts);
    if (with_bytes != taken && objects_.bounded())
        objects_.give(taken - with_bytes);
    return static_cast<uint32_t>(with_bytes);
}

void Budget::give(uint64_t objects, uint64_t weight) {
    if (objects == 0)
        return;
    if (bytes_.bounded())
        bytes_.give(objects * weight);
    if (objects_.bounded())
        objects_.give(objects);
}

bool Budget::has_room(uint64_t weight) const {
    return (!objects_.bounded() || objects_.left() != 0) &&
           (!bytes_.bounded() || bytes_.left() >= weight);
}

void Budget::join(Shards *bag) {
    SpinLock::Guard guard(join_lock_);
    bag->next_bag_ = bags_.load(std::memory_order_relaxed);
    bags_.store(bag, std::memory_order_release);
}

void Budget::recount_after_fork() {
    join_lock_.reset_after_fork();
    uint64_t objects = 0, bytes = 0;
    for (Shards *bag = bags(); bag != nullptr; bag = bag->next_bag_) {
        uint64_t room = bag->room_in_use();
        objects += room;
        bytes += room * bag->weight_;
    }
    objects_.set_used(objects);
    bytes_.set_used(bytes);
}

} // namespace pool
