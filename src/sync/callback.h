// Calling what a user gave us, where nobody is left to hand a failure to.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "platform/config.h"

#include <cxxabi.h>
#include <pthread.h>

// For functions that catch abi::__forced_unwind: it has no object, and UndefinedBehaviorSanitizer
// takes the reference for one to nothing.
#define POOL_CATCHES_FORCED_UNWIND __attribute__((no_sanitize("null")))

namespace pool {

// An exception that leaves `call` ends here and becomes a line in the log; the unwinding of a
// thread that ends goes on.
template <class Call>
POOL_CATCHES_FORCED_UNWIND void call_contained(const char *what, Call call) {
    try {
        call();
    } catch (abi::__forced_unwind &) {
        throw;
    } catch (...) {
        log_line(3, "%s threw an exception", what);
    }
}

// While it lives, this thread is not cancelled.
class CancellationOff {
public:
    CancellationOff() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
    ~CancellationOff() { pthread_setcancelstate(before_, nullptr); }
    CancellationOff(const CancellationOff &) = delete;
    CancellationOff &operator=(const CancellationOff &) = delete;

private:
    int before_ = PTHREAD_CANCEL_ENABLE;
};

} // namespace pool
