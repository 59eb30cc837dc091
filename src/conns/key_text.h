// A key as it may stand in a message.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "conns/key.h"

namespace pool {

struct KeyText {
    explicit KeyText(const Key *key) {
        size_t length = key->length < sizeof text ? key->length : sizeof text - 1;
        for (size_t i = 0; i < length; i++) {
            char byte = key->bytes()[i];
            text[i] = byte >= ' ' && byte <= '~' ? byte : '?';
        }
        text[length] = '\0';
    }
    char text[64];
};

} // namespace pool
