// pool/pool.hpp - the C API for C++20: handles that end themselves, leases that go back by
// themselves, exceptions in place of statuses. Nothing here but calls of the C functions, whose
// headers say what they do.
//
// SPDX-License-Identifier: Apache-2.0
//
//     pool::objects<Session> sessions;                     // new Session, delete
//     auto session = sessions.get();                       // a std::unique_ptr that puts it back
//
//     pool::buffers buffers;
//     auto buffer = buffers.get(5000);                     // buffer.data(), buffer.capacity()
//     pool::buf text(buffers);
//     text.append("hello ").append(name);                  // text.view()
//
//     pool::conns upstreams;                               // TCP and Unix sockets
//     auto lease = upstreams.acquire("127.0.0.1:8080", 5s);
//     talk(lease.fd());
//     lease.release();                                     // else it is closed
//
//     pool::workers crew;
//     crew.submit([] { work(); });
//
// Every constructor takes the C options last. All classes are as thread-safe as what they wrap; a
// lease belongs to one thread at a time and must end before its pool does.
#ifndef POOL_POOL_HPP
#define POOL_POOL_HPP

#include "pool.h"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace pool {

// A status other than POOL_OK, with the text of pool_last_error().
class error : public std::runtime_error {
public:
    explicit error(pool_status status)
        : std::runtime_error(std::string(pool_status_name(status)) + ": " + pool_last_error()),
          status_(status) {}
    pool_status status() const noexcept { return status_; }

private:
    pool_status status_;
};

inline void check(pool_status status) {
    if (status != POOL_OK)
        throw error(status);
}

// Any negative duration waits for ever.
inline int64_t timeout(std::chrono::nanoseconds time) noexcept {
    return time.count() < 0 ? POOL_FOREVER : time.count();
}

// Statistics of every pool in the process.
inline std::string stats_text(pool_stats_format format) {
    std::string text;
    check(pool_stats_write(
        format,
        [](const char *piece, size_t length, void *to) {
            static_cast<std::string *>(to)->append(piece, length);
        },
        &text));
    return text;
}

// ---- objects ----------------------------------------------------------------------------------

template <class T>
class objects {
public:
    struct put_back {
        pool_objects *pool;
        void operator()(T *object) const noexcept { pool_objects_put(pool, object); }
    };
    // Its release() keeps the object out of the pool for good.
    using lease = std::unique_ptr<T, put_back>;

    // Objects are made by `make`, a T *(), and deleted. `reset`, a bool (T &), runs on each that is
    // put; false deletes it.
    template <class Make, class Reset>
    requires std::is_invocable_r_v<T *, Make &> && std::is_invocable_r_v<bool, Reset &, T &>
    objects(Make make, Reset reset, pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT) {
        struct callbacks {
            Make make;
            Reset reset;
        };
        options.create = [](void *ctx) -> void * { return static_cast<callbacks *>(ctx)->make(); };
        if constexpr (!std::same_as<Reset, always>)
            options.reset = [](void *object, void *ctx) -> pool_status {
                bool keep = static_cast<callbacks *>(ctx)->reset(*static_cast<T *>(object));
                return keep ? POOL_OK : POOL_ECANCELED;
            };
        options.destroy = [](void *object, void *) { delete static_cast<T *>(object); };
        options.ctx_free = [](void *ctx) { delete static_cast<callbacks *>(ctx); };
        options.ctx = new callbacks{std::move(make), std::move(reset)};
        check(pool_objects_create(&options, &pool_));
    }
    template <class Make>
    requires std::is_invocable_r_v<T *, Make &>
    explicit objects(Make make, pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT)
        : objects(std::move(make), always{}, options) {}
    explicit objects(pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT) requires
        std::default_initializable<T> : objects([] { return new T; }, always{}, options) {}

    ~objects() { pool_objects_destroy(pool_); }
    objects(const objects &) = delete;
    objects &operator=(const objects &) = delete;

    lease get() {
        void *object = pool_objects_get(pool_);
        if (object == nullptr)
            throw error(pool_last_error_status());
        return {static_cast<T *>(object), {pool_}};
    }
    // Empty if nothing is idle.
    lease try_get() noexcept { return {static_cast<T *>(pool_objects_try_get(pool_)), {pool_}}; }
    void prefill(size_t count) { check(pool_objects_prefill(pool_, count)); }
    void sweep() { check(pool_objects_sweep(pool_)); }
    void shrink(size_t keep) { check(pool_objects_shrink(pool_, keep)); }
    pool_objects_stats stats() const {
        pool_objects_stats stats{};
        stats.size = sizeof stats;
        check(pool_objects_get_stats(pool_, &stats));
        return stats;
    }
    pool_objects *handle() const noexcept { return pool_; }

private:
    struct always {
        bool operator()(T &) const noexcept { return true; }
    };
    pool_objects *pool_ = nullptr;
};

// ---- buffers ----------------------------------------------------------------------------------

class buf;

class buffers {
public:
    class lease {
    public:
        lease() = default;
        lease(lease &&other) noexcept { swap(other); }
        lease &operator=(lease &&other) noexcept {
            lease(std::move(other)).swap(*this);
            return *this;
        }
        ~lease() {
            if (buffer_.data != nullptr)
                pool_buffers_put(pool_, buffer_);
        }
        std::byte *data() const noexcept { return static_cast<std::byte *>(buffer_.data); }
        size_t capacity() const noexcept { return buffer_.capacity; }
        std::span<std::byte> bytes() const noexcept { return {data(), capacity()}; }
        // The caller puts it back, or not.
        pool_buffer release() noexcept { return std::exchange(buffer_, {}); }
        void swap(lease &other) noexcept {
            std::swap(pool_, other.pool_);
            std::swap(buffer_, other.buffer_);
        }

    private:
        friend class buffers;
        friend class buf;
        lease(pool_buffers *pool, pool_buffer buffer) noexcept : pool_(pool), buffer_(buffer) {}
        pool_buffers *pool_ = nullptr;
        pool_buffer buffer_ = {};
    };

    explicit buffers(const pool_buffers_options &options = POOL_BUFFERS_OPTIONS_INIT) {
        check(pool_buffers_create(&options, &pool_));
    }
    ~buffers() { pool_buffers_destroy(pool_); }
    buffers(const buffers &) = delete;
    buffers &operator=(const buffers &) = delete;

    lease get(size_t min_size) {
        lease taken(pool_, pool_buffers_get(pool_, min_size));
        if (taken.data() == nullptr)
            throw error(pool_last_error_status());
        return taken;
    }
    // Empty if the class has nothing idle.
    lease try_get(size_t min_size) noexcept {
        return {pool_, pool_buffers_try_get(pool_, min_size)};
    }
    void prefill(size_t min_size, size_t count) {
        check(pool_buffers_prefill(pool_, min_size, count));
    }
    void sweep() { check(pool_buffers_sweep(pool_)); }
    void trim(uint64_t keep_bytes) { check(pool_buffers_trim(pool_, keep_bytes)); }
    pool_buffers_stats stats() const {
        pool_buffers_stats stats{};
        stats.size = sizeof stats;
        check(pool_buffers_get_stats(pool_, &stats));
        return stats;
    }
    pool_buffers *handle() const noexcept { return pool_; }

private:
    pool_buffers *pool_ = nullptr;
};

// Blocks of one size for objects of type T that need no constructor and no destructor, all zero when
// they are got: the free list that servers keep for their requests.
template <class T>
requires std::is_trivially_default_constructible_v<T> && std::is_trivially_destructible_v<T>
class free_list {
public:
    struct put_back {
        pool_buffers *pool;
        void operator()(T *object) const noexcept {
            pool_buffers_put(pool, pool_buffer{object, sizeof(T)});
        }
    };
    using lease = std::unique_ptr<T, put_back>;

    // Of the options, the scheme, the list and the alignment are the free list's own.
    explicit free_list(pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT)
        : pool_((options.scheme = POOL_BUFFERS_LIST, options.list = &size, options.list_count = 1,
                 options.alignment = alignof(T), options.flags |= POOL_BUFFERS_ZERO_ON_GET,
                 options)) {}

    lease get() {
        pool_buffer block = pool_buffers_get(pool_.handle(), sizeof(T));
        if (block.data == nullptr)
            throw error(pool_last_error_status());
        return {static_cast<T *>(block.data), {pool_.handle()}};
    }
    pool_buffers_stats stats() const { return pool_.stats(); }
    pool_buffers *handle() const noexcept { return pool_.handle(); }

private:
    static constexpr uint64_t size = sizeof(T);
    buffers pool_;
};

// A byte buffer that grows in a pool's memory and goes back by itself.
class buf {
public:
    explicit buf(const buffers &pool, uint32_t tag = 0) {
        check(pool_buf_get_inline(pool.handle(), tag, &buf_));
    }
    buf(buf &&other) noexcept : buf_(std::exchange(other.buf_, {})) {}
    buf &operator=(buf &&other) noexcept {
        std::swap(buf_, other.buf_);
        return *this;
    }
    ~buf() { pool_buf_put(&buf_); }

    buf &append(const void *data, size_t n) {
        check(pool_buf_append_inline(&buf_, data, n));
        return *this;
    }
    buf &append(std::string_view text) { return append(text.data(), text.size()); }
    buf &operator+=(std::string_view text) { return append(text); }
    buf &operator+=(char c) {
        check(pool_buf_append_byte(&buf_, static_cast<unsigned char>(c)));
        return *this;
    }
    void reserve(size_t n) { check(pool_buf_reserve(&buf_, n)); }
    void resize(size_t length) { check(pool_buf_resize(&buf_, length)); }
    void reset() noexcept { pool_buf_reset(&buf_); }

    size_t length() const noexcept { return buf_.length; }
    size_t capacity() const noexcept { return buf_.capacity; }
    std::span<std::byte> bytes() const noexcept {
        return {reinterpret_cast<std::byte *>(buf_.data), buf_.length};
    }
    std::string_view view() const noexcept {
        return {reinterpret_cast<const char *>(buf_.data), buf_.length};
    }
    // Its memory, without the length; the buffer is empty then and can be used on.
    buffers::lease detach() {
        pool_buffers *pool = buf_.pool;
        return {pool, pool_buf_detach(&buf_, nullptr)};
    }
    pool_buf *handle() noexcept { return &buf_; }

private:
    pool_buf buf_ = {};
};

// ---- connections ------------------------------------------------------------------------------

class conns {
public:
    // One that ends without release() closes its connection: after an exception nobody knows what
    // is still on its way.
    class lease {
    public:
        lease() = default;
        lease(lease &&other) noexcept : lease_(std::exchange(other.lease_, nullptr)) {}
        lease &operator=(lease &&other) noexcept {
            std::swap(lease_, other.lease_);
            return *this;
        }
        ~lease() { discard(); }
        void *conn() const noexcept { return pool_conns_lease_conn(lease_); }
        int fd() const noexcept { return pool_conns_lease_fd(lease_); }
        uint64_t uses() const noexcept { return pool_conns_lease_uses(lease_); }
        explicit operator bool() const noexcept { return lease_ != nullptr; }

        void release() noexcept { pool_conns_release(std::exchange(lease_, nullptr)); }
        void discard() noexcept {
            if (lease_ != nullptr)
                pool_conns_discard(std::exchange(lease_, nullptr));
        }
        void *detach() {
            void *conn = nullptr;
            check(pool_conns_detach(lease_, &conn));
            lease_ = nullptr;
            return conn;
        }

    private:
        friend class conns;
        pool_conns_lease *lease_ = nullptr;
    };

    explicit conns(const pool_conns_options &options = POOL_CONNS_OPTIONS_INIT) {
        check(pool_conns_create(&options, &pool_));
    }
    ~conns() { pool_conns_destroy(pool_); }
    conns(const conns &) = delete;
    conns &operator=(const conns &) = delete;

    lease acquire(std::string_view key, std::chrono::nanoseconds wait) {
        lease lent;
        check(pool_conns_acquire(pool_, key.data(), key.size(), timeout(wait), &lent.lease_));
        return lent;
    }
    void clear() { check(pool_conns_clear(pool_)); }
    void reap() { check(pool_conns_reap(pool_)); }
    // How many leases were still out when the time was over.
    uint64_t close(std::chrono::nanoseconds wait) {
        uint64_t out = 0;
        if (pool_status status = pool_conns_close(pool_, timeout(wait), &out);
            status != POOL_ETIMEDOUT)
            check(status);
        return out;
    }
    pool_conns_stats stats() const {
        pool_conns_stats stats{};
        stats.size = sizeof stats;
        check(pool_conns_get_stats(pool_, &stats));
        return stats;
    }
    pool_conns *handle() const noexcept { return pool_; }

private:
    pool_conns *pool_ = nullptr;
};

// ---- workers ----------------------------------------------------------------------------------

class workers {
public:
    explicit workers(const pool_workers_options &options = POOL_WORKERS_OPTIONS_INIT) {
        check(pool_workers_create(&options, &pool_));
    }
    // Runs what was submitted first; to drop it instead, stop() with POOL_WORKERS_DISCARD before.
    ~workers() {
        pool_workers_stop(pool_, POOL_WORKERS_DRAIN, POOL_FOREVER, nullptr);
        pool_workers_destroy(pool_);
    }
    workers(const workers &) = delete;
    workers &operator=(const workers &) = delete;

    // Have `task()` run; waits for room. What it throws is counted as a failure and lost. A task
    // that is discarded is not destroyed.
    template <std::invocable Task>
    void submit(Task task) {
        auto owned = std::make_unique<Task>(std::move(task));
        check(pool_workers_submit(
            pool_, [](void *arg) { (*std::unique_ptr<Task>(static_cast<Task *>(arg)))(); },
            owned.get()));
        owned.release();
    }
    // False: no room now.
    template <std::invocable Task>
    bool try_submit(Task task) {
        auto owned = std::make_unique<Task>(std::move(task));
        pool_status status = pool_workers_try_submit(
            pool_, [](void *arg) { (*std::unique_ptr<Task>(static_cast<Task *>(arg)))(); },
            owned.get());
        if (status == POOL_EFULL)
            return false;
        check(status);
        owned.release();
        return true;
    }
    // False: the time was over first.
    bool wait_idle(std::chrono::nanoseconds wait = std::chrono::nanoseconds(-1)) {
        return in_time(pool_workers_wait_idle(pool_, timeout(wait)));
    }
    bool stop(pool_workers_stop_mode mode, std::chrono::nanoseconds wait) {
        return in_time(pool_workers_stop(pool_, mode, timeout(wait), nullptr));
    }
    pool_workers_stats stats() const {
        pool_workers_stats stats{};
        stats.size = sizeof stats;
        check(pool_workers_get_stats(pool_, &stats));
        return stats;
    }
    pool_workers *handle() const noexcept { return pool_; }

private:
    static bool in_time(pool_status status) {
        if (status != POOL_ETIMEDOUT)
            check(status);
        return status == POOL_OK;
    }
    pool_workers *pool_ = nullptr;
};

} // namespace pool

#endif
