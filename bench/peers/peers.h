/* peers/peers.h - what a C program uses instead of an object pool: the peers of its benchmark.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each peer has the calls of an object pool: get makes an object, of PEERS_OBJECT_SIZE bytes where no
 * other size is given, with malloc when it has none, put frees what it has no room for. All get and put functions have the
 * shape of pool_objects_get() and pool_objects_put() and are called across the border of a shared
 * library as they are, so a difference between two rows is not a difference between two calls.
 */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PEERS_OBJECT_SIZE = 64 };

/* An array of 128 objects per thread: the least that a cache can cost. There is one in a process,
 * so the handle is not used; with several pools it would cost more than it does here. */
typedef struct peers_local peers_local;
void *peers_local_get(peers_local *pool);
int32_t peers_local_put(peers_local *pool, void *object);
void peers_local_drain(void); /* frees what the calling thread has */

/* std::mutex and std::vector, of objects of `size` bytes, of which it keeps `most`. */
typedef struct peers_locked peers_locked;
peers_locked *peers_locked_create(size_t size, size_t most);
void *peers_locked_get(peers_locked *pool);
int32_t peers_locked_put(peers_locked *pool, void *object);
void peers_locked_destroy(peers_locked *pool);

/* One slot per CPU: sched_getcpu() and an atomic exchange. */
typedef struct peers_percpu peers_percpu;
peers_percpu *peers_percpu_create(void);
void *peers_percpu_get(peers_percpu *pool);
int32_t peers_percpu_put(peers_percpu *pool, void *object);
void peers_percpu_destroy(peers_percpu *pool);

/* What people write by hand for connections: std::mutex, std::condition_variable and a list through
 * the connections, of which there are `most` at most. They are stubs. */
typedef struct peers_waiting peers_waiting;
typedef struct peers_conn peers_conn;
peers_waiting *peers_waiting_create(size_t most);
peers_conn *peers_waiting_acquire(peers_waiting *pool);
int32_t peers_waiting_release(peers_waiting *pool, peers_conn *conn);
void peers_waiting_destroy(peers_waiting *pool); /* when all are back */

/* What people write by hand for tasks: std::mutex, std::condition_variable, a std::deque and `threads`
 * threads. */
typedef struct peers_crew peers_crew;
typedef void (*peers_task)(void *arg);
peers_crew *peers_crew_create(uint32_t threads);
int32_t peers_crew_submit(peers_crew *crew, peers_task task, void *arg);
void peers_crew_wait(peers_crew *crew);    /* until no task waits or runs */
void peers_crew_destroy(peers_crew *crew); /* likewise */

#ifdef __cplusplus
}
#endif

#endif
