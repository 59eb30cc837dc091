// Checked mode: mistakes are found and change nothing.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/log.h"
#include "support/object_pool.h"

#include <cstring>
#include <thread>

namespace {

using namespace pool_test;

pool_objects_options checked(Ledger &ledger) {
    pool_objects_options options = ledger.options();
    options.name = "parsers";
    options.flags = POOL_OBJECTS_CHECKED;
    return options;
}

std::string pointer_text(const void *pointer) {
    char text[32];
    snprintf(text, sizeof text, "%p", pointer);
    return text;
}

TEST(ObjectPoolChecked, WorksLikeAnyOther) {
    Ledger ledger;
    {
        ObjectPoolUnderTest pool(checked(ledger));
        ASSERT_EQ(pool_objects_prefill(pool, 10), POOL_OK);
        pool.fill(300);
        void *objects[50];
        ASSERT_EQ(pool_objects_get_n(pool, objects, 50), 50u);
        EXPECT_EQ(pool_objects_put_n(pool, objects, 50), POOL_OK);
        pool_objects_sweep(pool);
        pool.fill(20);
        pool_objects_sweep(pool);
        pool_objects_shrink(pool, 5);
        pool_objects_stats stats = pool.stats();
        EXPECT_EQ(stats.misuses, 0u);
        EXPECT_EQ(stats.out, 0);
        EXPECT_EQ(stats.idle, 5u);
    }
    EXPECT_EQ(ledger.alive(), 0);
}

TEST(ObjectPoolChecked, ADoublePutIsRefused) {
    Ledger ledger;
    ObjectPoolUnderTest pool(checked(ledger));
    Item *item = pool.get();
    pool.put(item);
    EXPECT_EQ(pool_objects_put(pool, item), POOL_EMISUSE);
    EXPECT_EQ(pool_last_error(),
              "double put of " + pointer_text(item) + ": it is idle in pool 'parsers' already");
    pool_objects_stats stats = pool.stats();
    EXPECT_EQ(stats.misuses, 1u);
    EXPECT_EQ(stats.idle, 1u) << "nothing changed";
    EXPECT_EQ(pool.get(), item);
    Item *other = pool.get();
    EXPECT_NE(other, item);
    pool.put(item);
    pool.put(other);
}

TEST(ObjectPoolChecked, ADoublePutIsFoundAfterASweepToo) {
    Ledger ledger;
    ObjectPoolUnderTest pool(checked(ledger));
    Item *item = pool.get();
    pool.put(item);
    pool_objects_sweep(pool);
    EXPECT_EQ(pool_objects_put(pool, item), POOL_EMISUSE) << "a victim is idle";
    pool_objects_sweep(pool);
    EXPECT_EQ(item->destroyed, 1);
    EXPECT_EQ(pool_objects_put(pool, item), POOL_EMISUSE) << "a destroyed object is foreign";
}

TEST(ObjectPoolChecked, AForeignObjectIsRefused) {
    Ledger ledger;
    pool_objects_options options = checked(ledger);
    options.reset = Ledger::reset;
    ObjectPoolUnderTest pool(options);
    Item foreign;
    EXPECT_EQ(pool_objects_put(pool, &foreign), POOL_EMISUSE);
    EXPECT_EQ(pool_last_error(),
              "put of " + pointer_text(&foreign) + ": pool 'parsers' has not handed it out");
    EXPECT_EQ(foreign.resets, 0) << "touched";
    EXPECT_EQ(foreign.destroyed, 0);
    EXPECT_EQ(pool.stats().puts, 0u);
    EXPECT_EQ(pool.stats().misuses, 1u);
    Ledger others;
    ObjectPoolUnderTest other(checked(others));
    Item *item = other.get();
    EXPECT_EQ(pool_objects_put(pool, item), POOL_EMISUSE) << "another pool's object";
    other.put(item);
}

TEST(ObjectPoolChecked, APoolThatIsFilledFromOutsideAdoptsObjects) {
    Ledger ledger;
    pool_objects_options options = checked(ledger);
    options.create = nullptr;
    ObjectPoolUnderTest pool(options);
    Item *item = ledger.make();
    EXPECT_EQ(pool_objects_put(pool, item), POOL_OK);
    EXPECT_EQ(pool_objects_put(pool, item), POOL_EMISUSE) << "but not twice";
    EXPECT_EQ(pool.stats().idle, 1u);
}

TEST(ObjectPoolChecked, ABatchTakesTheGoodOnesAndReportsTheBad) {
    Ledger ledger;
    ObjectPoolUnderTest pool(checked(ledger));
    void *o[3];
    ASSERT_EQ(pool_objects_get_n(pool, o, 3), 3u);
    void *mixed[] = {o[0], o[0], nullptr, &ledger, o[1], o[2]};
    EXPECT_EQ(pool_objects_put_n(pool, mixed, 6), POOL_EMISUSE);
    EXPECT_NE(strstr(pool_last_error(), pointer_text(&ledger).c_str()), nullptr)
        << "the last one: " << pool_last_error();
    pool_objects_stats stats = pool.stats();
    EXPECT_EQ(stats.puts, 3u);
    EXPECT_EQ(stats.misuses, 2u);
}

TEST(ObjectPoolChecked, DestroyReportsObjectsThatAreStillOut) {
    LogCapture log;
    Ledger ledger;
    int freed = 0;
    static int *counter;
    counter = &freed;
    pool_objects_options options = checked(ledger);
    options.ctx_free = [](void *) { ++*counter; };
    ObjectPoolUnderTest pool(options);
    std::vector<Item *> items = pool.get_some(3);
    pool.put(items[1]);
    pool_objects *handle = pool.leave();
    EXPECT_EQ(pool_objects_destroy(handle), POOL_EMISUSE);
    EXPECT_EQ(pool_last_error_status(), POOL_EMISUSE);
    EXPECT_NE(strstr(pool_last_error(), "pool 'parsers' ended with 2 objects still out"), nullptr)
        << pool_last_error();
    ASSERT_EQ(log.lines().size(), 1u);
    EXPECT_EQ(log.lines()[0].severity, 3);
    EXPECT_EQ(log.lines()[0].text.find("pool 'parsers' ended with 2 objects still out"), 0u)
        << log.lines()[0].text;
    std::string first = pointer_text(items[0]), last = pointer_text(items[2]);
    EXPECT_TRUE(log.lines()[0].text.find(first) != std::string::npos ||
                log.lines()[0].text.find(last) != std::string::npos)
        << "names one of them";
    EXPECT_EQ(freed, 1) << "the pool has ended all the same";
    EXPECT_EQ(pool_objects_get(handle), nullptr);
    for (Item *item : {items[0], items[2]}) {
        item->given();
        EXPECT_EQ(pool_objects_put(handle, item), POOL_ECLOSED);
        EXPECT_EQ(item->destroyed, 0);
    }
}

TEST(ObjectPoolChecked, AfterAReleaseEachObjectIsTakenOnce) {
    Ledger ledger;
    ObjectPoolUnderTest owner(checked(ledger));
    std::vector<Item *> items = owner.get_some(2);
    pool_objects *pool = owner.leave();
    EXPECT_EQ(pool_objects_release(pool), POOL_OK);
    items[0]->given();
    EXPECT_EQ(pool_objects_put(pool, items[0]), POOL_OK);
    EXPECT_EQ(pool_objects_put(pool, items[0]), POOL_EMISUSE);
    EXPECT_EQ(items[0]->destroyed, 1);
    EXPECT_EQ(items[1]->destroyed, 0) << "a double put ended the pool early";
    items[1]->given();
    EXPECT_EQ(pool_objects_put(pool, items[1]), POOL_OK);
    EXPECT_EQ(ledger.alive(), 0);
}

TEST(ObjectPoolChecked, AnObjectRefusedByResetCountsAsGone) {
    Ledger ledger;
    pool_objects_options options = checked(ledger);
    options.reset = Ledger::refuse;
    ObjectPoolUnderTest pool(options);
    Item *item = pool.get();
    pool.put(item);
    EXPECT_EQ(item->destroyed, 1);
    EXPECT_EQ(pool_objects_put(pool, item), POOL_EMISUSE);
}

TEST(ObjectPoolChecked, OfTwoThreadsThatPutTheSameObjectOneIsRefused) {
    Ledger ledger;
    ObjectPoolUnderTest pool(checked(ledger));
    for (int round = 0; round < 300; round++) {
        Item *item = pool.get();
        item->given();
        std::atomic<int> ready{0}, refused{0};
        auto play = [&] {
            ready++;
            while (ready < 2)
                std::this_thread::yield();
            if (pool_objects_put(pool, item) == POOL_EMISUSE)
                refused++;
        };
        std::thread other(play);
        play();
        other.join();
        ASSERT_EQ(refused, 1);
    }
    EXPECT_EQ(pool.stats().misuses, 300u);
    EXPECT_EQ(ledger.created(), 1);
}

} // namespace
