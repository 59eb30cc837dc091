// SPDX-License-Identifier: Apache-2.0
#include "workers/task_store.h"

#include "workers/group.h"
#include "workers/handle_task.h"
#include "workers/key_lines.h"

namespace pool {

pool_status Shelf::init(pool_cpu_mode mode) {
    void *place = memory_.alloc(Shards::bytes(), alignof(Shards));
    if (place == nullptr)
        return POOL_ENOMEM;
    shards_ = new (place) Shards(memory_, mode, &budget_);
    return shards_->init();
}

void *Shelf::take_slowly() {
    void *record;
    if (shards_->get_locked(&record) || shards_->get_shared(&record))
        return record;
    record = shards_->get();
    return record != nullptr ? record : memory_.alloc(bytes_, kAlignment);
}

void Shelf::give_back_slowly(void *record) {
    if (!shards_->put_locked(record) && !shards_->put_shared(record) && !shards_->put(record))
        memory_.free(record, bytes_, kAlignment);
}

void Shelf::clear() {
    if (shards_ == nullptr)
        return;
    shards_->stop(true);
    auto dispose = [](void *const *records, size_t count, void *self) {
        auto *shelf = static_cast<Shelf *>(self);
        for (size_t i = 0; i < count; i++)
            shelf->memory_.free(records[i], shelf->bytes_, kAlignment);
    };
    while (shards_->shrink(0, {dispose, this}) != 0) {
    }
    shards_->~Shards();
    memory_.free(shards_, Shards::bytes(), alignof(Shards));
}

void Shelf::repair_after_fork() {
    shards_->repair_after_fork();
    budget_.recount_after_fork();
}

TaskStore::TaskStore(const pool_allocator *allocator)
    : allocator_(allocator != nullptr ? *allocator : pool_allocator{}),
      custom_(allocator != nullptr), memory_(allocator), tasks(memory_, sizeof(Task)),
      groups(memory_, sizeof(Group)), handles(memory_, sizeof(HandleTask)),
      key_lines(memory_, sizeof(KeyLine)) {}

TaskStore *TaskStore::make(const pool_allocator *allocator, pool_cpu_mode mode) {
    Memory memory(allocator);
    void *place = memory.alloc(sizeof(TaskStore), alignof(TaskStore));
    if (place == nullptr)
        return nullptr;
    auto *store = new (place) TaskStore(allocator);
    if (store->tasks.init(mode) == POOL_OK && store->groups.init(mode) == POOL_OK &&
        store->handles.init(mode) == POOL_OK && store->key_lines.init(mode) == POOL_OK)
        return store;
    store->free();
    return nullptr;
}

void TaskStore::free() {
    tasks.clear();
    groups.clear();
    handles.clear();
    key_lines.clear();
    const pool_allocator allocator = allocator_;
    const bool custom = custom_;
    this->~TaskStore();
    Memory(custom ? &allocator : nullptr).free(this, sizeof(TaskStore), alignof(TaskStore));
}

void TaskStore::repair_after_fork() {
    tasks.repair_after_fork();
    groups.repair_after_fork();
    handles.repair_after_fork();
    key_lines.repair_after_fork();
}

} // namespace pool
