// KeyTable: a hash table of keys with chains.
//
// SPDX-License-Identifier: Apache-2.0
//
// It allocates nothing itself, since it is used under a lock: whoever is about to insert asks
// whether it wants more buckets, brings them, and frees those that are handed back.
#pragma once

#include "conns/conn.h"

#include <cstddef>
#include <cstdint>

namespace pool {

class KeyTable {
public:
    struct Buckets {
        Key **array = nullptr;
        size_t count = 0; // a power of two
    };

    static uint64_t hash(const void *bytes, size_t length);

    Key *find(uint64_t hash, const void *bytes, size_t length) const;
    void insert(Key *key);
    void remove(Key *key);
    size_t size() const { return size_; }

    // How many buckets it should have to take one key more; 0 if it has enough.
    size_t wants() const;

    // Move to these buckets, all nullptr. Returns those used before, to be freed; array is nullptr
    // for the first ones, which are part of the table.
    Buckets adopt(Buckets buckets);

    // The buckets to free at the end, as adopt() returns them.
    Buckets buckets() const { return buckets_.array != few_ ? buckets_ : Buckets{}; }

    // visit() may remove the key that it is given, and no other.
    template <class Visit>
    void for_each(Visit visit) {
        for (size_t i = 0; i < buckets_.count; i++)
            for (Key *next, *key = buckets_.array[i]; key != nullptr; key = next) {
                next = key->chain;
                visit(key);
            }
    }

private:
    Key **bucket(uint64_t hash) const { return &buckets_.array[hash & (buckets_.count - 1)]; }

    static constexpr size_t kFew = 16;
    Key *few_[kFew] = {};
    Buckets buckets_ = {few_, kFew};
    size_t size_ = 0;
};

} // namespace pool
