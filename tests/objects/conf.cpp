// What POOL_CONF does to object pools. Runs with checked=1,bogus,objects.sweep_ms=1.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/log.h"
#include "support/object_pool.h"
#include "sync/gate.h"

#include <cstring>

namespace {

using namespace pool_test;

// First in the file and so first in the process: the configuration is read by the first pool.
TEST(ObjectPoolConf, WhatIsNotUnderstoodIsReportedAndTheReportMayUseTheLibrary) {
    struct Report {
        int lines = 0;
        pool_status status = POOL_EAGAIN;
        static void receive(int32_t severity, const char *line, void *ctx) {
            auto *self = static_cast<Report *>(ctx);
            self->lines++;
            EXPECT_EQ(severity, 2);
            EXPECT_STREQ(line, "POOL_CONF: not understood: bogus");
            pool_objects *pool = nullptr;
            self->status = pool_objects_create(nullptr, &pool);
            pool_objects_destroy(pool);
        }
    } report;
    pool_config_set_log(Report::receive, &report);
    pool_objects *pool = nullptr;
    EXPECT_EQ(pool_objects_create(nullptr, &pool), POOL_OK);
    EXPECT_EQ(report.lines, 1);
    EXPECT_EQ(report.status, POOL_OK);
    EXPECT_EQ(pool_objects_destroy(pool), POOL_OK);
    pool_config_set_log(nullptr, nullptr);

    char text[256];
    size_t length = pool_config_text(text, sizeof text);
    EXPECT_EQ(length, strlen(text));
    EXPECT_STREQ(text, "cpu=auto,rseq_denied=1,checked=1,objects.sweep_ms=1,objects.pressure=0,"
                       "buffers.sweep_ms=10000,buffers.pressure=0"
                       " not understood: bogus");
}

TEST(ObjectPoolConf, CheckedModeHoldsInEveryPool) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    Item *item = pool.get();
    pool.put(item);
    EXPECT_EQ(pool_objects_put(pool, item), POOL_EMISUSE);
}

TEST(ObjectPoolConf, PoolsAreSweptInTheBackground) {
    Ledger ledger;
    ObjectPoolUnderTest pool(ledger.options());
    pool.fill(10);
    eventually([&] { return ledger.alive() == 0; });
    eventually([&] { return stats_of(pool).sweeps >= 2; });
}

TEST(ObjectPoolConf, APoolCanForbidItsSweeps) {
    Ledger swept, kept;
    pool_objects_options options = kept.options();
    options.flags = POOL_OBJECTS_NO_SWEEPER;
    ObjectPoolUnderTest keeps(options);
    keeps.fill(10);
    ObjectPoolUnderTest sweeps(swept.options());
    sweeps.fill(10);
    eventually([&] { return swept.alive() == 0; });
    EXPECT_EQ(kept.alive(), 10);
    EXPECT_EQ(keeps.stats().sweeps, 0u);
}

} // namespace
