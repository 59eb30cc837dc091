// Histograms of worker pools in the statistics of the process.
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/stats.h"
#include "pool/worker_stats.h"
#include "pool/worker_tasks.h"
#include "pool/workers.h"

#include <gtest/gtest.h>
#include <string>

namespace {

std::string written(pool_stats_format format) {
    std::string text(pool_stats_text(format, nullptr, 0), '\0');
    EXPECT_EQ(pool_stats_text(format, text.data(), text.size() + 1), text.size());
    return text;
}

class WorkerTimes : public testing::Test {
protected:
    static constexpr int kTasks = 5;

    // Tasks with a handle are measured, all of them.
    WorkerTimes() {
        pool_workers_options options = POOL_WORKERS_OPTIONS_INIT;
        options.name = "crew";
        options.max_workers = 1;
        EXPECT_EQ(pool_workers_create(&options, &pool_), POOL_OK);
        for (int i = 0; i < kTasks; i++) {
            pool_workers_task *task;
            EXPECT_EQ(pool_workers_start(
                          pool_, [](void *) {}, nullptr, nullptr, POOL_FOREVER, &task),
                      POOL_OK);
            EXPECT_EQ(pool_workers_task_wait(task, POOL_FOREVER), POOL_OK);
            pool_workers_task_release(task);
        }
        EXPECT_EQ(pool_workers_wait_idle(pool_, POOL_FOREVER), POOL_OK);
    }
    ~WorkerTimes() override { EXPECT_EQ(pool_workers_destroy(pool_), POOL_OK); }

    pool_workers_histogram histogram(pool_workers_time which) const {
        pool_workers_histogram histogram;
        histogram.size = sizeof histogram;
        EXPECT_EQ(pool_workers_get_histogram(pool_, which, &histogram), POOL_OK);
        EXPECT_EQ(histogram.count, static_cast<uint64_t>(kTasks));
        return histogram;
    }

    static void expect_in(const std::string &text, const std::string &part) {
        EXPECT_NE(text.find(part), std::string::npos) << part << " is not in " << text;
    }

    pool_workers *pool_ = nullptr;
};

TEST_F(WorkerTimes, PercentilesAreInTheLineOfThePool) {
    const pool_workers_histogram waits = histogram(POOL_WORKERS_WAIT_TIME);
    const pool_workers_histogram runs = histogram(POOL_WORKERS_RUN_TIME);
    const std::string text = written(POOL_STATS_TEXT);
    expect_in(text,
              " wait_p50=" + std::to_string(pool_workers_histogram_percentile(&waits, 50)) + " ");
    expect_in(text, " wait_max=" + std::to_string(waits.most) + " ");
    expect_in(text, " run_p99=" + std::to_string(pool_workers_histogram_percentile(&runs, 99)) +
                        " run_max=" + std::to_string(runs.most) + "\n");
}

TEST_F(WorkerTimes, AreInTheJson) {
    const std::string text = written(POOL_STATS_JSON);
    expect_in(text, ",\"wait_histogram\":{\"count\":5,\"sum\":" +
                        std::to_string(histogram(POOL_WORKERS_WAIT_TIME).sum) + ",");
    expect_in(text, ",\"run_histogram\":{\"count\":5,\"sum\":" +
                        std::to_string(histogram(POOL_WORKERS_RUN_TIME).sum) + ",");
}

TEST_F(WorkerTimes, AreHistogramsForPrometheus) {
    const std::string text = written(POOL_STATS_PROMETHEUS);
    for (const std::string name :
         {"pool_workers_wait_time_seconds", "pool_workers_run_time_seconds"}) {
        expect_in(text, "# TYPE " + name + " histogram\n");
        expect_in(text, "\n" + name + "_bucket{pool=\"crew\",id=\"");
        expect_in(text, "\",le=\"+Inf\"} 5\n" + name + "_sum{pool=\"crew\",id=\"");
        expect_in(text, "\n" + name + "_count{pool=\"crew\",id=\"");
    }
    EXPECT_EQ(text.find("db_client"), std::string::npos) << "these are no connections";
}

} // namespace
