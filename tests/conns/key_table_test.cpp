// SPDX-License-Identifier: Apache-2.0
#include "conns/key_table.h"

#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <new>
#include <string>
#include <vector>

namespace {

using pool::Key;
using pool::KeyTable;

Key *make_key(const std::string &bytes, uint64_t hash) {
    const size_t size = (Key::size_for(bytes.size()) + alignof(Key) - 1) & ~(alignof(Key) - 1);
    void *memory = aligned_alloc(alignof(Key), size);
    return new (memory) Key(nullptr, hash, bytes.data(), bytes.size());
}

Key *find(const KeyTable &table, const std::string &bytes, uint64_t hash) {
    return table.find(hash, bytes.data(), bytes.size());
}

TEST(KeyTable, TellsKeysOfOneHashApart) {
    KeyTable table;
    std::vector<Key *> keys;
    for (const char *bytes : {"a", "b", "ab", ""}) {
        keys.push_back(make_key(bytes, 7));
        table.insert(keys.back());
    }
    EXPECT_EQ(find(table, "ab", 7), keys[2]);
    EXPECT_EQ(find(table, "", 7), keys[3]);
    EXPECT_EQ(find(table, "c", 7), nullptr);
    table.remove(keys[1]);
    EXPECT_EQ(find(table, "b", 7), nullptr);
    EXPECT_EQ(find(table, "a", 7), keys[0]);
    EXPECT_EQ(table.size(), 3u);
    for (Key *key : keys)
        free(key);
}

TEST(KeyTable, KeepsItsKeysWhenItGrows) {
    KeyTable table;
    std::vector<Key *> keys;
    for (int i = 0; i < 500; i++) {
        std::string bytes = std::to_string(i);
        if (size_t wanted = table.wants()) {
            auto old = table.adopt({static_cast<Key **>(calloc(wanted, sizeof(Key *))), wanted});
            free(old.array);
        }
        keys.push_back(make_key(bytes, KeyTable::hash(bytes.data(), bytes.size())));
        table.insert(keys.back());
    }
    for (int i = 0; i < 500; i++) {
        std::string bytes = std::to_string(i);
        EXPECT_EQ(find(table, bytes, KeyTable::hash(bytes.data(), bytes.size())),
                  keys[static_cast<size_t>(i)]);
    }
    size_t visited = 0;
    table.for_each([&](Key *key) {
        visited++;
        table.remove(key);
        free(key);
    });
    EXPECT_EQ(visited, 500u);
    EXPECT_EQ(table.size(), 0u);
    free(table.buckets().array);
}

} // namespace
