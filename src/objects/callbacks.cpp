// SPDX-License-Identifier: Apache-2.0
#include "objects/callbacks.h"

#include "platform/config.h"

#include <cxxabi.h>

namespace pool {
namespace {

thread_local const CallbackFrame *innermost = nullptr;

} // namespace

CallbackFrame::CallbackFrame(const void *owner, bool in_sweep)
    : owner_(owner), in_sweep_(in_sweep), outer_(innermost) {
    innermost = this;
}

CallbackFrame::~CallbackFrame() {
    innermost = outer_;
}

bool CallbackFrame::inside(const void *owner) {
    for (const CallbackFrame *frame = innermost; frame != nullptr; frame = frame->outer_)
        if (frame->owner_ == owner)
            return true;
    return false;
}

bool CallbackFrame::inside_sweep(const void *owner) {
    for (const CallbackFrame *frame = innermost; frame != nullptr; frame = frame->outer_)
        if (frame->owner_ == owner && frame->in_sweep_)
            return true;
    return false;
}

// A thread that is cancelled inside a callback unwinds with abi::__forced_unwind, which must go on.

void *call_create(const void *owner, pool_objects_create_fn create, void *ctx, bool *threw) {
    CallbackFrame frame(owner, false);
    *threw = false;
    try {
        return create(ctx);
    } catch (abi::__forced_unwind &) {
        throw;
    } catch (...) {
        *threw = true;
        return nullptr;
    }
}

pool_status call_reset(const void *owner, pool_objects_reset_fn reset, void *object, void *ctx) {
    CallbackFrame frame(owner, false);
    try {
        return reset(object, ctx);
    } catch (abi::__forced_unwind &) {
        throw;
    } catch (...) {
        return POOL_ECREATE;
    }
}

void call_destroy(const void *owner, pool_objects_destroy_fn destroy, void *object, void *ctx,
                  bool in_sweep) {
    CallbackFrame frame(owner, in_sweep);
    try {
        destroy(object, ctx);
    } catch (abi::__forced_unwind &) {
        throw;
    } catch (...) {
        log_line(3, "a destroy callback threw an exception; the object counts as destroyed");
    }
}

} // namespace pool
