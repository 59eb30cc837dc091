// Running part of a test in the child after fork.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gate.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace pool_test {

// Does every thread of this process but the caller sleep?
inline bool others_sleep() {
    const std::string self = std::to_string(gettid());
    for (const auto &task : std::filesystem::directory_iterator("/proc/self/task")) {
        if (task.path().filename() == self)
            continue;
        std::ifstream file(task.path() / "stat");
        std::string line;
        std::getline(file, line);
        size_t name_end = line.rfind(')');
        if (name_end != std::string::npos && line.compare(name_end, 3, ") S") != 0)
            return false;
    }
    return true;
}

// A thread that is only just starting is inside the allocator, too: see them all asleep, more than
// once.
inline void let_others_come_to_rest() {
    for (int looks = 0; looks < 3;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        looks = others_sleep() ? looks + 1 : 0;
    }
}

// Fork; `in_child` returns 0 or the number of what went wrong, which is handed back. A child that
// hangs is killed by its alarm, and 1000 + the signal is handed back. Under kForksAtRestOnly the
// other threads must come to rest: a test whose threads do not is to be skipped.
template <class InChild>
int in_forked_child(InChild in_child) {
    if (kForksAtRestOnly)
        let_others_come_to_rest();
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        _exit(in_child());
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

} // namespace pool_test
