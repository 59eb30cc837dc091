// SPDX-License-Identifier: Apache-2.0
#include "conns/key_table.h"

namespace pool {

Key *KeyTable::find(uint64_t hash, const void *bytes, size_t length) const {
    for (Key *key = *bucket(hash); key != nullptr; key = key->chain)
        if (key->is(hash, bytes, length))
            return key;
    return nullptr;
}

void KeyTable::insert(Key *key) {
    Key **head = bucket(key->hash);
    key->chain = *head;
    *head = key;
    size_++;
}

void KeyTable::remove(Key *key) {
    Key **link = bucket(key->hash);
    while (*link != key)
        link = &(*link)->chain;
    *link = key->chain;
    key->chain = nullptr;
    size_--;
}

size_t KeyTable::wants() const {
    return size_ < buckets_.count ? 0 : buckets_.count * 2;
}

KeyTable::Buckets KeyTable::adopt(Buckets buckets) {
    Buckets before = this->buckets();
    Buckets old = buckets_;
    buckets_ = buckets;
    for (size_t i = 0; i < old.count; i++)
        for (Key *next, *key = old.array[i]; key != nullptr; key = next) {
            next = key->chain;
            Key **head = bucket(key->hash);
            key->chain = *head;
            *head = key;
        }
    return before;
}

} // namespace pool
