// Histograms of connection pools and the metrics with names of OpenTelemetry, with pools that are
// entries in the registry and nothing else.
//
// SPDX-License-Identifier: Apache-2.0
#include "platform/registry.h"
#include "pool/conn_stats.h"
#include "pool/stats.h"

#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

std::string written(pool_stats_format format) {
    std::string text(pool_stats_text(format, nullptr, 0), '\0');
    EXPECT_EQ(pool_stats_text(format, text.data(), text.size() + 1), text.size());
    return text;
}

struct FakePool {
    pool_conns_stats stats{};
    std::map<int32_t, pool::TimeHistogram> histograms;
    pool::RegistryEntry entry;

    explicit FakePool(const char *name) {
        entry.area = pool::Area::kConns;
        entry.name = name;
        entry.pool = this;
        entry.read = [](void *self, void *to) {
            auto *filled = static_cast<pool_conns_stats *>(to);
            EXPECT_EQ(filled->size, sizeof *filled);
            *filled = static_cast<FakePool *>(self)->stats;
        };
        entry.read_histogram = [](void *self, int32_t which, pool::TimeHistogram *histogram) {
            EXPECT_EQ(histogram->size, sizeof *histogram);
            auto &all = static_cast<FakePool *>(self)->histograms;
            if (!all.count(which))
                return false;
            *histogram = all[which];
            return true;
        };
        pool::register_pool(&entry);
    }
    ~FakePool() { pool::unregister_pool(&entry); }

    // As the pool itself would count it.
    void took(pool_conns_time which, uint64_t nanoseconds, uint64_t times = 1) {
        pool::TimeHistogram &histogram = histograms[which];
        int bucket = 0;
        while (bucket < POOL_CONNS_BUCKETS - 1 &&
               static_cast<double>(nanoseconds) >= 1000 * std::pow(2, bucket / 2.0))
            bucket++;
        histogram.buckets[bucket] += times;
        histogram.count += times;
        histogram.sum += nanoseconds * times;
        histogram.most = std::max(histogram.most, nanoseconds);
    }
    std::string labels() const {
        return "{pool=\"" + std::string(entry.name) + "\",id=\"" + std::to_string(entry.id) + "\"";
    }
};

// The value of the one sample of that name and labels; "" if there is none.
std::string sample(const std::string &name) {
    std::istringstream text(written(POOL_STATS_PROMETHEUS));
    std::string value;
    for (std::string line; std::getline(text, line);)
        if (line.compare(0, name.size() + 1, name + " ") == 0) {
            EXPECT_EQ(value, "") << name << " is there twice";
            value = line.substr(name.size() + 1);
        }
    return value;
}

TEST(ConnMetrics, PercentilesAreInTheLineOfThePool) {
    FakePool pool("db");
    for (uint64_t n = 1; n <= 100; n++)
        pool.took(POOL_CONNS_WAIT_TIME, n * 1000);
    pool.took(POOL_CONNS_DIAL_TIME, 700, 9);
    pool.took(POOL_CONNS_DIAL_TIME, 20000000000);
    pool.histograms[POOL_CONNS_HOLD_TIME] = {};
    std::string text = written(POOL_STATS_TEXT);
    // The 50th of 100 is below 64 us, the 90th and 99th below 91 and 128 us; none is above 100.
    EXPECT_NE(text.find(" wait_p50=64000 wait_p90=90510 wait_p99=100000 wait_max=100000 "
                        "dial_p50=1000 dial_p90=1000 dial_p99=20000000000 dial_max=20000000000 "
                        "hold_p50=0 hold_p90=0 hold_p99=0 hold_max=0\n"),
              std::string::npos)
        << text;
}

TEST(ConnMetrics, JsonHasEveryBucket) {
    FakePool pool("db");
    pool.took(POOL_CONNS_WAIT_TIME, 1500, 2);
    pool.took(POOL_CONNS_WAIT_TIME, 999);
    pool.took(POOL_CONNS_WAIT_TIME, 9000000000);
    pool.histograms[POOL_CONNS_DIAL_TIME] = {};
    std::string zeros;
    for (int i = 3; i < POOL_CONNS_BUCKETS - 1; i++)
        zeros += "0,";
    std::string text = written(POOL_STATS_JSON);
    EXPECT_NE(text.find(",\"wait_histogram\":{\"count\":4,\"sum\":9000003999,\"most\":9000000000,"
                        "\"buckets\":[1,0,2," +
                        zeros + "1]},\"dial_histogram\":{\"count\":0,\"sum\":0,\"most\":0,"),
              std::string::npos)
        << text;
    EXPECT_EQ(text.find("hold_histogram"), std::string::npos);
}

TEST(ConnMetrics, PrometheusHistogramsAreCumulative) {
    FakePool first("first"), second("second");
    first.took(POOL_CONNS_HOLD_TIME, 1);           // below 1 us
    first.took(POOL_CONNS_HOLD_TIME, 1300, 10);    // below 1.41 us
    first.took(POOL_CONNS_HOLD_TIME, 1500, 100);   // below 2 us
    first.took(POOL_CONNS_HOLD_TIME, 8388607000);  // below the last bound
    first.took(POOL_CONNS_HOLD_TIME, 8388608000);  // not
    second.took(POOL_CONNS_HOLD_TIME, 5000000, 7); // 5 ms
    const std::string name = "db_client_connection_use_time_seconds";
    auto bucket = [&](const FakePool &pool, const char *le) {
        return sample(name + "_bucket" + pool.labels() + ",le=\"" + le + "\"}");
    };
    EXPECT_EQ(bucket(first, "0.000001"), "1");
    EXPECT_EQ(bucket(first, "0.000002"), "111");
    EXPECT_EQ(bucket(first, "4.194304"), "111");
    EXPECT_EQ(bucket(first, "8.388608"), "112");
    EXPECT_EQ(bucket(first, "+Inf"), "113");
    EXPECT_EQ(sample(name + "_count" + first.labels() + "}"), "113");
    EXPECT_EQ(sample(name + "_sum" + first.labels() + "}"), "16.777378001");
    EXPECT_EQ(bucket(second, "0.004096"), "0");
    EXPECT_EQ(bucket(second, "0.008192"), "7");
    EXPECT_EQ(sample(name + "_sum" + second.labels() + "}"), "0.035");

    std::istringstream text(written(POOL_STATS_PROMETHEUS));
    int types = 0, buckets = 0;
    for (std::string line; std::getline(text, line);) {
        types += line == "# TYPE " + name + " histogram";
        buckets += line.rfind(name + "_bucket" + first.labels(), 0) == 0;
    }
    EXPECT_EQ(types, 1);
    EXPECT_EQ(buckets, 25);
    EXPECT_EQ(written(POOL_STATS_PROMETHEUS).find("_wait_time_seconds_bucket"), std::string::npos)
        << "neither pool has waited";
}

TEST(ConnMetrics, StateHasTheNamesOfOpenTelemetry) {
    FakePool bounded("bounded"), boundless("boundless");
    bounded.stats.idle = 3;
    bounded.stats.in_use = 4;
    bounded.stats.waiters = 5;
    bounded.stats.timeouts = 6;
    bounded.stats.max_open = 7;
    bounded.stats.max_idle = 2;
    const std::string prefix = "db_client_connection_";
    EXPECT_EQ(sample(prefix + "count" + bounded.labels() + ",state=\"idle\"}"), "3");
    EXPECT_EQ(sample(prefix + "count" + bounded.labels() + ",state=\"used\"}"), "4");
    EXPECT_EQ(sample(prefix + "count" + boundless.labels() + ",state=\"used\"}"), "0");
    EXPECT_EQ(sample(prefix + "pending_requests" + bounded.labels() + "}"), "5");
    EXPECT_EQ(sample(prefix + "timeouts_total" + bounded.labels() + "}"), "6");
    EXPECT_EQ(sample(prefix + "max" + bounded.labels() + "}"), "7");
    EXPECT_EQ(sample(prefix + "idle_max" + bounded.labels() + "}"), "2");
    EXPECT_EQ(sample(prefix + "max" + boundless.labels() + "}"), "") << "it has no bound";
    EXPECT_EQ(sample("pool_conns_idle" + bounded.labels() + "}"), "3") << "by its own name";
}

TEST(ConnMetrics, PoolsWithoutHistogramsHaveNone) {
    FakePool pool("plain");
    pool.took(POOL_CONNS_WAIT_TIME, 1);
    pool.entry.read_histogram = nullptr;
    EXPECT_EQ(written(POOL_STATS_TEXT).find("_p50"), std::string::npos);
    EXPECT_EQ(written(POOL_STATS_JSON).find("histogram"), std::string::npos);
    EXPECT_EQ(written(POOL_STATS_PROMETHEUS).find("histogram"), std::string::npos);
}

// More pools than room was made for at first, and more histograms than that in few pools.
TEST(ConnMetrics, ManyPoolsKeepTheirOwnHistograms) {
    for (uint64_t count : {15u, 100u}) {
        std::vector<std::unique_ptr<FakePool>> pools;
        for (uint64_t i = 0; i < count; i++) {
            pools.push_back(std::make_unique<FakePool>("many"));
            for (pool_conns_time which : {POOL_CONNS_WAIT_TIME, POOL_CONNS_HOLD_TIME})
                if (i % 3 != 0) // the others have none
                    pools.back()->took(which, 1000 * static_cast<uint64_t>(which) + i);
        }
        std::istringstream text(written(POOL_STATS_TEXT));
        std::string line;
        for (uint64_t i = 0; i < count; i++) {
            ASSERT_TRUE(std::getline(text, line));
            for (const char *kind : {" wait_max=1", " hold_max=3"}) {
                std::string number = std::to_string(1000 + i).substr(1);
                bool there = (line + ' ').find(kind + number + ' ') != std::string::npos;
                EXPECT_EQ(there, i % 3 != 0) << line;
            }
        }
    }
}

TEST(ConnMetrics, RealPoolsHaveThem) {
    pool_conns_options options = POOL_CONNS_OPTIONS_INIT;
    options.name = "real";
    options.dial = [](const void *, size_t, int64_t, void **, void *) -> pool_status { return 0; };
    options.close = [](void *, pool_conns_reason, void *) {};
    pool_conns *pool;
    ASSERT_EQ(pool_conns_create(&options, &pool), POOL_OK);
    pool_conns_lease *lease;
    ASSERT_EQ(pool_conns_acquire(pool, "a", 1, POOL_FOREVER, &lease), POOL_OK);
    ASSERT_EQ(pool_conns_release(lease), POOL_OK);
    std::string text = written(POOL_STATS_TEXT);
    for (pool_conns_time which :
         {POOL_CONNS_WAIT_TIME, POOL_CONNS_DIAL_TIME, POOL_CONNS_HOLD_TIME}) {
        pool_conns_histogram histogram;
        histogram.size = sizeof histogram;
        ASSERT_EQ(pool_conns_get_histogram(pool, which, &histogram), POOL_OK);
        EXPECT_EQ(histogram.count, which == POOL_CONNS_WAIT_TIME ? 0u : 1u);
        const char *const names[] = {"wait", "dial", "hold"};
        std::string field = " " + std::string(names[which - POOL_CONNS_WAIT_TIME]) + "_p90=" +
                            std::to_string(pool_conns_histogram_percentile(&histogram, 90)) + " ";
        EXPECT_NE(text.find(field), std::string::npos) << field << "is not in " << text;
    }
    pool_conns_destroy(pool);
}

} // namespace
