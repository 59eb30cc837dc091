// Calling the user's functions: no exception comes through, and a call that would wait for itself
// is recognised.
//
// SPDX-License-Identifier: Apache-2.0
//
// Invariant: while a callback of a pool runs on a thread, a frame that names the pool is linked
// into that thread's list. Frames live on the stack, so the list costs one pointer of thread-local
// storage.
#pragma once

#include "pool/objects.h"

#include <cstddef>

namespace pool {

class CallbackFrame {
public:
    CallbackFrame(const void *owner, bool in_sweep);
    ~CallbackFrame();
    CallbackFrame(const CallbackFrame &) = delete;
    CallbackFrame &operator=(const CallbackFrame &) = delete;

    // Is this thread inside a callback of `owner`; inside one that a sweep of it made?
    static bool inside(const void *owner);
    static bool inside_sweep(const void *owner);

private:
    const void *owner_;
    bool in_sweep_;
    const CallbackFrame *outer_;
};

// nullptr if it failed or threw; *threw says which.
void *call_create(const void *owner, pool_objects_create_fn create, void *ctx, bool *threw);

// POOL_ECREATE if it threw: any value but POOL_OK refuses the object.
pool_status call_reset(const void *owner, pool_objects_reset_fn reset, void *object, void *ctx);

void call_destroy(const void *owner, pool_objects_destroy_fn destroy, void *object, void *ctx,
                  bool in_sweep);

// Nothing if ctx_free is nullptr.
void call_ctx_free(void (*ctx_free)(void *ctx), void *ctx);

} // namespace pool
