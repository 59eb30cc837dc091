// Slots before the lock: what can lie in them, and whose it is.
//
// SPDX-License-Identifier: Apache-2.0
#include "conns/front.h"

#include "support/conn_pool.h"

#include <gtest/gtest.h>

namespace {

using pool::Conn;
using pool::Front;

class FrontTest : public testing::Test {
protected:
    FrontTest() : table_(Front::make(memory_, 4, 1u << 20)) {}
    ~FrontTest() override { memory_.free(table_, table_->bytes(), Front::kAlignment); }

    // What made room, if anything.
    Conn *fill(uint64_t hash, Conn *conn) {
        Front::Slot *used;
        return Front::fill(table_, hash, nullptr, conn, &used);
    }

    pool_test::OnOneCpu here_; // each CPU has slots of its own
    pool::Memory memory_{nullptr};
    Front::Table *table_;
};

TEST_F(FrontTest, AConnectionIsFoundByItsHashOnly) {
    // Of one set and one way, but for one bit that stands in a slot beside the address.
    const uint64_t hash = uint64_t{5} << 32;
    for (int bit : {32, 40, 47, 52, 57}) {
        Conn conn;
        EXPECT_EQ(fill(hash, &conn), nullptr);
        EXPECT_EQ(Front::take(table_, hash ^ uint64_t{1} << bit), nullptr) << bit;
        EXPECT_EQ(Front::take(table_, hash), &conn);
        EXPECT_EQ(Front::take(table_, hash), nullptr) << "once";
    }
}

TEST_F(FrontTest, TheNewestOfAKeyPutsTheOneBeforeAside) {
    Conn older, newer;
    EXPECT_EQ(fill(7, &older), nullptr);
    EXPECT_EQ(fill(7, &newer), &older);
    EXPECT_EQ(Front::take(table_, 7), &newer);
}

TEST(Front, RecordsThatItsSlotsCannotHoldAreKnown) {
    Conn conn;
    EXPECT_TRUE(Front::suits(&conn));
    if (sizeof(void *) == 8) {
        EXPECT_FALSE(Front::suits(reinterpret_cast<void *>(uintptr_t{1} << 48)));
    }
}

} // namespace
