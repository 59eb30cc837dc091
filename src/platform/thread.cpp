// SPDX-License-Identifier: Apache-2.0
#include "platform/thread.h"

#include "platform/config.h"
#include "platform/status.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <unistd.h>

namespace pool {
namespace {

struct Launch {
    void (*run)(void *arg);
    void *arg;
    char name[16];
};

void call_hook(pool_thread_fn hook, void *ctx) {
    if (hook == nullptr)
        return;
    try {
        hook(ctx);
    } catch (...) {
        log_line(3, "a thread hook threw an exception");
    }
}

void *thread_main(void *arg) {
    Launch launch = *static_cast<Launch *>(arg);
    free(arg);
    pthread_setname_np(pthread_self(), launch.name);
    ThreadHooks hooks = thread_hooks();
    call_hook(hooks.on_start, hooks.ctx);
    launch.run(launch.arg);
    call_hook(hooks.on_exit, hooks.ctx);
    return nullptr;
}

// Those that a thread's own instructions cause stay open: blocking them would only hide the cause.
void asynchronous_signals(sigset_t *set) {
    sigfillset(set);
    for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF})
        sigdelset(set, signal);
}

} // namespace

pool_status start_thread(const ThreadStart &start, pthread_t *thread) {
    auto *launch = static_cast<Launch *>(malloc(sizeof(Launch)));
    if (launch == nullptr)
        return fail(POOL_ENOMEM, "no memory to start thread '%s'", start.name);
    launch->run = start.run;
    launch->arg = start.arg;
    snprintf(launch->name, sizeof launch->name, "%s", start.name);

    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (start.stack_size != 0) {
        size_t least = static_cast<size_t>(sysconf(_SC_THREAD_STACK_MIN));
        pthread_attr_setstacksize(&attributes, start.stack_size > least ? start.stack_size : least);
    }
    // The new thread inherits the mask, so it is set here around its creation.
    sigset_t blocked, before;
    asynchronous_signals(&blocked);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    int error = pthread_create(thread, &attributes, thread_main, launch);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    if (error != 0) {
        free(launch);
        return fail(POOL_ENOTHREAD, "thread '%s' could not be started: errno %d", start.name,
                    error);
    }
    return POOL_OK;
}

} // namespace pool
