// Pools of every kind, chosen by chance, in a storm of calls chosen by chance; then a stop, and all
// must add up. POOL_STRESS_SEED=<n> plays the storm of that seed alone, again and again.
//
// SPDX-License-Identifier: Apache-2.0
#include "caller.h"

#include "pool/worker_sets.h"

#include <sstream>

namespace {

using namespace pool_test;

constexpr unsigned kCallers = 5;
constexpr int kCalls = 1000;

template <class T, size_t n>
T one_of(std::minstd_rand &random, const T (&choices)[n]) {
    return choices[below(random, n)];
}

// What happens in one round.
struct Weather {
    explicit Weather(std::minstd_rand &random) : options(worker_options(1 + below(random, 3))) {
        options.queue_capacity = one_of(random, {uint64_t{1}, uint64_t{4}, uint64_t{64},
                                                 POOL_WORKERS_UNBOUNDED, POOL_WORKERS_HANDOFF});
        options.full = static_cast<pool_workers_full>(below(random, 5));
        options.idle_timeout = one_of(random, {int64_t{0}, int64_t{POOL_WORKERS_AT_ONCE},
                                               int64_t{POOL_WORKERS_KEEP}, int64_t{50000}});
        options.reap = static_cast<pool_workers_reap>(below(random, 2));
        options.idle_order = static_cast<pool_workers_order>(below(random, 2));
        options.max_blocked = below(random, 3) == 0 ? 2 : 0;
        options.queue_bytes = below(random, 2) * 50;
        options.spawn_rate = below(random, 3) == 0 ? 3 : 0;
        options.on_drop = Record::drop;
        in_subpool = below(random, 4) == 0;
        resizes = below(random, 2) != 0;
        pauses = below(random, 2) != 0;
        stops_amid = below(random, 2) != 0;
        mode = static_cast<pool_workers_stop_mode>(1 + below(random, 3));
        // A caller that runs a task itself is not to end with it. A task heavier than the bound is
        // dropped where the oldest are, which others then wait for.
        manners.exits = options.full != POOL_WORKERS_CALLER_RUNS && below(random, 2) != 0;
        manners.weighs = options.full <= POOL_WORKERS_FAIL;
        manners.patient = !pauses;
    }

    std::string text() const {
        std::ostringstream out;
        out << "max_workers " << options.max_workers << ", queue_capacity "
            << static_cast<int64_t>(options.queue_capacity) << ", full " << options.full
            << ", idle_timeout " << options.idle_timeout << ", reap " << options.reap
            << ", idle_order " << options.idle_order << ", max_blocked " << options.max_blocked
            << ", queue_bytes " << options.queue_bytes << ", spawn_rate " << options.spawn_rate
            << ", subpool " << in_subpool << ", resizes " << resizes << ", pauses " << pauses
            << ", exits " << manners.exits << ", stops_amid " << stops_amid << ", mode " << mode;
        return out.str();
    }

    pool_workers_options options;
    bool in_subpool;
    bool resizes;
    bool pauses;
    bool stops_amid;
    pool_workers_stop_mode mode;
    Caller::Manners manners;
};

// A pool, or a part of one.
class Place {
public:
    explicit Place(const Weather &weather) {
        pool_workers_options options = weather.options;
        if (weather.in_subpool) {
            pool_workers_options parent = worker_options(4);
            parent.idle_timeout = options.idle_timeout;
            EXPECT_EQ(pool_workers_create(&parent, &parent_), POOL_OK) << pool_last_error();
            options.idle_timeout = options.idle_order = options.reap = 0;
            options.spawn_rate = 0;
            if (options.queue_capacity == POOL_WORKERS_HANDOFF)
                options.queue_capacity = 2;
            EXPECT_EQ(pool_workers_create_sub(parent_, &options, &pool_), POOL_OK)
                << pool_last_error();
        } else {
            EXPECT_EQ(pool_workers_create(&options, &pool_), POOL_OK) << pool_last_error();
        }
    }
    ~Place() {
        EXPECT_EQ(pool_workers_destroy(pool_), POOL_OK) << pool_last_error();
        EXPECT_EQ(pool_workers_destroy(parent_), POOL_OK) << pool_last_error();
    }
    Place(const Place &) = delete;
    Place &operator=(const Place &) = delete;
    operator pool_workers *() const { return pool_; }

private:
    pool_workers *parent_ = nullptr;
    pool_workers *pool_ = nullptr;
};

// Resizes and pauses until it is done, and looks at the statistics.
void control(pool_workers *pool, const Weather &weather, std::minstd_rand random,
             const std::atomic<bool> &done) {
    while (!done) {
        if (weather.resizes) {
            const uint32_t most = 1 + below(random, 4);
            pool_workers_resize(pool, weather.in_subpool ? 0 : below(random, most + 1), most);
        }
        if (weather.pauses) {
            pool_workers_pause(pool, below(random, 2) == 0 ? POOL_FOREVER : 0);
            std::this_thread::sleep_for(std::chrono::microseconds(below(random, 300)));
            pool_workers_resume(pool);
        }
        const pool_workers_stats stats = seen(pool);
        EXPECT_EQ(stats.submitted, stats.succeeded + stats.failed + stats.cancelled +
                                       stats.dropped + stats.discarded + stats.waiting +
                                       stats.running);
        std::this_thread::sleep_for(std::chrono::microseconds(below(random, 500)));
    }
}

void blow(unsigned seed) {
    std::minstd_rand random(seed * 2654435761u); // seeds that follow each other are nothing alike
    const Weather weather(random);
    const std::string about = "POOL_STRESS_SEED=" + std::to_string(seed) + ": " + weather.text();
    SCOPED_TRACE(about);
    Place pool(weather);
    Watchdog dog({pool}, about);
    std::deque<Caller> callers;
    for (unsigned t = 0; t < kCallers; t++)
        callers.emplace_back(pool, seed * 77 + t, weather.manners);
    std::vector<std::thread> threads;
    for (Caller &caller : callers)
        threads.emplace_back([&] {
            for (int i = 0; i < kCalls; i++, dog.progress())
                caller.call();
            caller.end();
        });
    std::atomic<bool> done{false};
    std::thread controller([&] { control(pool, weather, random, done); });
    auto join = [&] {
        for (std::thread &thread : threads)
            if (thread.joinable())
                thread.join();
    };
    if (weather.stops_amid)
        std::this_thread::sleep_for(std::chrono::milliseconds(2 + seed % 10));
    else
        join();
    pool_workers_report report = empty_report();
    EXPECT_EQ(pool_workers_stop(pool, weather.mode, POOL_FOREVER, &report), POOL_OK);
    EXPECT_EQ(report.running, 0u);
    join();
    done = true;
    controller.join();
    expect_accounted(pool, callers);
}

void blow_all(unsigned first, int count) {
    for (int i = 0; i < count && !testing::Test::HasFailure(); i++)
        blow(first + static_cast<unsigned>(i));
}

// The seed that is asked for, or 0.
unsigned seed_asked_for() {
    const char *text = std::getenv("POOL_STRESS_SEED");
    return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : 0;
}

TEST(WorkerStorm, OfFixedSeeds) {
    if (seed_asked_for() != 0)
        GTEST_SKIP() << "a seed is asked for";
    blow_all(1, rounds(150));
}

TEST(WorkerStorm, OfARandomSeed) {
    if (const unsigned seed = seed_asked_for()) {
        for (int i = 0; i < rounds(200) && !HasFailure(); i++)
            blow(seed);
        return;
    }
    const unsigned seed = std::random_device()() % 1000000000 + 1;
    printf("seeds from %u on\n", seed);
    blow_all(seed, rounds(150));
}

} // namespace
