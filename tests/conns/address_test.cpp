// SPDX-License-Identifier: Apache-2.0
#include "conns/address.h"

#include <cstring>
#include <gtest/gtest.h>
#include <string>

namespace {

using namespace pool;

TEST(ConnAddress, SplitsHostAndPort) {
    const std::string longest(kLongestHost, 'h');
    struct Case {
        std::string address, host;
        const char *port;
    } cases[] = {
        {"example.com:80", "example.com", "80"},
        {"127.0.0.1:1", "127.0.0.1", "1"},
        {"h:65535", "h", "65535"},
        {"h:00080", "h", "80"},
        {"[::1]:443", "::1", "443"},
        {"[fe80::1%eth0]:80", "fe80::1%eth0", "80"},
        {longest + ":80", longest, "80"},
        {"[" + longest + "]:65535", longest, "65535"},
    };
    for (const Case &each : cases) {
        HostPort parts;
        ASSERT_LE(each.address.size(), kLongestAddress);
        EXPECT_EQ(read_host_port(each.address.c_str(), &parts), nullptr) << each.address;
        EXPECT_EQ(parts.host, each.host);
        EXPECT_STREQ(parts.port, each.port);
    }
}

TEST(ConnAddress, SaysWhatIsWrong) {
    const char *const no_port = "the port is not a number from 1 to 65535";
    struct Case {
        std::string address;
        const char *why;
    } cases[] = {
        {"", "the address has no port"},
        {"localhost", "the address has no port"},
        {":80", "the address has no host"},
        {"[]:80", "the address has no host"},
        {"[::1:80", "'[' without ']'"},
        {"[::1]", "'[' without ']'"},
        {"[:80", "'[' without ']'"},
        {"::1:80", "an IPv6 address needs brackets"},
        {"host:", no_port},
        {"host:0", no_port},
        {"host:00000", no_port},
        {"host:65536", no_port},
        {"host:65616", no_port}, // 80, if it were cut to 16 bits
        {"host:123456", no_port},
        {"host:000080", no_port},
        {"host:http", no_port},
        {"host:8o", no_port},
        {"host:+80", no_port},
        {"host: 80", no_port},
        {"host:-1", no_port},
        {std::string(kLongestHost + 1, 'h') + ":80", "the host name is too long"},
    };
    for (const Case &each : cases) {
        HostPort parts;
        EXPECT_STREQ(read_host_port(each.address.c_str(), &parts), each.why) << each.address;
    }
}

TEST(ConnAddress, UnixPathsAreBoundedByTheSystem) {
    EXPECT_TRUE(is_unix_address("unix:"));
    EXPECT_FALSE(is_unix_address("unix"));
    EXPECT_FALSE(is_unix_address("unixhost:80"));
    sockaddr_un read;
    const std::string longest(sizeof read.sun_path - 1, 'p');
    EXPECT_EQ(read_unix_path(("unix:" + longest).c_str(), &read), nullptr);
    EXPECT_EQ(read.sun_path, longest);
    EXPECT_EQ(read.sun_family, AF_UNIX);
    EXPECT_STREQ(read_unix_path("unix:", &read), "the path is empty");
    EXPECT_STREQ(read_unix_path(("unix:" + longest + "p").c_str(), &read), "the path is too long");
}

} // namespace
