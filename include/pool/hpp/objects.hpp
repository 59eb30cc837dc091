// pool/hpp/objects.hpp - pool/objects.h for C++20; see pool/pool.hpp.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef POOL_HPP_OBJECTS_HPP
#define POOL_HPP_OBJECTS_HPP

#include "../objects.h"
#include "error.hpp"

#include <concepts>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace pool {

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

} // namespace pool

#endif
