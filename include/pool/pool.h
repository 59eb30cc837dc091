/* pool/pool.h - all of libpool: object, buffer, connection and worker pools.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     #include <pool/pool.h>
 *     cc $(pkg-config --cflags pool) program.c $(pkg-config --libs pool)
 *
 * Start with common.h for the rules that hold everywhere, then read the area you need.
 */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include "common.h"

#include "objects.h"

#include "buf.h"
#include "buffers.h"

#include "conn_requests.h"
#include "conn_stats.h"
#include "conns.h"

#include "worker_groups.h"
#include "worker_sets.h"
#include "worker_stats.h"
#include "worker_tasks.h"
#include "workers.h"

#include "stats.h"

#endif
