// The intrusive list, and the registry of pools that stands on it.
//
// SPDX-License-Identifier: Apache-2.0
#include "platform/list.h"

#include "platform/registry.h"

#include <gtest/gtest.h>
#include <string>

namespace {

using pool::List;
using pool::ListLink;

struct Number : ListLink {
    explicit Number(int n) : number(n) {}
    int number;
};

std::string text_of(const List<Number> &list) {
    std::string text;
    for (Number *n = list.front(); n != nullptr; n = list.next(n))
        text += std::to_string(n->number);
    return text;
}

TEST(List, KeepsItsOrder) {
    List<Number> list;
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list.front(), nullptr);
    EXPECT_EQ(list.back(), nullptr);
    EXPECT_EQ(list.pop_front(), nullptr);
    Number a(1), b(2), c(3);
    list.push_back(&b);
    list.push_back(&c);
    list.push_front(&a);
    EXPECT_EQ(text_of(list), "123");
    EXPECT_EQ(list.back(), &c);
    EXPECT_TRUE(b.linked());
    List<Number>::remove(&b);
    EXPECT_FALSE(b.linked());
    EXPECT_EQ(text_of(list), "13");
    list.push_back(&b);
    EXPECT_EQ(list.pop_front(), &a);
    EXPECT_FALSE(a.linked());
    EXPECT_EQ(text_of(list), "32");
    List<Number>::remove(&c);
    List<Number>::remove(&b);
    EXPECT_TRUE(list.empty());
}

TEST(Registry, VisitsWhatIsRegisteredOldestFirst) {
    static std::string seen;
    auto names = [] {
        seen.clear();
        pool::for_each_pool([](const pool::RegistryEntry &entry, void *) { seen += entry.name; },
                            nullptr);
        return seen;
    };
    pool::RegistryEntry first, second;
    first.name = "a";
    second.name = "b";
    EXPECT_EQ(names(), "");
    pool::unregister_pool(&first); // never registered: ignored
    pool::register_pool(&first);
    pool::register_pool(&second);
    EXPECT_EQ(names(), "ab");
    pool::unregister_pool(&first);
    pool::unregister_pool(&first);
    EXPECT_EQ(names(), "b");
    pool::unregister_pool(&second);
    EXPECT_EQ(names(), "");
}

} // namespace
