// What sanitizers and valgrind are told about pooled memory.
//
// SPDX-License-Identifier: Apache-2.0
//
// The tools are found at run time through weak symbols, so a release build of the library serves a
// host that was built with a sanitizer. Nothing is dereferenced here: only addresses are handed on.
#pragma once

#include <cstddef>

namespace pool {

bool address_sanitizer_present();
bool thread_sanitizer_present();
bool running_on_valgrind();

// True if any of the calls below would do something in this process.
bool annotations_wanted();

// The object's memory may no longer be touched: use after put is reported as use after free.
void annotate_put(const void *object, size_t bytes);

// The object's memory belongs to a user again.
void annotate_get(const void *object, size_t bytes);

} // namespace pool
