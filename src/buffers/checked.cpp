// SPDX-License-Identifier: Apache-2.0
#include "buffers/checked.h"

#include "platform/fork.h"
#include "platform/status.h"

#include <cinttypes>
#include <cstring>
#include <mutex>
#include <new>
#include <unordered_map>

namespace pool {
namespace {

constexpr unsigned char kPattern = 0xdb;

struct Record {
    CheckedBuffers::Owner owner;
    uint64_t capacity;
    bool out;
};

// Never destroyed: pools may live longer than static destructors run.
struct Table : ForkWatcher {
    std::mutex mutex;
    std::unordered_map<void *, Record> records;
    bool lossy = false; // memory has run out once, or a fork tore it: a buffer may be unknown

    Table() {
        // If another thread of the parent was changing the table, what it left cannot be trusted.
        in_child = [](ForkWatcher *self) {
            auto *table = static_cast<Table *>(self);
            bool whole = table->mutex.try_lock();
            new (&table->mutex) std::mutex;
            if (!whole) {
                new (&table->records) std::unordered_map<void *, Record>;
                table->lossy = true;
            }
        };
    }
};

Table &table() {
    alignas(Table) static unsigned char memory[sizeof(Table)];
    static Table *const instance = [] {
        auto *made = new (memory) Table;
        watch_fork(made); // without it, only a fork beside a checked pool could hurt the child
        return made;
    }();
    return *instance;
}

} // namespace

bool CheckedBuffers::handed_out(const Owner &owner, void *buffer, uint64_t capacity) {
    Table &t = table();
    std::lock_guard<std::mutex> guard(t.mutex);
    auto found = t.records.find(buffer);
    if (found == t.records.end()) {
        try {
            t.records[buffer] = {owner, capacity, true};
        } catch (const std::bad_alloc &) {
            t.lossy = true;
        }
        return true;
    }
    found->second.out = true;
    return false;
}

pool_status CheckedBuffers::taken_back(const Owner &owner, void *buffer, uint64_t capacity) {
    Table &t = table();
    std::lock_guard<std::mutex> guard(t.mutex);
    auto found = t.records.find(buffer);
    if (found == t.records.end()) {
        if (t.lossy)
            return POOL_OK;
        return fail(POOL_EMISUSE, "put of %p: pool '%s' has not handed it out", buffer, owner.name);
    }
    Record &record = found->second;
    if (record.owner.pool != owner.pool)
        return fail(POOL_EMISUSE, "put of %p into pool '%s': it belongs to pool '%s'", buffer,
                    owner.name, record.owner.name);
    if (!record.out)
        return fail(POOL_EMISUSE, "double put of %p: it is idle in pool '%s' already", buffer,
                    owner.name);
    if (record.capacity != capacity)
        return fail(POOL_EMISUSE, "put of %p with %" PRIu64 " bytes: pool '%s' gave it %" PRIu64,
                    buffer, capacity, owner.name, record.capacity);
    record.out = false;
    return POOL_OK;
}

void CheckedBuffers::fill(void *buffer, uint64_t capacity, bool zeroed) {
    memset(buffer, zeroed ? 0 : kPattern, capacity);
}

bool CheckedBuffers::intact(const void *buffer, uint64_t capacity, bool zeroed) {
    const auto *bytes = static_cast<const unsigned char *>(buffer);
    return bytes[0] == (zeroed ? 0 : kPattern) && memcmp(bytes, bytes + 1, capacity - 1) == 0;
}

void CheckedBuffers::forget(void *buffer) {
    Table &t = table();
    std::lock_guard<std::mutex> guard(t.mutex);
    t.records.erase(buffer);
}

size_t CheckedBuffers::out(const Owner &owner, void **first) {
    Table &t = table();
    std::lock_guard<std::mutex> guard(t.mutex);
    size_t count = 0;
    for (const auto &[buffer, record] : t.records)
        if (record.owner.pool == owner.pool && record.out && count++ == 0)
            *first = buffer;
    return count;
}

void CheckedBuffers::forget_all(const Owner &owner) {
    Table &t = table();
    std::lock_guard<std::mutex> guard(t.mutex);
    std::erase_if(t.records,
                  [&](const auto &entry) { return entry.second.owner.pool == owner.pool; });
}

} // namespace pool
