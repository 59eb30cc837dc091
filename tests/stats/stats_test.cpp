// SPDX-License-Identifier: Apache-2.0
#include "pool/pool.h"
#include "support/allocator.h"
#include "sync/gate.h"

#include <cstring>
#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

using namespace pool_test;

std::string written(pool_stats_format format) {
    std::string text;
    EXPECT_EQ(pool_stats_write(
                  format,
                  [](const char *piece, size_t length, void *ctx) {
                      EXPECT_NE(length, 0u);
                      static_cast<std::string *>(ctx)->append(piece, length);
                  },
                  &text),
              POOL_OK);
    return text;
}

// One pool of each area, with something counted.
struct Pools {
    pool_objects *objects;
    pool_buffers *buffers;
    pool_conns *conns;
    pool_workers *workers;

    Pools() {
        pool_objects_options o = POOL_OBJECTS_OPTIONS_INIT;
        o.name = "things";
        EXPECT_EQ(pool_objects_create(&o, &objects), POOL_OK);
        static int thing;
        pool_objects_put(objects, &thing); // never got: out is -1
        EXPECT_EQ(pool_buffers_create(nullptr, &buffers), POOL_OK);
        pool_conns_options c = POOL_CONNS_OPTIONS_INIT;
        c.name = "upstreams";
        EXPECT_EQ(pool_conns_create(&c, &conns), POOL_OK);
        pool_workers_options w = POOL_WORKERS_OPTIONS_INIT;
        w.name = "crew";
        EXPECT_EQ(pool_workers_create(&w, &workers), POOL_OK);
    }
    ~Pools() {
        pool_objects_destroy(objects);
        pool_buffers_destroy(buffers);
        pool_conns_destroy(conns);
        pool_workers_destroy(workers);
    }
};

TEST(Stats, TextHasALinePerPool) {
    Pools pools;
    std::istringstream text(written(POOL_STATS_TEXT));
    std::regex form("(objects|buffers|conns|workers) [^ ]*#\\d+( [a-z0-9_]+=-?\\d+)+");
    std::vector<std::string> areas;
    for (std::string line; std::getline(text, line);) {
        EXPECT_TRUE(std::regex_match(line, form)) << line;
        areas.push_back(line.substr(0, line.find(' ')));
    }
    EXPECT_EQ(areas, (std::vector<std::string>{"objects", "buffers", "conns", "workers"}));
    EXPECT_NE(written(POOL_STATS_TEXT).find("objects things#"), std::string::npos);
    EXPECT_NE(written(POOL_STATS_TEXT).find(" out=-1 "), std::string::npos);
}

TEST(Stats, JsonIsOneArrayOfObjects) {
    EXPECT_EQ(written(POOL_STATS_JSON), "[]\n");
    Pools pools;
    std::string text = written(POOL_STATS_JSON);
    const std::string histogram = "\\{(\"[a-z]+\":\\d+,){3}\"buckets\":\\[[^{}]*\\]\\}";
    std::regex form("\\[\n(\\{\"area\":\"[a-z]+\",\"name\":\"[a-z]*\",\"id\":\\d+"
                    "(,\"[a-z_]+\":(-?\\d+|" +
                    histogram + "))+\\}(,\n|\n)){4}\\]\n");
    EXPECT_TRUE(std::regex_match(text, form)) << text;
}

// The rules of the exposition format: HELP, TYPE and all samples of a family stand together, and no
// series appears twice.
TEST(Stats, PrometheusFamiliesAreWholeAndSeriesUnique) {
    EXPECT_EQ(written(POOL_STATS_PROMETHEUS), "");
    Pools pools, same_names;
    std::istringstream text(written(POOL_STATS_PROMETHEUS));
    std::regex help("# HELP (\\S+) .+"), type("# TYPE (\\S+) (counter|gauge|histogram)");
    std::regex sample("([a-z_]+)\\{pool=\"[^\"]*\",id=\"\\d+\"(,(state|le)=\"[^\"]+\")?\\} "
                      "-?\\d+(\\.\\d+)?");
    std::regex of_histogram("(.*)_(bucket|sum|count)");
    std::set<std::string> families, series;
    std::string family, kind;
    std::smatch match;
    for (std::string line; std::getline(text, line);) {
        if (std::regex_match(line, match, help)) {
            family = match[1];
            EXPECT_TRUE(families.insert(family).second) << family << " is torn apart";
        } else if (std::regex_match(line, match, type)) {
            EXPECT_EQ(match[1], family);
            kind = match[2];
            bool total = family.size() > 6 && family.substr(family.size() - 6) == "_total";
            EXPECT_EQ(kind == "counter", total) << line;
        } else {
            ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
            std::string name = match[1];
            if (kind == "histogram") {
                ASSERT_TRUE(std::regex_match(name, match, of_histogram)) << line;
                name = match[1];
            }
            EXPECT_EQ(name, family);
            EXPECT_TRUE(series.insert(line.substr(0, line.find('}'))).second) << line;
        }
    }
    for (const std::string &each : families) {
        auto of_each = [&each](const std::string &line) { return line.rfind(each + "{", 0) == 0; };
        auto samples = std::count_if(series.begin(), series.end(), of_each);
        if (samples != 0) { // a histogram has others
            EXPECT_EQ(samples, each == "db_client_connection_count" ? 4 : 2) << each;
        }
    }
    EXPECT_TRUE(families.count("pool_conns_wait_time_seconds_total"));
}

TEST(Stats, NamesAreEscaped) {
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    options.name = "a \"b\"\\\n\x01\xff\xc3\xa9";
    pool_objects *pool;
    ASSERT_EQ(pool_objects_create(&options, &pool), POOL_OK);
    EXPECT_NE(written(POOL_STATS_JSON).find("\"name\":\"a \\\"b\\\"\\\\\\u000a\\u0001?\xc3\xa9\""),
              std::string::npos)
        << written(POOL_STATS_JSON);
    EXPECT_NE(written(POOL_STATS_PROMETHEUS).find("{pool=\"a \\\"b\\\"\\\\\\n\x01?\xc3\xa9\","),
              std::string::npos);
    EXPECT_NE(written(POOL_STATS_TEXT).find("objects a_\"b\"\\__?\xc3\xa9#"), std::string::npos);
    pool_objects_destroy(pool);
}

TEST(Stats, ACutCharacterIsNoUtf8) {
    std::string name(62, 'x');
    name += "\xc3\xa9"; // cut in the middle, at 63 bytes
    pool_objects_options options = POOL_OBJECTS_OPTIONS_INIT;
    options.name = name.c_str();
    pool_objects *pool;
    ASSERT_EQ(pool_objects_create(&options, &pool), POOL_OK);
    EXPECT_NE(written(POOL_STATS_JSON).find(std::string(62, 'x') + "?\""), std::string::npos);
    pool_objects_destroy(pool);
}

// Ids of pools that live stay, and none comes back.
TEST(Stats, IdsAreNeverUsedTwice) {
    std::set<std::string> ids;
    for (int i = 0; i < 20; i++) {
        pool_objects *pool;
        ASSERT_EQ(pool_objects_create(nullptr, &pool), POOL_OK);
        std::string text = written(POOL_STATS_TEXT);
        EXPECT_EQ(text, written(POOL_STATS_TEXT));
        EXPECT_TRUE(ids.insert(text.substr(0, text.find(" gets"))).second);
        pool_objects_destroy(pool);
    }
}

TEST(Stats, ManyPoolsFit) {
    std::vector<pool_objects *> pools(200);
    for (pool_objects *&pool : pools)
        ASSERT_EQ(pool_objects_create(nullptr, &pool), POOL_OK);
    std::string text = written(POOL_STATS_TEXT);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 200);
    EXPECT_EQ(pool_stats_text(POOL_STATS_TEXT, nullptr, 0), text.size());
    for (pool_objects *pool : pools)
        pool_objects_destroy(pool);
}

TEST(Stats, TextIsCutToTheBuffer) {
    Pools pools;
    std::string whole = written(POOL_STATS_JSON);
    char buffer[64];
    memset(buffer, '!', sizeof buffer);
    EXPECT_EQ(pool_stats_text(POOL_STATS_JSON, buffer, 32), whole.size());
    EXPECT_EQ(std::string(buffer), whole.substr(0, 31));
    EXPECT_EQ(buffer[32], '!');
    std::vector<char> large(whole.size() + 1);
    EXPECT_EQ(pool_stats_text(POOL_STATS_JSON, large.data(), large.size()), whole.size());
    EXPECT_EQ(std::string(large.data()), whole);
}

TEST(Stats, RefusesWhatItDoesNotKnow) {
    auto ignore = [](const char *, size_t, void *) { FAIL(); };
    EXPECT_EQ(pool_stats_write(0, ignore, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_stats_write(4, ignore, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_stats_write(POOL_STATS_TEXT, nullptr, nullptr), POOL_EINVAL);
    char buffer[4] = "abc";
    EXPECT_EQ(pool_stats_text(99, buffer, sizeof buffer), 0u);
    EXPECT_STREQ(buffer, "");
}

// No lock is held around the callback: it may make and end pools.
TEST(Stats, TheCallbackMayDoAnything) {
    Pools pools;
    EXPECT_EQ(pool_stats_write(
                  POOL_STATS_PROMETHEUS,
                  [](const char *, size_t, void *) {
                      pool_objects *pool;
                      EXPECT_EQ(pool_objects_create(nullptr, &pool), POOL_OK);
                      EXPECT_NE(pool_stats_text(POOL_STATS_TEXT, nullptr, 0), 0u);
                      pool_objects_destroy(pool);
                  },
                  nullptr),
              POOL_OK);
    EXPECT_EQ(pool_stats_write(
                  POOL_STATS_TEXT,
                  [](const char *, size_t, void *) { throw std::runtime_error("full"); }, nullptr),
              POOL_ECANCELED);
    EXPECT_NE(written(POOL_STATS_TEXT), "");
}

TEST(Stats, CanBeReadWhilePoolsComeAndGo) {
    std::atomic<bool> done{false};
    std::thread churn([&] {
        for (int i = 0; i < 300; i++) {
            Pools pools;
            int object;
            pool_objects_put(pools.objects, &object);
        }
        done = true;
    });
    while (!done)
        written(POOL_STATS_PROMETHEUS);
    churn.join();
}

} // namespace
