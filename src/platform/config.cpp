// SPDX-License-Identifier: Apache-2.0
#include "platform/config.h"

#include "platform/lock.h"

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace pool {
namespace {

struct Entry {
    const char *key;
    size_t key_length;
    const char *value;
    size_t value_length;

    bool is(const char *name) const {
        return strlen(name) == key_length && memcmp(name, key, key_length) == 0;
    }
    bool value_is(const char *name) const {
        return strlen(name) == value_length && memcmp(name, value, value_length) == 0;
    }
};

bool parse_bool(const Entry &entry, bool &out) {
    if (!entry.value_is("0") && !entry.value_is("1"))
        return false;
    out = entry.value_is("1");
    return true;
}

bool parse_milliseconds(const Entry &entry, int64_t &out) {
    constexpr int64_t kMost = INT64_MAX / 1000000 / 10;
    if (entry.value_length == 0)
        return false;
    int64_t value = 0;
    for (size_t i = 0; i < entry.value_length; i++) {
        char digit = entry.value[i];
        if (digit < '0' || digit > '9' || value >= kMost)
            return false;
        value = value * 10 + (digit - '0');
    }
    out = value * 1000000;
    return true;
}

bool apply(const Entry &entry, Config &config) {
    if (entry.is("cpu")) {
        if (entry.value_is("auto"))
            config.cpu_mode = POOL_CPU_AUTO;
        else if (entry.value_is("rseq"))
            config.cpu_mode = POOL_CPU_RSEQ;
        else if (entry.value_is("fallback"))
            config.cpu_mode = POOL_CPU_FALLBACK;
        else
            return false;
        return true;
    }
    if (entry.is("rseq_denied")) {
        bool obey = true;
        if (!parse_bool(entry, obey))
            return false;
        config.trust_denied_kernels = !obey;
        return true;
    }
    if (entry.is("checked"))
        return parse_bool(entry, config.checked);
    if (entry.is("objects.pressure"))
        return parse_bool(entry, config.objects_pressure);
    if (entry.is("objects.sweep_ms"))
        return parse_milliseconds(entry, config.objects_sweep_period);
    if (entry.is("buffers.pressure"))
        return parse_bool(entry, config.buffers_pressure);
    if (entry.is("buffers.sweep_ms"))
        return parse_milliseconds(entry, config.buffers_sweep_period);
    return false;
}

void reject(const char *entry, size_t length, Config &config) {
    size_t used = strlen(config.rejected);
    size_t room = sizeof config.rejected - 1 - used;
    if (used != 0 && room != 0) {
        config.rejected[used++] = ',';
        room--;
    }
    size_t copied = length < room ? length : room;
    memcpy(config.rejected + used, entry, copied);
    config.rejected[used + copied] = '\0';
}

SpinLock hooks_lock;
LogHook log_hook = {nullptr, nullptr};
ThreadHooks current_thread_hooks = {nullptr, nullptr, nullptr};

Config &stored_config() {
    static Config config;
    return config;
}

} // namespace

void parse_config(const char *text, Config &config) {
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        const char *equals = static_cast<const char *>(memchr(text, '=', length));
        if (length != 0) {
            bool understood = false;
            if (equals != nullptr) {
                size_t key_length = static_cast<size_t>(equals - text);
                understood = apply({text, key_length, equals + 1, length - key_length - 1}, config);
            }
            if (!understood)
                reject(text, length, config);
        }
        text += length;
        if (*text == ',')
            text++;
    }
}

const Config &config() {
    static std::once_flag once;
    std::call_once(once, [] {
        const char *text = secure_getenv("POOL_CONF");
        if (text != nullptr)
            parse_config(text, stored_config());
    });
    return stored_config();
}

void report_rejected_config() {
    static std::atomic<bool> reported{false};
    const char *rejected = config().rejected;
    if (rejected[0] != '\0' && !reported.exchange(true, std::memory_order_relaxed))
        log_line(2, "POOL_CONF: not understood: %s", rejected);
}

size_t config_text(char *buffer, size_t length) {
    static const char *const kModes[] = {"auto", "rseq", "fallback"};
    const Config &c = config();
    int written = snprintf(
        buffer, length,
        "cpu=%s,rseq_denied=%d,checked=%d,objects.sweep_ms=%lld,"
        "objects.pressure=%d,buffers.sweep_ms=%lld,buffers.pressure=%d%s%s",
        kModes[c.cpu_mode], c.trust_denied_kernels ? 0 : 1, c.checked ? 1 : 0,
        static_cast<long long>(c.objects_sweep_period / 1000000), c.objects_pressure ? 1 : 0,
        static_cast<long long>(c.buffers_sweep_period / 1000000), c.buffers_pressure ? 1 : 0,
        c.rejected[0] != '\0' ? " not understood: " : "", c.rejected);
    return written > 0 ? static_cast<size_t>(written) : 0;
}

void set_log(LogHook hook) {
    SpinLock::Guard guard(hooks_lock);
    log_hook = hook;
}

void log_line(int32_t severity, const char *format, ...) {
    LogHook hook;
    {
        SpinLock::Guard guard(hooks_lock);
        hook = log_hook;
    }
    if (hook.function == nullptr)
        return;
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    try {
        hook.function(severity, line, hook.ctx);
    } catch (...) {
        // A report has nobody to hand the exception to.
    }
}

void set_thread_hooks(ThreadHooks hooks) {
    SpinLock::Guard guard(hooks_lock);
    current_thread_hooks = hooks;
}

ThreadHooks thread_hooks() {
    SpinLock::Guard guard(hooks_lock);
    return current_thread_hooks;
}

} // namespace pool
