// SPDX-License-Identifier: Apache-2.0
#include "platform/registry.h"

#include "platform/fork.h"

#include <new>

namespace pool {
namespace {

// Never destroyed: pools may live longer than static destructors run.
List<RegistryEntry> &entries() {
    alignas(List<RegistryEntry>) static unsigned char memory[sizeof(List<RegistryEntry>)];
    static auto *const list = new (memory) List<RegistryEntry>;
    return *list;
}

uint64_t last_id = 0;

} // namespace

void register_pool(RegistryEntry *entry) {
    std::lock_guard<std::mutex> guard(fork_mutex());
    entry->id = ++last_id;
    entries().push_back(entry);
}

void unregister_pool(RegistryEntry *entry) {
    std::lock_guard<std::mutex> guard(fork_mutex());
    if (entry->linked())
        List<RegistryEntry>::remove(entry);
}

void for_each_pool(void (*visit)(const RegistryEntry &entry, void *ctx), void *ctx) {
    std::lock_guard<std::mutex> guard(fork_mutex());
    for (RegistryEntry *entry = entries().front(); entry != nullptr; entry = entries().next(entry))
        visit(*entry, ctx);
}

} // namespace pool
