// A real server that is killed and started when the test says so; see tests/servers/control.py.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <gtest/gtest.h>
#include <spawn.h>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pool_test {

class RealServer {
public:
    explicit RealServer(const char *name) {
        int ends[2];
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[1], 0);
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
        std::string words[] = {POOL_TEST_PYTHON, "-B", POOL_TEST_CONTROL, name};
        char *arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(),
                             nullptr};
        EXPECT_EQ(posix_spawn(&child_, words[0].c_str(), &actions, nullptr, arguments, environ), 0);
        posix_spawn_file_actions_destroy(&actions);
        close(ends[1]);
        said_ = fdopen(ends[0], "r+");
        read_address();
    }
    ~RealServer() {
        fclose(said_);
        int status;
        EXPECT_EQ(waitpid(child_, &status, 0), child_);
        EXPECT_EQ(status, 0);
    }
    RealServer(const RealServer &) = delete;
    RealServer &operator=(const RealServer &) = delete;

    // Not empty if the server is not installed.
    const std::string &skipped() const { return skipped_; }
    const std::string &address() const { return address_; }

    void kill() {
        tell("kill\n");
        EXPECT_EQ(line(), "done");
    }
    // Returns when it answers, at the same address.
    void start() {
        tell("start\n");
        read_address();
    }

private:
    void tell(const char *what) {
        ssize_t length = static_cast<ssize_t>(strlen(what));
        EXPECT_EQ(write(fileno(said_), what, static_cast<size_t>(length)), length);
    }
    std::string line() {
        char text[256];
        if (fgets(text, sizeof text, said_) == nullptr)
            return "";
        text[strcspn(text, "\n")] = '\0';
        return text;
    }
    void read_address() {
        address_.clear();
        std::string text = line();
        if (text.starts_with("skipped "))
            skipped_ = text;
        else if (text.starts_with("ready "))
            address_ = text.substr(strlen("ready "));
        else
            FAIL() << "the server did not start: " << text;
    }

    pid_t child_ = -1;
    FILE *said_ = nullptr;
    std::string address_, skipped_;
};

} // namespace pool_test
