// Process-wide configuration: POOL_CONF, the log function, the thread hooks.
//
// SPDX-License-Identifier: Apache-2.0
//
// Invariant: POOL_CONF is read once, by the first call of config(); what it says never changes
// afterwards. The hooks may change at any time and are read as a pair.
#pragma once

#include "pool/common.h"

#include <cstddef>
#include <cstdint>

namespace pool {

struct Config {
    pool_cpu_mode cpu_mode = POOL_CPU_AUTO;
    bool trust_denied_kernels = false;
    bool checked = false;
    bool objects_pressure = false;
    bool buffers_pressure = false;
    int64_t objects_sweep_period = 0;           // ns
    int64_t buffers_sweep_period = 10000000000; // ns
    char rejected[128] = {}; // the entries that were not understood, as they stood
};

// Apply "key=value,..." to `config`; what is not understood goes to config.rejected.
void parse_config(const char *text, Config &config);

const Config &config();

// Log, once, what POOL_CONF has that was not understood. The log function may use the library, so
// not from within anything that is made only once.
void report_rejected_config();

size_t config_text(char *buffer, size_t length);

struct LogHook {
    pool_log_fn function;
    void *ctx;
};
void set_log(LogHook hook);
void log_line(int32_t severity, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct ThreadHooks {
    pool_thread_fn on_start;
    pool_thread_fn on_exit;
    void *ctx;
};
void set_thread_hooks(ThreadHooks hooks);
ThreadHooks thread_hooks();

} // namespace pool
