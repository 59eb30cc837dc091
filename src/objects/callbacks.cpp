// SPDX-License-Identifier: Apache-2.0
#include "objects/callbacks.h"

#include "sync/callback.h"

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

POOL_CATCHES_FORCED_UNWIND
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

POOL_CATCHES_FORCED_UNWIND
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
    call_contained("a destroy callback, whose object counts as destroyed,",
                   [=] { destroy(object, ctx); });
}

void call_ctx_free(void (*ctx_free)(void *ctx), void *ctx) {
    if (ctx_free != nullptr)
        call_contained("ctx_free of an object pool", [=] { ctx_free(ctx); });
}

} // namespace pool
