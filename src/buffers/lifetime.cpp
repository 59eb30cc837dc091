// The beginning and the end of a buffer pool.
//
// SPDX-License-Identifier: Apache-2.0
#include "buffers/buffer_pool.h"
#include "platform/annotate.h"
#include "platform/clock.h"
#include "platform/config.h"
#include "platform/handles.h"
#include "platform/status.h"

#include <cinttypes>
#include <cstdio>
#include <new>

namespace pool {
namespace {

// Never destroyed, for handles may be used until the process ends; nor are the classes' blocks,
// which a late put may still look at.
template <class T>
HandleBlocks &blocks_of(size_t bytes) {
    alignas(HandleBlocks) static unsigned char memory[sizeof(HandleBlocks)];
    static HandleBlocks *const instance = [&] {
        auto *made = new (memory) HandleBlocks(bytes);
        watch_fork(made);
        return made;
    }();
    return *instance;
}

HandleBlocks &pool_blocks() {
    return blocks_of<BufferPool>(sizeof(BufferPool));
}

HandleBlocks &class_blocks() {
    return blocks_of<SizeClass>(SizeClass::bytes());
}

uint64_t bound_of(uint64_t option) {
    return option == 0 ? kUnbounded : option == POOL_BUFFERS_KEEP_NONE ? 0 : option;
}

} // namespace

BufferPool::BufferPool(const pool_buffers_options &options, const SizeClasses &sizes,
                       pool_cpu_mode mode)
    : sizes_(sizes), largest_(options.largest), mode_(mode),
      checked_((options.flags & POOL_BUFFERS_CHECKED) != 0 || config().checked),
      annotate_(annotations_wanted()),
      zero_on_get_((options.flags & POOL_BUFFERS_ZERO_ON_GET) != 0),
      zero_on_put_((options.flags & POOL_BUFFERS_ZERO_ON_PUT) != 0),
      borrows_(options.scheme == POOL_BUFFERS_GEOMETRIC),
      plain_gets_(!checked_ && !annotate_ && !zero_on_get_),
      plain_puts_(!checked_ && !annotate_ && !zero_on_put_),
      sweep_period_(options.sweep_period < 0 || (options.flags & POOL_BUFFERS_SWEEPER) != 0
                        ? INT64_MAX
                        : options.sweep_period),
      own_(options.allocator),
      memory_(options.allocator, options.alignment, (options.flags & POOL_BUFFERS_HUGE_PAGES) != 0),
      budget_(bound_of(options.max_idle), bound_of(options.max_idle_bytes)) {
    snprintf(name_, sizeof name_, "%s", options.name != nullptr ? options.name : "");
}

pool_status BufferPool::create(const pool_buffers_options &options, const SizeClasses &sizes,
                               BufferPool **out) {
    pool_cpu_mode mode;
    pool_status status = resolve_cpu_mode(options.cpu_mode, &mode);
    if (status != POOL_OK)
        return status;
    bool reused;
    void *block = pool_blocks().take(&reused);
    if (block == nullptr)
        return fail_text(POOL_ENOMEM, "no memory for a buffer pool");
    if (reused)
        static_cast<BufferPool *>(block)->~BufferPool();
    auto *pool = new (block) BufferPool(options, sizes, mode);
    status = pool->start(options);
    if (status != POOL_OK) {
        pool->state_.store(State::kEnded, std::memory_order_release);
        pool->memory_.end();
        pool_blocks().give_back(block);
        return status;
    }
    *out = pool;
    return POOL_OK;
}

pool_status BufferPool::start(const pool_buffers_options &options) {
    watcher_.pool = this;
    watcher_.in_child = in_child;
    pool_status status = watch_fork(&watcher_);
    if (status != POOL_OK)
        return status;
    if (sweep_period_ != INT64_MAX)
        sweep_due_.store(clock_now_coarse() + sweep_period_, std::memory_order_relaxed);
    client_.pool = this;
    client_.sweep = sweep_in_background;
    if ((options.flags & POOL_BUFFERS_SWEEPER) != 0 && options.sweep_period > 0)
        client_.period = options.sweep_period;
    bool asked = (options.flags & POOL_BUFFERS_SWEEP_ON_PRESSURE) != 0;
    client_.on_pressure = asked || config().buffers_pressure;
    if (client_.period != 0 || client_.on_pressure)
        status = sweeper_add(&client_);
    if (status == POOL_ENOTSUP && !asked) {
        // Only the environment asked for it.
        log_line(2, "POOL_CONF: buffers.pressure: %s", last_error_text());
        client_.on_pressure = false;
        status = client_.period != 0 ? sweeper_add(&client_) : POOL_OK;
    }
    if (status != POOL_OK) {
        unwatch_fork(&watcher_);
        return status;
    }
    entry_.area = Area::kBuffers;
    entry_.name = name_;
    entry_.pool = this;
    entry_.read = read_stats;
    register_pool(&entry_);
    return POOL_OK;
}

// ---- classes and tags, made when they are first used ----

SizeClass *BufferPool::class_for(uint64_t size) {
    if (SizeClass *c = mapped_class(size); c != nullptr && size <= c->size)
        return c;
    uint32_t index = sizes_.index(size);
    SizeClass *c = class_at(index);
    return c != nullptr ? c : add_class(index);
}

SizeClass *BufferPool::add_class(uint32_t index) {
    std::lock_guard<std::mutex> guard(create_mutex_);
    if (SizeClass *c = class_at(index))
        return c; // somebody was faster
    if (!live()) {
        fail_ended();
        return nullptr;
    }
    bool reused;
    void *block = class_blocks().take(&reused);
    if (block == nullptr) {
        fail(POOL_ENOMEM, "pool '%s': no memory for a size class", name_);
        return nullptr;
    }
    if (reused)
        static_cast<SizeClass *>(block)->~SizeClass();
    auto *c =
        new (block) SizeClass(this, sizes_.size(index), own_, mode_, &budget_,
                              checked_ || annotate_ ? Shards::Direct::kNone : Shards::Direct::kAll);
    if (c->shards.init() != POOL_OK) {
        c->shards.clear();
        class_blocks().give_back(block);
        return nullptr;
    }
    SlabTable *table = c->shards.table();
    table->object_size = c->size;
    table->put_size = plain_puts_ ? c->size : 0;
    classes_[index].store(c, std::memory_order_release);
    map_.publish(sizes_, index, table);
    return c;
}

Calibration *BufferPool::calibration(uint32_t tag) {
    Calibration *known = known_calibration(tag);
    if (known != nullptr)
        return known;
    std::lock_guard<std::mutex> guard(create_mutex_);
    known = known_calibration(tag);
    if (known != nullptr)
        return known;
    if (!live()) {
        fail_ended();
        return nullptr;
    }
    Calibration *made = Calibration::make(own_);
    if (made == nullptr)
        fail(POOL_ENOMEM, "pool '%s': no memory for the calibration of a tag", name_);
    else
        tags_[tag].store(made, std::memory_order_release);
    return made;
}

// The default of a tag was just served by the slow path: next time by the fast one, if it may be.
void BufferPool::note_default(uint32_t tag) {
    Calibration *calibration = known_calibration(tag);
    uint64_t size = calibration != nullptr ? calibration->default_size() : 0;
    if (size == 0 || size > sizes_.max() || !plain_gets_)
        return;
    if (SizeClass *c = class_at(sizes_.index(size)))
        calibration->set_default_table(size, c->shards.table());
}

void BufferPool::in_child(ForkWatcher *watcher) {
    BufferPool *pool = static_cast<Watcher *>(watcher)->pool;
    new (&pool->sweep_mutex_) std::mutex;
    new (&pool->create_mutex_) std::mutex;
    pool->for_each_class([](SizeClass &c) { c.shards.repair_after_fork(); });
    pool->budget_.recount_after_fork();
    for (std::atomic<Calibration *> &tag : pool->tags_)
        if (Calibration *calibration = tag.load(std::memory_order_relaxed))
            calibration->repair_after_fork();
}

// ---- the end ----

pool_status BufferPool::fail_ended() const {
    return fail_text(POOL_ECLOSED, "the pool has ended");
}

// What both ends begin with: nobody else finds the pool any more.
pool_status BufferPool::leave() {
    if (!live())
        return fail_ended();
    unregister_pool(&entry_);
    sweeper_remove(&client_);
    return POOL_OK;
}

int64_t BufferPool::buffers_out() {
    auto read = [](const std::atomic<uint64_t> &count) {
        return static_cast<int64_t>(count.load(std::memory_order_seq_cst));
    };
    int64_t out = read(oversize_gets_.count) - read(oversize_puts_.count);
    for_each_class([&](SizeClass &c) { out += c.numbers().out(); });
    return out;
}

void BufferPool::dispose_of_all() {
    for_each_class([](SizeClass &c) { c.shards.shrink(0, {dispose, &c}); });
}

pool_status BufferPool::destroy() {
    pool_status status = leave();
    if (status != POOL_OK)
        return status;
    for_each_class([](SizeClass &c) { c.shards.stop(true); });
    dispose_of_all();
    int64_t out = buffers_out();
    if (checked_)
        status = report_leak(out);
    late_.store(out, std::memory_order_relaxed);
    finish();
    if (out <= 0)
        pool_blocks().give_back(this);
    return status;
}

pool_status BufferPool::report_leak(int64_t out) {
    void *first = nullptr;
    size_t tracked = CheckedBuffers::out(self(), &first);
    if (tracked == 0)
        return POOL_OK;
    log_line(3,
             "pool '%s' ended with %zu buffers still out (%" PRId64 " by its counters), one is %p",
             name_, tracked, out, first);
    return fail(POOL_EMISUSE, "pool '%s' ended with %zu buffers still out, one is %p", name_,
                tracked, first);
}

// The counts say when the last buffer is back. A put that keeps nothing counts itself before it looks
// at the state; one that keeps its buffer does so inside a shard's lock, which reading the counts
// takes too. The state is set here before they are read. In the one order that all of these have, as
// they are seq_cst, whoever is last, this function or a put that runs beside it, sees all of both.
pool_status BufferPool::release() {
    pool_status status = leave();
    if (status != POOL_OK)
        return status;
    {
        std::lock_guard<std::mutex> guard(sweep_mutex_);
        {
            std::lock_guard<std::mutex> no_more_classes(create_mutex_);
            state_.store(State::kReleased, std::memory_order_seq_cst);
        }
        for_each_class([](SizeClass &c) { c.shards.stop(false); });
    }
    settle();
    return POOL_OK;
}

// Of a released pool: drop what it has, and end it if everything is back. Called after every put that
// finds the pool released; who comes while another thread is at it, or out of a callback from here,
// has it done once more.
void BufferPool::settle() {
    if (settling_.fetch_add(1, std::memory_order_seq_cst) != 0)
        return;
    bool ended = false;
    uint32_t seen;
    do {
        seen = settling_.load(std::memory_order_seq_cst);
        std::lock_guard<std::mutex> guard(sweep_mutex_);
        if (state_.load(std::memory_order_relaxed) != State::kReleased)
            continue;
        dispose_of_all();
        if (buffers_out() != 0)
            continue;
        state_.store(State::kEnded, std::memory_order_seq_cst);
        // What no fence made reachable: each buffer is back, so no sequence is under way.
        for_each_class([](SizeClass &c) { c.shards.stop(true); });
        dispose_of_all();
        ended = true;
    } while (!ended && !settling_.compare_exchange_strong(seen, 0, std::memory_order_seq_cst));
    if (!ended)
        return;
    finish();
    pool_blocks().give_back(this);
}

// A buffer of a destroyed pool, of which only the handle is left.
void BufferPool::count_ended() {
    if (late_.fetch_sub(1, std::memory_order_acq_rel) == 1)
        pool_blocks().give_back(this);
}

// Free what the pool has. The handle stays, marked ended.
void BufferPool::finish() {
    state_.store(State::kEnded, std::memory_order_seq_cst);
    unwatch_fork(&watcher_);
    map_.clear();
    for (std::atomic<SizeClass *> &slot : classes_) {
        SizeClass *c = slot.exchange(nullptr, std::memory_order_relaxed);
        if (c == nullptr)
            continue;
        c->shards.clear();
        class_blocks().give_back(c);
    }
    for (std::atomic<Calibration *> &tag : tags_)
        if (Calibration *calibration = tag.exchange(nullptr, std::memory_order_relaxed))
            Calibration::destroy(calibration, own_);
    if (checked_)
        CheckedBuffers::forget_all(self());
    memory_.end();
}

} // namespace pool
