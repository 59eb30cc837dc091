// The grammar of POOL_CONF, the log function and the thread hooks' storage.
//
// SPDX-License-Identifier: Apache-2.0
#include "platform/config.h"

#include "support/log.h"

#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <stdexcept>
#include <string>

namespace {

using pool::Config;

Config parse(const char *text) {
    Config config;
    pool::parse_config(text, config);
    return config;
}

TEST(Config, NothingLeavesTheDefaults) {
    for (const char *text : {"", ",", ",,,"}) {
        Config config = parse(text);
        EXPECT_EQ(config.cpu_mode, POOL_CPU_AUTO);
        EXPECT_FALSE(config.trust_denied_kernels);
        EXPECT_FALSE(config.checked);
        EXPECT_FALSE(config.objects_pressure);
        EXPECT_EQ(config.objects_sweep_period, 0);
        EXPECT_FALSE(config.buffers_pressure);
        EXPECT_EQ(config.buffers_sweep_period, 10000000000);
        EXPECT_STREQ(config.rejected, "") << text;
    }
}

TEST(Config, EveryKeyIsUnderstood) {
    Config config =
        parse("cpu=rseq,rseq_denied=0,checked=1,objects.sweep_ms=250,objects.pressure=1,"
              "buffers.sweep_ms=50,buffers.pressure=1");
    EXPECT_EQ(config.cpu_mode, POOL_CPU_RSEQ);
    EXPECT_TRUE(config.trust_denied_kernels);
    EXPECT_TRUE(config.checked);
    EXPECT_TRUE(config.objects_pressure);
    EXPECT_EQ(config.objects_sweep_period, 250000000);
    EXPECT_TRUE(config.buffers_pressure);
    EXPECT_EQ(config.buffers_sweep_period, 50000000);
    EXPECT_STREQ(config.rejected, "");
    EXPECT_EQ(parse("cpu=fallback").cpu_mode, POOL_CPU_FALLBACK);
    EXPECT_EQ(parse("cpu=rseq,cpu=auto").cpu_mode, POOL_CPU_AUTO) << "the last one holds";
    EXPECT_FALSE(parse("rseq_denied=1").trust_denied_kernels);
    EXPECT_FALSE(parse("checked=1,checked=0").checked);
    EXPECT_EQ(parse("objects.sweep_ms=0").objects_sweep_period, 0);
}

TEST(Config, EmptyEntriesAndATrailingCommaAreNothing) {
    Config config = parse(",checked=1,,cpu=rseq,");
    EXPECT_TRUE(config.checked);
    EXPECT_EQ(config.cpu_mode, POOL_CPU_RSEQ);
    EXPECT_STREQ(config.rejected, "");
}

TEST(Config, WhatIsNotUnderstoodIsKeptAsItStood) {
    for (const char *bad : {"bogus",
                            "bogus=1",
                            "cpu",
                            "cpu=",
                            "cpu=RSEQ",
                            "cpu=rseq ",
                            " cpu=rseq",
                            "cpu =rseq",
                            "checked",
                            "checked=",
                            "checked=2",
                            "checked=yes",
                            "checked=01",
                            "checked=1=1",
                            "=",
                            "=1",
                            "==",
                            "objects.sweep_ms=",
                            "objects.sweep_ms=-1",
                            "objects.sweep_ms=1.5",
                            "objects.sweep_ms=1s",
                            "objects.sweep_ms=0x10",
                            "objects.pressure=2",
                            "objects=1",
                            "object.pressure=1",
                            "checke=1",
                            "checkedd=1",
                            "rseq_denied=-1",
                            "\t",
                            "\xff\xfe=1"}) {
        Config config = parse(bad);
        EXPECT_STREQ(config.rejected, bad);
        EXPECT_EQ(config.cpu_mode, POOL_CPU_AUTO) << bad;
        EXPECT_FALSE(config.checked) << bad;
        EXPECT_FALSE(config.objects_pressure) << bad;
        EXPECT_FALSE(config.trust_denied_kernels) << bad;
        EXPECT_EQ(config.objects_sweep_period, 0) << bad;
    }
}

TEST(Config, GoodEntriesHoldBesideBadOnes) {
    Config config = parse("cpu=sixteen,checked=1,bogus=3,objects.sweep_ms=7,cpu");
    EXPECT_TRUE(config.checked);
    EXPECT_EQ(config.objects_sweep_period, 7000000);
    EXPECT_STREQ(config.rejected, "cpu=sixteen,bogus=3,cpu");
}

TEST(Config, APeriodThatDoesNotFitIsRejected) {
    EXPECT_EQ(parse("objects.sweep_ms=9000000000000").objects_sweep_period,
              9000000000000 * int64_t{1000000});
    EXPECT_EQ(parse("objects.sweep_ms=0000000000000000000000005").objects_sweep_period, 5000000);
    for (const char *huge :
         {"objects.sweep_ms=9223372036855", "objects.sweep_ms=9223372036859",
          "objects.sweep_ms=9223372036854775807", "objects.sweep_ms=99999999999999999999999999"}) {
        Config config = parse(huge);
        EXPECT_STREQ(config.rejected, huge);
        EXPECT_EQ(config.objects_sweep_period, 0);
    }
}

TEST(Config, RejectedTextIsCutNotOverrun) {
    for (size_t length : {100u, 126u, 127u, 128u, 129u, 5000u}) {
        std::string text = "bad," + std::string(length, 'x') + ",worse";
        Config config = parse(text.c_str());
        std::string expected = text.substr(0, sizeof config.rejected - 1);
        EXPECT_EQ(config.rejected, expected);
    }
    std::string many;
    for (int i = 0; i < 200; i++)
        many += "b,";
    Config config = parse(many.c_str());
    EXPECT_LT(strlen(config.rejected), sizeof config.rejected);
}

TEST(Config, NoTextCanHurt) {
    std::mt19937 random(1);
    const std::string pieces[] = {"cpu", "=", ",", "rseq", "checked", "1",   "objects.sweep_ms",
                                  "9",   "0", " ", "\x01", ".",       "\xff"};
    for (int round = 0; round < 20000; round++) {
        std::string text;
        for (auto i = random() % 20; i > 0; i--)
            text += pieces[random() % std::size(pieces)];
        Config config = parse(text.c_str());
        EXPECT_LT(strnlen(config.rejected, sizeof config.rejected), sizeof config.rejected);
        EXPECT_GE(config.objects_sweep_period, 0);
    }
}

TEST(Config, ItsTextCanBeReadBack) {
    char text[512];
    size_t length = pool_config_text(text, sizeof text);
    EXPECT_EQ(length, strlen(text));
    Config again = parse(text);
    EXPECT_STREQ(again.rejected, "");
    EXPECT_EQ(again.cpu_mode, pool::config().cpu_mode);
    EXPECT_EQ(again.checked, pool::config().checked);
    char cut[6];
    EXPECT_EQ(pool_config_text(cut, sizeof cut), length);
    EXPECT_EQ(std::string(cut), std::string(text, 5));
    EXPECT_EQ(pool_config_text(nullptr, 0), length);
}

TEST(Log, LinesReachTheFunctionThatIsSet) {
    pool::log_line(3, "to nobody");
    {
        pool_test::LogCapture log;
        pool::log_line(2, "%s=%d", "key", 1);
        std::string longer(1000, 'l');
        pool::log_line(1, "%s", longer.c_str());
        ASSERT_EQ(log.lines().size(), 2u);
        EXPECT_EQ(log.lines()[0].severity, 2);
        EXPECT_EQ(log.lines()[0].text, "key=1");
        EXPECT_EQ(log.lines()[1].text, longer.substr(0, 255));
    }
    pool::log_line(3, "to nobody");
}

TEST(Log, AFunctionThatThrowsHarmsNobody) {
    pool_config_set_log([](int32_t, const char *, void *) { throw std::runtime_error("no"); },
                        nullptr);
    EXPECT_NO_THROW(pool::log_line(1, "x"));
    pool_config_set_log(nullptr, nullptr);
}

} // namespace
