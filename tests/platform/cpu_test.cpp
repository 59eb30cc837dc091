// How CPUs are counted and identified, and which mode is chosen.
//
// SPDX-License-Identifier: Apache-2.0
#include "platform/cpu.h"

#include "platform/config.h"
#include "platform/membarrier.h"
#include "platform/status.h"
#include "support/two_cpus.h"

#include <climits>
#include <cstring>
#include <gtest/gtest.h>
#include <sys/auxv.h>
#include <thread>

namespace {

using namespace pool;
using namespace pool_test;

TEST(Cpu, PossibleCpusAreOneMoreThanTheLargest) {
    struct {
        const char *text;
        uint32_t cpus;
    } cases[] = {
        {"0", 1},           {"0\n", 1},         {"0-1\n", 2}, {"0-3", 4},
        {"0,2-5\n", 6},     {"0-3,8-11\n", 12}, {"1", 2},     {"0,1,2,3\n", 4},
        {"0-4095\n", 4096}, {"0-3,64", 65},     {"", 0},      {"\n", 0},
        {"none", 0},        {"-1", 0},          {"0-", 1},    {"0,", 1},
        {"0-x", 1},         {"3 5", 4},
    };
    for (const auto &each : cases)
        EXPECT_EQ(cpu_detail::parse_possible(each.text), each.cpus) << each.text;
}

TEST(Cpu, AQuotaIsRoundedUpToCpus) {
    struct {
        const char *text;
        uint32_t cpus;
    } cases[] = {
        {"max 100000\n", UINT32_MAX},
        {"100000 100000\n", 1},
        {"150000 100000", 2},
        {"1 100000", 1},
        {"200000 100000", 2},
        {"200001 100000", 3},
        {"50000 100000\n", 1},
        {"1000000 10000\n", 100},
        {"0 100000", UINT32_MAX},
        {"-1 100000", UINT32_MAX},
        {"100000 0", UINT32_MAX},
        {"100000", UINT32_MAX},
        {"", UINT32_MAX},
        {"x y", UINT32_MAX},
        {"9223372036854775807 1", 4096},
        {"9223372036854775807 9223372036854775807", 1},
        {"9223372036854775807 100000", 4096},
    };
    for (const auto &each : cases)
        EXPECT_EQ(cpu_detail::quota_cpus(each.text), each.cpus) << each.text;
}

// glibc 2.35 to 2.39 say 20 or 32 whatever the kernel has; the kernel's word counts then.
TEST(Cpu, TheFeatureSizeIsTheKernelsWhereLibcsMeansNothing) {
    EXPECT_EQ(cpu_detail::rseq_feature_size(20, 28), 28u);
    EXPECT_EQ(cpu_detail::rseq_feature_size(32, 28), 28u);
    EXPECT_EQ(cpu_detail::rseq_feature_size(20, 20), 20u);
    EXPECT_EQ(cpu_detail::rseq_feature_size(32, 0), 20u) << "no mm_cid before the auxv entry";
    EXPECT_EQ(cpu_detail::rseq_feature_size(20, 0), 20u);
    EXPECT_EQ(cpu_detail::rseq_feature_size(32, 40), 32u) << "no more than is registered";
    EXPECT_EQ(cpu_detail::rseq_feature_size(28, 20), 28u) << "a libc that says it exactly";
    EXPECT_EQ(cpu_detail::rseq_feature_size(33, 28), 33u);
}

TEST(Cpu, OnlyTheArmKernelsOnTheListAreDenied) {
    const char *denied[] = {"6.19", "6.19.0", "6.19.12-arch", "6.20.1", "7.0", "7.0.9-generic"};
    const char *trusted[] = {
        "6.18.44", "6.1.0-18-arm64", "5.10", "7.1.0", "7.1-rc1", "7.2", "8.0", "", "x.y", "6"};
    for (const char *release : denied) {
        EXPECT_TRUE(cpu_detail::kernel_breaks_sequences("aarch64", release)) << release;
        EXPECT_FALSE(cpu_detail::kernel_breaks_sequences("x86_64", release)) << release;
    }
    for (const char *release : trusted)
        EXPECT_FALSE(cpu_detail::kernel_breaks_sequences("aarch64", release)) << release;
}

TEST(Cpu, CountsAreWithinTheirLimits) {
    EXPECT_GE(possible_cpus(), 1u);
    EXPECT_LE(possible_cpus(), 4096u);
    EXPECT_GE(usable_cpus(), 1u);
    EXPECT_LE(usable_cpus(), allowed_cpus().size());
    uint32_t pinned = 0;
    std::thread([&] {
        pin_to({allowed_cpus().front()});
        pinned = usable_cpus();
    }).join();
    EXPECT_EQ(pinned, 1u);
}

TEST(Cpu, APinnedThreadRunsWhereItIsPinned) {
    sequence_support();
    for (size_t cpu : allowed_cpus())
        std::thread([cpu] {
            pin_to({cpu});
            EXPECT_EQ(current_cpu(), cpu);
            EXPECT_EQ(static_cast<size_t>(sched_getcpu()), cpu);
        }).join();
}

TEST(Cpu, TheModeIsChosenAsAskedAndAsConfigured) {
    const SequenceSupport &support = sequence_support();
    EXPECT_EQ(support.available, strlen(support.reason) == 0);
    pool_cpu_mode mode = 77;
    EXPECT_EQ(resolve_cpu_mode(POOL_CPU_FALLBACK, &mode), POOL_OK);
    EXPECT_EQ(mode, POOL_CPU_FALLBACK);
    mode = 77;
    if (support.available) {
        EXPECT_EQ(resolve_cpu_mode(POOL_CPU_RSEQ, &mode), POOL_OK);
        EXPECT_EQ(mode, POOL_CPU_RSEQ) << "what is asked for wins over POOL_CONF";
    } else {
        EXPECT_EQ(resolve_cpu_mode(POOL_CPU_RSEQ, &mode), POOL_ENOTSUP);
        EXPECT_EQ(mode, 77);
        EXPECT_NE(strstr(pool_last_error(), support.reason), nullptr);
    }
    EXPECT_EQ(resolve_cpu_mode(POOL_CPU_AUTO, &mode), POOL_OK);
    bool wanted = config().cpu_mode != POOL_CPU_FALLBACK;
    EXPECT_EQ(mode, wanted && support.available ? POOL_CPU_RSEQ : POOL_CPU_FALLBACK);
    EXPECT_EQ(pool_config_cpu_mode(), mode);
    mode = 77;
    for (pool_cpu_mode none : {-1, 3, INT_MAX, INT_MIN}) {
        EXPECT_EQ(resolve_cpu_mode(none, &mode), POOL_EINVAL);
        EXPECT_EQ(mode, 77);
    }
}

TEST(Cpu, IdsOfSequencesAreInRange) {
    const SequenceSupport &support = sequence_support();
    if (!support.available)
        GTEST_SKIP() << support.reason;
    EXPECT_TRUE(fence_sequences());
    EXPECT_LT(sequence_id(), possible_cpus());
    std::thread([] { EXPECT_LT(sequence_id(), possible_cpus()); }).join();
    if (support.compact_ids)
        EXPECT_EQ(support.id_offset, support.area_offset + 24);
    else
        EXPECT_EQ(support.id_offset, support.area_offset + 4);
}

TEST(Version, SaysWhatIsInUse) {
    EXPECT_STREQ(pool_version(), "0.1.0");
    EXPECT_EQ(pool_version_number(), POOL_VERSION_NUMBER);
    const char *details = pool_version_details();
    EXPECT_EQ(strncmp(details, "libpool 0.1.0; ", 15), 0) << details;
    EXPECT_NE(
        strstr(details, pool_config_cpu_mode() == POOL_CPU_RSEQ ? "cpu=rseq" : "cpu=fallback"),
        nullptr)
        << details;
    EXPECT_NE(strstr(details, "memory="), nullptr);
    EXPECT_EQ(pool_version_details(), details) << "made once";
}

} // namespace
