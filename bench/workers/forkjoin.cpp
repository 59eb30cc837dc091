// forkjoin_20 of the pool, with a group at every fork; see forkjoin.h.
//
// SPDX-License-Identifier: Apache-2.0
//
// "pool": tasks live on the stack of the task that waits for them. "pool_submit": the pool finds
// them a place.
#include "workers/forkjoin.h"
#include "workers/scenarios.h"
#include "workers/subjects.h"

#include <pool/worker_groups.h>

#include <array>

namespace bench {
namespace {

// Where the two tasks of a fork live.
class OnStack {
public:
    void submit(pool_workers_group *group, size_t which, Task *task, void *arg) {
        pool_workers_group_submit_node(group, &nodes_[which], task, arg);
    }

private:
    std::array<pool_workers_node, 2> nodes_;
};

class InPool {
public:
    static void submit(pool_workers_group *group, size_t, Task *task, void *arg) {
        pool_workers_group_submit(group, task, arg);
    }
};

template <class Place>
class Tree {
public:
    const char *problem() const { return pool_.problem(); }

    void grow(unsigned depth) {
        Branch root{pool_.handle(), depth};
        pool_workers_group *group;
        if (pool_workers_group_create(root.pool, nullptr, &group) != POOL_OK)
            return;
        pool_workers_group_submit(group, branch_out, &root);
        pool_workers_group_wait(group, POOL_FOREVER);
        pool_workers_group_destroy(group);
    }

private:
    struct Branch {
        pool_workers *pool;
        unsigned depth; // of what hangs below
    };

    static void branch_out(void *arg) {
        count_task(nullptr);
        const Branch &own = *static_cast<Branch *>(arg);
        if (own.depth == 0)
            return;
        Branch below{own.pool, own.depth - 1};
        pool_workers_group *group;
        if (pool_workers_group_create(own.pool, nullptr, &group) != POOL_OK)
            return;
        Place place;
        for (size_t which = 0; which < 2; ++which)
            place.submit(group, which, branch_out, &below);
        pool_workers_group_wait(group, POOL_FOREVER);
        pool_workers_group_destroy(group);
    }

    Pool pool_;
};

} // namespace

void register_forkjoin() {
    add_row("forkjoin_20/pool", forkjoin<Tree<OnStack>>);
    add_row("forkjoin_20/pool_submit", forkjoin<Tree<InPool>>);
}

} // namespace bench
