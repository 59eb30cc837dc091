// SPDX-License-Identifier: Apache-2.0
#include "platform/status.h"

#include <cstdio>

namespace pool {
namespace {

constexpr size_t kTextBytes = 232;

// Small on purpose: a library that is loaded late gets its thread-local storage from a reserve that
// all such libraries share.
struct LastError {
    const char *text; // static text, or `buffer`
    pool_status status;
    char buffer[kTextBytes];
};

thread_local LastError last_error = {nullptr, POOL_OK, {}};

struct StatusRow {
    pool_status status;
    const char *name;
    const char *text;
};

constexpr StatusRow kStatusRows[] = {
    {POOL_OK, "POOL_OK", "success"},
    {POOL_EINVAL, "POOL_EINVAL", "an argument or option is out of its range"},
    {POOL_ENOMEM, "POOL_ENOMEM", "out of memory"},
    {POOL_EAGAIN, "POOL_EAGAIN", "nothing is there now"},
    {POOL_ETIMEDOUT, "POOL_ETIMEDOUT", "the timeout passed"},
    {POOL_ECANCELED, "POOL_ECANCELED", "cancelled"},
    {POOL_ECLOSED, "POOL_ECLOSED", "the pool has ended or is stopped"},
    {POOL_EFULL, "POOL_EFULL", "a bound is reached"},
    {POOL_EDEADLK, "POOL_EDEADLK", "the call would wait for itself"},
    {POOL_EFORKED, "POOL_EFORKED", "the object belongs to the parent process"},
    {POOL_ENOTHREAD, "POOL_ENOTHREAD", "a thread could not be started"},
    {POOL_EDIAL, "POOL_EDIAL", "a connection could not be made"},
    {POOL_EBAD, "POOL_EBAD", "the connection is broken"},
    {POOL_ETASK, "POOL_ETASK", "the task failed"},
    {POOL_EMISUSE, "POOL_EMISUSE", "the caller broke a rule of the pool"},
    {POOL_ENOTSUP, "POOL_ENOTSUP", "not supported here"},
    {POOL_ECREATE, "POOL_ECREATE", "the create callback failed"},
    {POOL_EIO, "POOL_EIO", "a system call on a file descriptor failed"},
};

} // namespace

pool_status fail(pool_status status, const char *format, ...) {
    LastError &error = last_error;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error.buffer, kTextBytes, format, arguments);
    va_end(arguments);
    error.text = error.buffer;
    error.status = status;
    return status;
}

pool_status fail_text(pool_status status, const char *text) {
    LastError &error = last_error;
    error.text = text;
    error.status = status;
    return status;
}

const char *last_error_text() {
    const char *text = last_error.text;
    return text != nullptr ? text : "";
}

pool_status last_error_status() {
    return last_error.status;
}

const char *status_name(pool_status status) {
    for (const StatusRow &row : kStatusRows)
        if (row.status == status)
            return row.name;
    return "POOL_UNKNOWN";
}

const char *status_text(pool_status status) {
    for (const StatusRow &row : kStatusRows)
        if (row.status == status)
            return row.text;
    return status > 0 ? "a status of the caller's own" : "unknown status";
}

} // namespace pool
