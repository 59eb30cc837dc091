// SPDX-License-Identifier: Apache-2.0
#include "platform/status.h"

#include <cstring>
#include <gtest/gtest.h>
#include <set>
#include <string>
#include <thread>

namespace {

// The values never change once released.
constexpr struct {
    pool_status status;
    int value;
    const char *name;
} kAll[] = {
    {POOL_OK, 0, "POOL_OK"},
    {POOL_EINVAL, -1, "POOL_EINVAL"},
    {POOL_ENOMEM, -2, "POOL_ENOMEM"},
    {POOL_EAGAIN, -3, "POOL_EAGAIN"},
    {POOL_ETIMEDOUT, -4, "POOL_ETIMEDOUT"},
    {POOL_ECANCELED, -5, "POOL_ECANCELED"},
    {POOL_ECLOSED, -6, "POOL_ECLOSED"},
    {POOL_EFULL, -7, "POOL_EFULL"},
    {POOL_EDEADLK, -8, "POOL_EDEADLK"},
    {POOL_EFORKED, -9, "POOL_EFORKED"},
    {POOL_ENOTHREAD, -10, "POOL_ENOTHREAD"},
    {POOL_EDIAL, -11, "POOL_EDIAL"},
    {POOL_EBAD, -12, "POOL_EBAD"},
    {POOL_ETASK, -13, "POOL_ETASK"},
    {POOL_EMISUSE, -14, "POOL_EMISUSE"},
    {POOL_ENOTSUP, -15, "POOL_ENOTSUP"},
    {POOL_ECREATE, -16, "POOL_ECREATE"},
    {POOL_EIO, -17, "POOL_EIO"},
};

TEST(Status, EveryCodeHasItsValueItsNameAndATextOfItsOwn) {
    std::set<std::string> texts;
    for (const auto &each : kAll) {
        EXPECT_EQ(each.status, each.value);
        EXPECT_STREQ(pool_status_name(each.status), each.name);
        EXPECT_TRUE(texts.insert(pool_status_text(each.status)).second) << each.name;
    }
}

TEST(Status, AnyOtherNumberIsUnknownButNoCrash) {
    for (pool_status status : {-18, 1, 1000, INT32_MIN, INT32_MAX}) {
        EXPECT_STREQ(pool_status_name(status), "POOL_UNKNOWN") << status;
        EXPECT_STRNE(pool_status_text(status), "");
    }
}

TEST(LastError, IsEmptyOnAThreadThatHadNone) {
    pool::fail(POOL_EINVAL, "on this thread");
    std::thread([] {
        EXPECT_STREQ(pool_last_error(), "");
        EXPECT_EQ(pool_last_error_status(), POOL_OK);
        EXPECT_EQ(pool_last_error_copy(nullptr, 0), 0u);
        pool::fail(POOL_EBAD, "on the other");
    }).join();
    EXPECT_STREQ(pool_last_error(), "on this thread");
    EXPECT_EQ(pool_last_error_status(), POOL_EINVAL);
}

TEST(LastError, IsTheLatest) {
    EXPECT_EQ(pool::fail(POOL_EINVAL, "%s is %d", "x", 5), POOL_EINVAL);
    EXPECT_STREQ(pool_last_error(), "x is 5");
    EXPECT_EQ(pool::fail_text(POOL_EAGAIN, "empty"), POOL_EAGAIN);
    EXPECT_STREQ(pool_last_error(), "empty");
    EXPECT_EQ(pool_last_error_status(), POOL_EAGAIN);
    EXPECT_EQ(pool::fail(POOL_EBAD, "broken"), POOL_EBAD);
    EXPECT_STREQ(pool_last_error(), "broken");
}

TEST(LastError, IsCutNotOverrun) {
    std::string longer(5000, 'e');
    pool::fail(POOL_EINVAL, "%s", longer.c_str());
    std::string text = pool_last_error();
    EXPECT_GE(text.size(), 200u);
    EXPECT_LT(text.size(), 256u);
    EXPECT_EQ(text, longer.substr(0, text.size()));
}

TEST(LastError, CopyCutsAtTheBufferAndTellsTheFullLength) {
    pool::fail(POOL_EINVAL, "0123456789");
    char buffer[16];
    memset(buffer, 'x', sizeof buffer);
    EXPECT_EQ(pool_last_error_copy(buffer, 5), 10u);
    EXPECT_STREQ(buffer, "0123");
    EXPECT_EQ(buffer[5], 'x') << "written beyond the length";
    EXPECT_EQ(pool_last_error_copy(buffer, sizeof buffer), 10u);
    EXPECT_STREQ(buffer, "0123456789");
    EXPECT_EQ(pool_last_error_copy(buffer, 1), 10u);
    EXPECT_STREQ(buffer, "");
    EXPECT_EQ(pool_last_error_copy(nullptr, 0), 10u);
}

} // namespace
