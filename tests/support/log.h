// What the library reports through its log function.
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pool/common.h"

#include <mutex>
#include <string>
#include <vector>

namespace pool_test {

class LogCapture {
public:
    struct Line {
        int32_t severity;
        std::string text;
    };

    LogCapture() { pool_config_set_log(receive, this); }
    ~LogCapture() { pool_config_set_log(nullptr, nullptr); }
    LogCapture(const LogCapture &) = delete;
    LogCapture &operator=(const LogCapture &) = delete;

    std::vector<Line> lines() {
        std::lock_guard<std::mutex> guard(mutex_);
        return lines_;
    }

private:
    static void receive(int32_t severity, const char *line, void *ctx) {
        auto *self = static_cast<LogCapture *>(ctx);
        std::lock_guard<std::mutex> guard(self->mutex_);
        self->lines_.push_back({severity, line});
    }

    std::mutex mutex_;
    std::vector<Line> lines_;
};

} // namespace pool_test
