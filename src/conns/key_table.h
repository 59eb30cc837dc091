// KeyTable: a hash table of keys with chains.
//
// SPDX-License-Identifier: Apache-2.0
//
// It allocates nothing itself, since it is used under a lock: whoever is about to insert asks
// whether it wants more buckets, brings them, and frees those that are handed back.
#pragma once

#include "conns/key.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pool {

class KeyTable {
public:
    struct Buckets {
        Key **array = nullptr;
        size_t count = 0; // a power of two
    };

    // `seed` keeps those who choose the keys from choosing the buckets.
    static uint64_t hash(const void *bytes, size_t length, uint64_t seed = 0) {
        const char *at = static_cast<const char *>(bytes);
        uint64_t sum = seed ^ length * kOdd[0];
        for (; length >= 8; at += 8, length -= 8)
            sum = fold(sum ^ word(at, 8), kOdd[1]);
        if (length != 0)
            sum = fold(sum ^ word(at, length), kOdd[2]);
        return fold(sum, kOdd[0]);
    }

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
    // Multiplying spreads a bit to higher ones, shifting to lower ones.
    static uint64_t fold(uint64_t sum, uint64_t odd) {
        sum *= odd;
        return sum ^ sum >> 32;
    }
    // `length`, 1 to 8, bytes in any fixed order.
    static uint64_t word(const char *at, size_t length) {
        if (length >= 4) {
            uint32_t low, high;
            memcpy(&low, at, 4);
            memcpy(&high, at + length - 4, 4);
            return uint64_t{high} << 32 | low;
        }
        auto byte = [at](size_t i) { return uint64_t{static_cast<unsigned char>(at[i])}; };
        return byte(0) | byte(length / 2) << 8 | byte(length - 1) << 16;
    }
    static constexpr uint64_t kOdd[] = {0xa0761d6478bd642f, 0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3};

    Key **bucket(uint64_t hash) const { return &buckets_.array[hash & (buckets_.count - 1)]; }

    static constexpr size_t kFew = 16;
    Key *few_[kFew] = {};
    Buckets buckets_ = {few_, kFew};
    size_t size_ = 0;
};

} // namespace pool
