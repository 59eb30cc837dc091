// pool/hpp/buffers.hpp - pool/buffers.h and pool/buf.h for C++20; see pool/pool.hpp.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef POOL_HPP_BUFFERS_HPP
#define POOL_HPP_BUFFERS_HPP

#include "../buf.h"
#include "../buffers.h"
#include "error.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace pool {

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

} // namespace pool

#endif
