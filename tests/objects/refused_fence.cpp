// Object pools where the kernel refuses the fence that takes a slab away from its CPU, from the
// start or from some moment on, as under a filter on system calls.
//
// SPDX-License-Identifier: Apache-2.0
//
// A process of its own: each test works in a child whose filter goes with it, and the parent must
// not have used the library before.
#include "platform/cpu.h"
#include "support/object_pool.h"
#include "support/two_cpus.h"
#include "sync/child.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

namespace {

using namespace pool_test;

constexpr int kCannotFilter = 100;
constexpr int kNoSequences = 101;

// From now on membarrier(2) fails in every thread of this process.
bool refuse_membarrier() {
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program = {sizeof filter / sizeof *filter, filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

#define EXPECT_IN_CHILD(...)                                                                       \
    do {                                                                                           \
        int outcome = in_forked_child(__VA_ARGS__);                                                \
        if (outcome == kCannotFilter)                                                              \
            GTEST_SKIP() << "no filter on system calls can be set here";                           \
        if (outcome == kNoSequences)                                                               \
            GTEST_SKIP() << "no sequences here, or no two CPUs";                                   \
        EXPECT_EQ(outcome, 0);                                                                     \
    } while (0)

TEST(ObjectPoolRefusedFence, FromTheStartThereAreNoSequences) {
    EXPECT_IN_CHILD([] {
        if (!refuse_membarrier())
            return kCannotFilter;
        Ledger ledger;
        pool_objects_options options = ledger.options();
        pool_objects *pool;
        options.cpu_mode = POOL_CPU_RSEQ;
        if (pool_objects_create(&options, &pool) != POOL_ENOTSUP)
            return 1;
        options.cpu_mode = POOL_CPU_AUTO;
        if (pool_objects_create(&options, &pool) != POOL_OK)
            return 2;
        pool_cpu_mode mode;
        if (pool_objects_get_cpu_mode(pool, &mode) != POOL_OK || mode != POOL_CPU_FALLBACK)
            return 3;
        void *object = pool_objects_get(pool);
        if (object == nullptr || pool_objects_put(pool, object) != POOL_OK)
            return 4;
        // No fence is needed: a sweep reaches the slab under its lock word.
        pool_objects_sweep(pool);
        pool_objects_sweep(pool);
        if (ledger.alive() != 0)
            return 5;
        return pool_objects_destroy(pool) == POOL_OK ? 0 : 6;
    });
}

// A pool with three objects in the slab of CPU 0, and from then on no fence. `play` returns 0 or
// the number of what went wrong.
int with_a_slab_that_cannot_be_revoked(const pool_objects_options &options,
                                       int (*play)(pool_objects *pool, TwoCpus &cpus)) {
    if (!pool::sequence_support().available)
        return kNoSequences;
    // The filter stays, so there is one attempt for each child.
    TwoCpus cpus(POOL_CPU_RSEQ);
    if (!cpus.available() || !cpus.steady())
        return kNoSequences;
    pool_objects *pool;
    if (pool_objects_create(&options, &pool) != POOL_OK)
        return 90;
    cpus.on(0, [&] {
        void *objects[3];
        for (void *&object : objects)
            object = pool_objects_get(pool);
        for (void *object : objects)
            pool_objects_put(pool, object);
    });
    if (!refuse_membarrier())
        return kCannotFilter;
    int result = play(pool, cpus);
    return cpus.steady() || result == 0 ? result : kNoSequences;
}

TEST(ObjectPoolRefusedFence, LaterEachSlabStaysWithItsCpu) {
    EXPECT_IN_CHILD([] {
        Ledger ledger;
        int result = with_a_slab_that_cannot_be_revoked(
            ledger.options(), [](pool_objects *pool, TwoCpus &cpus) {
                void *strange = nullptr, *own = nullptr;
                cpus.on(1, [&] { strange = pool_objects_get(pool); });
                if (stats_of(pool).created != 4)
                    return 1; // a stray was taken, without a fence
                for (int i = 0; i < 3; i++)
                    if (pool_objects_sweep(pool) != POOL_OK)
                        return 2;
                if (pool_objects_shrink(pool, 0) != POOL_OK || stats_of(pool).idle != 3)
                    return 3;
                cpus.on(0, [&] { own = pool_objects_get(pool); });
                if (own == strange || stats_of(pool).created != 4)
                    return 4;
                pool_objects_put(pool, strange);
                pool_objects_put(pool, own);
                return pool_objects_destroy(pool) == POOL_OK ? 0 : 5;
            });
        return result == 0 && ledger.alive() != 0 ? 6 : result;
    });
}

TEST(ObjectPoolRefusedFence, ABoundHoldsAllTheSame) {
    EXPECT_IN_CHILD([] {
        Ledger ledger;
        pool_objects_options options = ledger.options();
        options.max_idle = 3;
        int result =
            with_a_slab_that_cannot_be_revoked(options, [](pool_objects *pool, TwoCpus &cpus) {
                cpus.on(0, [&] { pool_objects_get(pool); });
                // The room is in the slab of CPU 0, where no other CPU can have it.
                cpus.on(1, [&] {
                    void *object = pool_objects_get(pool);
                    pool_objects_put(pool, object);
                });
                pool_objects_stats stats = stats_of(pool);
                if (stats.idle > 3 || stats.idle + stats.dropped != 3)
                    return 1;
                return pool_objects_destroy(pool) == POOL_OK ? 0 : 2;
            });
        return result == 0 && ledger.alive() != 1 ? 3 : result;
    });
}

TEST(ObjectPoolRefusedFence, AReleasedPoolEndsWithItsLastObject) {
    EXPECT_IN_CHILD([] {
        Ledger ledger;
        int result = with_a_slab_that_cannot_be_revoked(
            ledger.options(), [](pool_objects *pool, TwoCpus &cpus) {
                void *object = nullptr;
                cpus.on(0, [&] { object = pool_objects_get(pool); });
                if (pool_objects_release(pool) != POOL_OK)
                    return 1;
                if (pool_objects_put(pool, object) != POOL_OK)
                    return 2;
                return pool_objects_put(pool, object) == POOL_ECLOSED ? 0 : 3;
            });
        return result == 0 && ledger.alive() != 0 ? 4 : result;
    });
}

} // namespace
