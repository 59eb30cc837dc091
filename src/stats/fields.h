// The one table of what every area counts, from which all text formats are made.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "platform/registry.h"

#include <cstddef>
#include <cstdint>

namespace pool {

enum class FieldKind : uint8_t {
    kCounter,     // only grows
    kTime,        // only grows, nanoseconds
    kGauge,       // a level
    kSignedGauge, // a level that may be below zero
};

struct Field {
    const char *name;
    size_t offset; // of 8 bytes in the area's statistics struct
    FieldKind kind;
    const char *help;
};

struct AreaFields {
    const char *name; // as in the names of its functions
    const Field *fields;
    size_t count;
    size_t struct_size;
};

const AreaFields &fields_of(Area area);

constexpr Area kAreas[] = {Area::kObjects, Area::kBuffers, Area::kConns, Area::kWorkers};

} // namespace pool
