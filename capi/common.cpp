// pool/common.h
//
// SPDX-License-Identifier: Apache-2.0
#include "pool/common.h"

#include "platform/clock.h"
#include "platform/config.h"
#include "platform/cpu.h"
#include "platform/memory.h"
#include "platform/status.h"

#include <cstdio>
#include <cstring>

using namespace pool;

#define POOL_TEXT_OF(x) #x
#define POOL_TEXT(x) POOL_TEXT_OF(x)

const char *pool_version(void) {
    return POOL_TEXT(POOL_VERSION_MAJOR) "." POOL_TEXT(POOL_VERSION_MINOR) "." POOL_TEXT(
        POOL_VERSION_PATCH);
}

int32_t pool_version_number(void) {
    return POOL_VERSION_NUMBER;
}

const char *pool_version_details(void) {
    struct Details {
        char text[256];
        explicit Details(pool_cpu_mode mode) {
            const SequenceSupport &support = sequence_support();
            const char *jemalloc = jemalloc_version();
            snprintf(text, sizeof text, "libpool %s; %s; cpu=%s (%s); cpus=%u; memory=%s%s",
                     pool_version(), POOL_COMPILER, mode == POOL_CPU_RSEQ ? "rseq" : "fallback",
                     !support.available    ? support.reason
                     : support.compact_ids ? "mm_cid"
                                           : "cpu_id",
                     possible_cpus(), jemalloc != nullptr ? "jemalloc " : "malloc",
                     jemalloc != nullptr ? jemalloc : "");
        }
    };
    static const Details details(pool_config_cpu_mode());
    return details.text;
}

const char *pool_status_name(pool_status status) {
    return status_name(status);
}

const char *pool_status_text(pool_status status) {
    return status_text(status);
}

const char *pool_last_error(void) {
    return last_error_text();
}

pool_status pool_last_error_status(void) {
    return last_error_status();
}

size_t pool_last_error_copy(char *buffer, size_t length) {
    const char *text = last_error_text();
    if (length != 0)
        snprintf(buffer, length, "%s", text);
    return strlen(text);
}

size_t pool_config_text(char *buffer, size_t length) {
    return config_text(buffer, length);
}

pool_cpu_mode pool_config_cpu_mode(void) {
    pool_cpu_mode mode = POOL_CPU_FALLBACK;
    resolve_cpu_mode(POOL_CPU_AUTO, &mode);
    return mode;
}

void pool_config_set_log(pool_log_fn log, void *ctx) {
    set_log({log, ctx});
}

void pool_config_set_thread_hooks(pool_thread_fn on_start, pool_thread_fn on_exit, void *ctx) {
    set_thread_hooks({on_start, on_exit, ctx});
}

void pool_config_set_clock(pool_clock_fn clock, void *ctx) {
    set_clock(clock, ctx);
}
