/* pool/stats.h - the statistics of every pool in the process, as text for people and for scrapers.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     static void to_stdout(const char *text, size_t length, void *ctx)
 *     { (void)ctx; fwrite(text, 1, length, stdout); }
 *
 *     pool_stats_write(POOL_STATS_PROMETHEUS, to_stdout, NULL);
 *
 * For numbers in a struct see pool_<area>_get_stats().
 */
#ifndef POOL_STATS_H
#define POOL_STATS_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t pool_stats_format;
enum {
    POOL_STATS_TEXT = 1, /* a line per pool: "objects sessions#1 gets=12 ..."; a blank or control
                                  character in a name becomes "_" */
    POOL_STATS_JSON = 2, /* one array of objects with "area", "name", "id" and the fields */
    POOL_STATS_PROMETHEUS = 3 /* text exposition format 0.0.4, such as
                                  pool_objects_gets_total{pool="sessions",id="1"} 12; times in
                                  seconds */
};

/* Connection and worker pools have histograms besides, see pool/conn_stats.h and pool/worker_stats.h:
 * of the times of waiting, dialing and holding, and of waiting and running.
 *
 *   text        wait_p50, _p90, _p99 and _max, and so on for dial, hold and run, nanoseconds
 *   JSON        "wait_histogram":{"count":3,"sum":5000,"most":2300,"buckets":[0,2,...]}, and so on
 *   Prometheus  histograms with every second bound, which are whole powers of two of a microsecond;
 *               those of connections by the names of OpenTelemetry's conventions for database clients:
 *               db_client_connection_wait_time_seconds     of waiting
 *               db_client_connection_create_time_seconds   of dialing
 *               db_client_connection_use_time_seconds      of holding
 *               pool_workers_wait_time_seconds             of waiting
 *               pool_workers_run_time_seconds              of running
 *
 * In Prometheus' format these have the names of those conventions too, beside their own:
 *   db_client_connection_count{state="idle"}, {state="used"}   pool_conns_idle, _in_use
 *   db_client_connection_max                                   pool_conns_max_open, if there is one
 *   db_client_connection_idle_max                              pool_conns_max_idle, if there is one
 *   db_client_connection_pending_requests                      pool_conns_waiters
 *   db_client_connection_timeouts_total                        pool_conns_timeouts_total
 * The labels are pool and id in all of them. */

/* Receives the text in pieces, in order, none empty, not NUL-terminated. Runs on the calling thread
 * under no lock. */
typedef void (*pool_stats_write_fn)(const char *text, size_t length, void *ctx);

/* Write the statistics of every pool that exists, oldest first. The number behind a pool's name, its
 * id, is the same as long as the pool lives and is never used again in the process, so two pools of
 * one name can be told apart.
 *
 * Threads:   any.
 * Blocks:    as `write` does.
 * Errors:    POOL_EINVAL (unknown format, write NULL), POOL_ENOMEM, POOL_ECANCELED (write threw; what
 *            it had received it has received).
 * Since:     0.1 */
POOL_API pool_status pool_stats_write(pool_stats_format format, pool_stats_write_fn write,
                                      void *ctx);

/* The same into `buffer`, cut to `length` bytes with its NUL. Returns the full length without the
 * NUL; 0 for an unknown format or without memory, see pool_last_error_status(). `buffer` may be NULL
 * if `length` is 0.
 * Threads: any. Blocks: never. Errors: as pool_stats_write(). Since: 0.1 */
POOL_API size_t pool_stats_text(pool_stats_format format, char *buffer, size_t length);

#ifdef __cplusplus
}
#endif

#endif
