// The bound on idle objects, watched at every moment of a storm, from both sides.
//
// SPDX-License-Identifier: Apache-2.0
//
// From above: `sure` counts the objects that are idle beyond doubt. It is raised after the put that
// kept an object has returned, and lowered before a call that may take one begins. So it is never
// more than what is idle at that moment, whatever the threads are doing.
//
// From below: where no more objects exist than may be idle, no put may drop one.
#include "support/object_pool.h"
#include "torment.h"

namespace {

using namespace pool_test;

thread_local int created_here = 0, destroyed_here = 0;

class Watched {
public:
    explicit Watched(int64_t bound) : bound_(bound), pool_(options()) {}

    void get(std::vector<void *> &held, size_t n) {
        void *batch[64];
        int made = created_here;
        lower(static_cast<int64_t>(n));
        size_t got = n == 1 ? get_one(batch) : pool_objects_get_n(pool_, batch, n);
        EXPECT_EQ(got, n);
        raise(created_here - made);
        held.insert(held.end(), batch, batch + got);
    }
    void put(std::vector<void *> &held, size_t n) {
        int gone = destroyed_here;
        size_t left = held.size() - n;
        if (n == 1)
            EXPECT_EQ(pool_objects_put(pool_, held.back()), POOL_OK);
        else
            EXPECT_EQ(pool_objects_put_n(pool_, held.data() + left, n), POOL_OK);
        held.resize(left);
        raise(static_cast<int64_t>(n) - (destroyed_here - gone));
    }
    // It may destroy as many as there can be.
    template <class Reduce>
    void reduce(Reduce reduce) {
        int gone = destroyed_here;
        lower(bound_);
        EXPECT_EQ(reduce(), POOL_OK);
        raise(bound_ - (destroyed_here - gone));
    }

    int64_t sure() const { return sure_; }
    int64_t most() const { return most_; }
    operator pool_objects *() const { return pool_; }

private:
    pool_objects_options options() const {
        pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
        options.create = [](void *) -> void * {
            created_here++;
            return new int;
        };
        options.destroy = [](void *object, void *) {
            destroyed_here++;
            delete static_cast<int *>(object);
        };
        options.max_idle = static_cast<uint64_t>(bound_);
        return options;
    }
    size_t get_one(void **out) {
        *out = pool_objects_get(pool_);
        return *out != nullptr;
    }
    void lower(int64_t n) { sure_.fetch_sub(n); }
    void raise(int64_t n) {
        int64_t now = sure_.fetch_add(n) + n;
        int64_t most = most_.load();
        while (now > most && !most_.compare_exchange_weak(most, now))
            ;
    }

    const int64_t bound_;
    std::atomic<int64_t> sure_{0}, most_{0};
    ObjectPoolUnderTest pool_;
};

TEST(Bound, IsNeverExceededAtAnyMoment) {
    for (int64_t bound : {1, 2, 7, 60, 130, 500}) {
        Watched pool(bound);
        torment(8, [&](Tormentor::Victim &victim, unsigned, std::minstd_rand &random) {
            std::vector<void *> held;
            size_t most = static_cast<size_t>(bound) / 2 + 8;
            for (int i = 0; i < 40000 * kScale; i++) {
                size_t n = random() % 8 == 0 ? random() % 40 + 1 : 1;
                if (held.size() < n || (held.size() + n < most && random() % 2 == 0))
                    pool.get(held, n);
                else
                    pool.put(held, n);
                if (random() % 2048 == 0)
                    pool.reduce([&] { return pool_objects_shrink(pool, random() % 8); });
                if (random() % 2048 == 0)
                    pool.reduce([&] { return pool_objects_sweep(pool); });
                if (random() % 1024 == 0)
                    victim.hop(random());
            }
            while (!held.empty())
                pool.put(held, 1);
        });
        EXPECT_LE(pool.most(), bound);
        EXPECT_EQ(static_cast<uint64_t>(pool.sure()), stats_of(pool).idle) << "a false account";
        // No room was lost either: the bound can be reached, and the next one is dropped.
        std::vector<void *> held;
        for (int64_t i = 0; i <= bound; i++)
            pool.get(held, 1);
        while (!held.empty())
            pool.put(held, 1);
        EXPECT_EQ(pool.sure(), bound);
        EXPECT_EQ(pool.most(), bound);
        expect_balanced(stats_of(pool));
    }
}

TEST(Bound, NothingIsDroppedBelowIt) {
    constexpr unsigned kThreads = 8;
    for (int each : {1, 3, 25}) {
        int64_t bound = int64_t{kThreads} * each;
        Watched pool(bound);
        torment(kThreads, [&](Tormentor::Victim &victim, unsigned, std::minstd_rand &random) {
            std::vector<void *> held;
            for (int i = 0; i < 40000 * kScale; i++) {
                size_t n = random() % static_cast<unsigned>(each) + 1;
                if (held.empty())
                    pool.get(held, n);
                else
                    pool.put(held, held.size());
                if (random() % 1024 == 0)
                    victim.hop(random());
            }
            if (!held.empty())
                pool.put(held, held.size());
        });
        EXPECT_EQ(stats_of(pool).dropped, 0u) << each << " for each thread";
        EXPECT_LE(stats_of(pool).created, static_cast<uint64_t>(bound));
        EXPECT_EQ(stats_of(pool).idle, stats_of(pool).created);
    }
}

} // namespace
