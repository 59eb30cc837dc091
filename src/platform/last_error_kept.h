// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "platform/status.h"

#include <cstdio>

namespace pool {

// A step of a call may fail although the call succeeds, and such a call leaves the last error alone.
class LastErrorKept {
public:
    LastErrorKept() : status_(last_error_status()) {
        snprintf(text_, sizeof text_, "%s", last_error_text());
    }
    ~LastErrorKept() { fail(status_, "%s", text_); }
    LastErrorKept(const LastErrorKept &) = delete;
    LastErrorKept &operator=(const LastErrorKept &) = delete;

private:
    pool_status status_;
    char text_[232];
};

} // namespace pool
