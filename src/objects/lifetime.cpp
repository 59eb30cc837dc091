// The beginning and the end of an object pool.
//
// SPDX-License-Identifier: Apache-2.0
#include "objects/object_pool.h"
#include "platform/annotate.h"
#include "platform/config.h"
#include "platform/handles.h"
#include "platform/status.h"

#include <cstdio>
#include <new>

namespace pool {
namespace {

// Never destroyed: a handle may be used until the process ends.
HandleBlocks &handle_blocks() {
    alignas(HandleBlocks) static unsigned char memory[sizeof(HandleBlocks)];
    static HandleBlocks *const instance = [] {
        constexpr size_t kBytes = sizeof(ObjectPool) - sizeof(Shards);
        auto *made = new (memory) HandleBlocks(kBytes + Shards::bytes());
        watch_fork(made);
        return made;
    }();
    return *instance;
}

} // namespace

ObjectPool::ObjectPool(const pool_objects_options &options, pool_cpu_mode mode, bool checked,
                       bool annotate)
    : checked_(checked), annotate_(annotate), reset_(options.reset), destroy_(options.destroy),
      ctx_(options.ctx), ctx_free_(options.ctx_free), object_size_(options.object_size),
      memory_(options.allocator), factory_{options.create, options.ctx},
      budget_(options.max_idle == POOL_OBJECTS_KEEP_NONE ? 0
              : options.max_idle == 0                    ? kUnbounded
                                                         : options.max_idle,
              kUnbounded),
      shards_(memory_, mode, &budget_, 1,
              checked || annotate        ? Shards::Direct::kNone
              : options.reset != nullptr ? Shards::Direct::kGets
                                         : Shards::Direct::kAll) {
    snprintf(name_, sizeof name_, "%s", options.name != nullptr ? options.name : "");
}

pool_status ObjectPool::create(const pool_objects_options &options, ObjectPool **out) {
    auto refuse = [&](pool_status status) {
        call_ctx_free(options.ctx_free, options.ctx);
        return status;
    };
    pool_cpu_mode mode;
    pool_status status = resolve_cpu_mode(options.cpu_mode, &mode);
    if (status != POOL_OK)
        return refuse(status);
    bool checked = (options.flags & POOL_OBJECTS_CHECKED) != 0 || config().checked;
    bool annotate =
        annotations_wanted() && (options.object_size != 0 || thread_sanitizer_present());

    bool reused;
    void *block = handle_blocks().take(&reused);
    if (block == nullptr)
        return refuse(fail_text(POOL_ENOMEM, "no memory for a pool"));
    if (reused)
        static_cast<ObjectPool *>(block)->~ObjectPool();
    auto *pool = new (block) ObjectPool(options, mode, checked, annotate);

    bool configured = (options.flags & POOL_OBJECTS_NO_SWEEPER) == 0;
    int64_t period = options.sweep_period;
    if (period == 0 && configured)
        period = config().objects_sweep_period;
    bool asked = (options.flags & POOL_OBJECTS_SWEEP_ON_PRESSURE) != 0;
    status = pool->start(period, asked || (configured && config().objects_pressure), asked);
    if (status != POOL_OK) {
        pool->state_.store(State::kEnded, std::memory_order_release);
        pool->shards_.clear();
        handle_blocks().give_back(block);
        return refuse(status);
    }
    *out = pool;
    return POOL_OK;
}

pool_status ObjectPool::start(int64_t sweep_period, bool on_pressure, bool pressure_required) {
    pool_status status = shards_.init();
    if (status != POOL_OK)
        return status;
    watcher_.pool = this;
    watcher_.in_child = in_child;
    status = watch_fork(&watcher_);
    if (status != POOL_OK)
        return status;
    client_.pool = this;
    client_.sweep = sweep_in_background;
    // Longer than any machine runs, and no overflow when the time of the next sweep is computed.
    client_.period = sweep_period < INT64_MAX / 2 ? sweep_period : INT64_MAX / 2;
    client_.on_pressure = on_pressure;
    if (sweep_period != 0 || on_pressure)
        status = sweeper_add(&client_);
    if (status == POOL_ENOTSUP && !pressure_required) {
        // Only the environment asked for it.
        log_line(2, "POOL_CONF: objects.pressure: %s", last_error_text());
        client_.on_pressure = false;
        status = sweep_period != 0 ? sweeper_add(&client_) : POOL_OK;
    }
    if (status != POOL_OK) {
        unwatch_fork(&watcher_);
        return status;
    }
    entry_.area = Area::kObjects;
    entry_.name = name_;
    entry_.pool = this;
    entry_.read = read_stats;
    register_pool(&entry_);
    return POOL_OK;
}

void ObjectPool::sweep_in_background(SweepClient *client) {
    static_cast<Client *>(client)->pool->sweep();
}

void ObjectPool::in_child(ForkWatcher *watcher) {
    ObjectPool *pool = static_cast<Watcher *>(watcher)->pool;
    pool->factory_lock_.reset_after_fork();
    new (&pool->sweep_mutex_) std::mutex;
    pool->table_.repair_after_fork();
    pool->shards_.repair_after_fork();
    pool->budget_.recount_after_fork();
}

// ---- the end ----

pool_status ObjectPool::fail_ended() const {
    return fail_text(POOL_ECLOSED, "the pool has ended");
}

// What both ends begin with: nobody else finds the pool any more.
pool_status ObjectPool::leave() {
    if (!live())
        return fail_ended();
    if (CallbackFrame::inside(this))
        return fail(POOL_EDEADLK, "pool '%s' cannot end inside one of its callbacks", name_);
    unregister_pool(&entry_);
    sweeper_remove(&client_);
    return POOL_OK;
}

pool_status ObjectPool::destroy() {
    pool_status status = leave();
    if (status != POOL_OK)
        return status;
    shards_.stop(true);
    while (shards_.shrink(0, disposal()) != 0)
        ; // again, for what the destroy callbacks have put back
    pool_objects_stats now = {};
    stats(now);
    if (checked_)
        status = report_leak(now.out);
    late_.store(now.out, std::memory_order_relaxed);
    finish();
    if (now.out <= 0)
        handle_blocks().give_back(this);
    return status;
}

pool_status ObjectPool::report_leak(int64_t out) {
    void *first = nullptr;
    size_t tracked = table_.out(&first);
    if (tracked == 0)
        return POOL_OK;
    log_line(3, "pool '%s' ended with %zu objects still out (%lld by its counters), one is %p",
             name_, tracked, static_cast<long long>(out), first);
    return fail(POOL_EMISUSE, "pool '%s' ended with %zu objects still out, one is %p", name_,
                tracked, first);
}

// The counts say when the last object is back. A put that keeps nothing counts itself before it looks
// at the state; one that keeps its object does so inside a shard's lock, which reading the counts
// takes too. The state is set here before they are read. In the one order that all of these have, as
// they are seq_cst, whoever is last, this function or a put that runs beside it, sees all of both.
pool_status ObjectPool::release() {
    pool_status status = leave();
    if (status != POOL_OK)
        return status;
    {
        std::lock_guard<std::mutex> guard(sweep_mutex_);
        state_.store(State::kReleased, std::memory_order_seq_cst);
        shards_.stop(false);
    }
    settle();
    return POOL_OK;
}

// Of a released pool: drop what it has, and end it if everything is back. Called after every put that
// finds the pool released; who comes while another thread is at it, or out of a callback from here,
// has it done once more.
void ObjectPool::settle() {
    if (settling_.fetch_add(1, std::memory_order_seq_cst) != 0)
        return;
    bool ended = false;
    uint32_t seen;
    do {
        seen = settling_.load(std::memory_order_seq_cst);
        std::lock_guard<std::mutex> guard(sweep_mutex_);
        if (state_.load(std::memory_order_relaxed) != State::kReleased)
            continue;
        shards_.shrink(0, disposal());
        pool_objects_stats now = {};
        stats(now);
        if (now.out > 0) // below 0 for a pool that was given objects from elsewhere
            continue;
        state_.store(State::kEnded, std::memory_order_seq_cst);
        // What no fence made reachable: each object is back, so no sequence is under way.
        shards_.stop(true);
        shards_.shrink(0, disposal());
        ended = true;
    } while (!ended && !settling_.compare_exchange_strong(seen, 0, std::memory_order_seq_cst));
    if (!ended)
        return;
    finish();
    handle_blocks().give_back(this);
}

// An object of a destroyed pool, of which only the handle is left.
void ObjectPool::count_ended() {
    if (late_.fetch_sub(1, std::memory_order_acq_rel) == 1)
        handle_blocks().give_back(this);
}

// Free what the pool has. The handle stays, marked ended.
void ObjectPool::finish() {
    state_.store(State::kEnded, std::memory_order_seq_cst);
    shards_.clear();
    table_.clear();
    unwatch_fork(&watcher_);
    call_ctx_free(ctx_free_, ctx_);
}

} // namespace pool
