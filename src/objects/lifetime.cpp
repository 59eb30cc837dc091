// The beginning and the end of an object pool.
//
// SPDX-License-Identifier: Apache-2.0
#include "objects/handles.h"
#include "objects/object_pool.h"
#include "platform/annotate.h"
#include "platform/config.h"
#include "platform/status.h"

#include <cstdio>
#include <new>

namespace pool {
namespace {

// Never destroyed: a handle may be used until the process ends.
struct Blocks : ForkWatcher {
    HandleBlocks blocks;
    explicit Blocks(size_t bytes) : blocks(bytes) {
        in_child = [](ForkWatcher *self) {
            static_cast<Blocks *>(self)->blocks.repair_after_fork();
        };
    }
};

HandleBlocks &handle_blocks() {
    alignas(Blocks) static unsigned char memory[sizeof(Blocks)];
    static Blocks *const instance = [] {
        auto *made = new (memory) Blocks(sizeof(ObjectPool) - sizeof(Shards) + Shards::bytes());
        watch_fork(made); // without it only a fork in the middle of a create could hurt the child
        return made;
    }();
    return instance->blocks;
}

} // namespace

ObjectPool::ObjectPool(const pool_objects_options &options, pool_cpu_mode mode, bool checked,
                       bool annotate)
    : checked_(checked), annotate_(annotate), reset_(options.reset), destroy_(options.destroy),
      ctx_(options.ctx), ctx_free_(options.ctx_free), object_size_(options.object_size),
      max_idle_(options.max_idle == POOL_OBJECTS_KEEP_NONE               ? 0
                : options.max_idle == 0 || options.max_idle > kMostBound ? kUnbounded
                                                                         : options.max_idle),
      memory_(options.allocator), factory_{options.create, options.ctx},
      shards_(memory_, mode, max_idle_,
              checked || annotate        ? Shards::Direct::kNone
              : options.reset != nullptr ? Shards::Direct::kGets
                                         : Shards::Direct::kAll) {
    snprintf(name_, sizeof name_, "%s", options.name != nullptr ? options.name : "");
}

pool_status ObjectPool::create(const pool_objects_options &options, ObjectPool **out) {
    auto refuse = [&](pool_status status) {
        if (options.ctx_free != nullptr)
            options.ctx_free(options.ctx);
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
    client_.period = sweep_period;
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
    shards_.shrink(0, disposal());
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

// A put that runs beside it either sees the new state, or puts its object into the shards and sees
// the new state then; see keep(). So every object is counted once: by the shrink here as idle, or
// later.
pool_status ObjectPool::release() {
    pool_status status = leave();
    if (status != POOL_OK)
        return status;
    {
        std::lock_guard<std::mutex> guard(sweep_mutex_);
        state_.store(State::kReleased, std::memory_order_seq_cst);
        shards_.stop(false);
        shards_.shrink(0, disposal());
        pool_objects_stats now = {};
        stats(now);
        // One more, so that late puts cannot end the pool before this function is through.
        late_.store(now.out > 0 ? now.out + 1 : 1, std::memory_order_release);
    }
    count_late(1);
    return POOL_OK;
}

// After a put that found the pool released only when its object was already kept.
void ObjectPool::drain_late() {
    size_t drained;
    {
        std::lock_guard<std::mutex> guard(sweep_mutex_);
        if (state_.load(std::memory_order_acquire) != State::kReleased)
            return;
        drained = shards_.shrink(0, disposal());
    }
    if (drained != 0)
        count_late(static_cast<int64_t>(drained));
}

// `n` of the objects that were out at the end have come back.
void ObjectPool::count_late(int64_t n) {
    int64_t before = late_.fetch_sub(n, std::memory_order_acq_rel);
    if (before <= 0 || before > n)
        return;
    if (state_.load(std::memory_order_acquire) == State::kReleased)
        finish();
    handle_blocks().give_back(this);
}

// Free what the pool has. The handle stays, marked ended.
void ObjectPool::finish() {
    state_.store(State::kEnded, std::memory_order_seq_cst);
    shards_.clear();
    table_.clear();
    unwatch_fork(&watcher_);
    if (ctx_free_ != nullptr)
        ctx_free_(ctx_);
}

} // namespace pool
