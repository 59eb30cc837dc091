// SPDX-License-Identifier: Apache-2.0
#include "stats/fields.h"

#include "pool/buffers.h"
#include "pool/conn_stats.h"
#include "pool/objects.h"
#include "pool/workers.h"

namespace pool {
namespace {

#define FIELD(area, field, kind, help)                                                             \
    { #field, offsetof(pool_##area##_stats, field), FieldKind::kind, help }

constexpr Field kObjectsFields[] = {
    FIELD(objects, gets, kCounter, "objects handed out"),
    FIELD(objects, hits_slab, kCounter, "gets served by the CPU's own stack"),
    FIELD(objects, hits_depot, kCounter, "gets served by the CPU's own depot"),
    FIELD(objects, hits_steal, kCounter, "gets served by another CPU's depot"),
    FIELD(objects, hits_victim, kCounter, "gets served by the previous generation"),
    FIELD(objects, hits_stray, kCounter, "gets served by another CPU's stack"),
    FIELD(objects, misses, kCounter, "gets that found nothing"),
    FIELD(objects, created, kCounter, "objects made by the create callback"),
    FIELD(objects, create_fails, kCounter, "calls of the create callback that failed"),
    FIELD(objects, prefilled, kCounter, "objects made ahead of need"),
    FIELD(objects, puts, kCounter, "objects accepted by put"),
    FIELD(objects, dropped, kCounter, "objects put and not kept"),
    FIELD(objects, destroyed, kCounter, "objects handed to the destroy callback"),
    FIELD(objects, swept, kCounter, "objects destroyed by sweeps"),
    FIELD(objects, misuses, kCounter, "puts refused in checked mode"),
    FIELD(objects, idle, kGauge, "objects in the pool"),
    FIELD(objects, out, kSignedGauge, "objects handed out and not put back"),
    FIELD(objects, sweeps, kCounter, "sweeps done"),
    FIELD(objects, fences, kCounter, "membarrier system calls"),
    FIELD(objects, shards, kGauge, "CPUs that have used the pool"),
    FIELD(objects, bytes, kGauge, "memory of the pool itself"),
};

constexpr Field kBuffersFields[] = {
    FIELD(buffers, gets, kCounter, "buffers handed out"),
    FIELD(buffers, hits, kCounter, "gets served by the pool"),
    FIELD(buffers, misses, kCounter, "gets served by the allocator"),
    FIELD(buffers, oversize, kCounter, "misses above the largest class"),
    FIELD(buffers, puts, kCounter, "buffers given back"),
    FIELD(buffers, dropped, kCounter, "buffers given back and not kept"),
    FIELD(buffers, swept, kCounter, "idle buffers freed by sweeps and trims"),
    FIELD(buffers, misuses, kCounter, "mistakes found"),
    FIELD(buffers, idle, kGauge, "buffers in the pool"),
    FIELD(buffers, idle_bytes, kGauge, "bytes of the buffers in the pool"),
    FIELD(buffers, out, kSignedGauge, "buffers handed out and not given back"),
    FIELD(buffers, out_bytes, kSignedGauge, "bytes of the buffers handed out"),
    FIELD(buffers, requested, kCounter, "bytes asked for"),
    FIELD(buffers, waste, kCounter, "bytes handed out beyond those asked for"),
    FIELD(buffers, largest, kGauge, "the largest size asked for"),
    FIELD(buffers, grows, kCounter, "moves of growing buffers to larger memory"),
    FIELD(buffers, classes, kGauge, "size classes"),
    FIELD(buffers, sweeps, kCounter, "sweeps done"),
    FIELD(buffers, bytes, kGauge, "memory of the pool itself, without buffers"),
};

constexpr Field kConnsFields[] = {
    FIELD(conns, acquires, kCounter, "acquires that succeeded"),
    FIELD(conns, hits, kCounter, "acquires served by a connection that was open"),
    FIELD(conns, dials, kCounter, "dials begun"),
    FIELD(conns, dial_fails, kCounter, "dials failed"),
    FIELD(conns, waits, kCounter, "acquires that waited in line"),
    FIELD(conns, wait_time, kTime, "time waited in line"),
    FIELD(conns, timeouts, kCounter, "acquires that gave up waiting"),
    FIELD(conns, closed_broken, kCounter, "connections closed by their users"),
    FIELD(conns, closed_invalid, kCounter, "connections closed because found dead"),
    FIELD(conns, closed_max_lifetime, kCounter, "connections closed for their age"),
    FIELD(conns, closed_idle_timeout, kCounter, "connections closed for being idle"),
    FIELD(conns, closed_max_idle, kCounter, "connections closed for being too many"),
    FIELD(conns, closed_pool, kCounter, "connections closed with the pool"),
    FIELD(conns, closed_cleared, kCounter, "connections closed by a clear"),
    FIELD(conns, detached, kCounter, "connections taken out of the pool"),
    FIELD(conns, open, kGauge, "connections"),
    FIELD(conns, idle, kGauge, "connections that are idle"),
    FIELD(conns, in_use, kGauge, "connections that are lent"),
    FIELD(conns, dialing, kGauge, "connections being made"),
    FIELD(conns, waiters, kGauge, "threads and requests that wait for a connection"),
    FIELD(conns, keys, kGauge, "keys known"),
    FIELD(conns, closed_max_uses, kCounter,
          "connections closed after as many uses as they may have"),
    FIELD(conns, adopted, kCounter, "connections made elsewhere"),
    FIELD(conns, canceled, kCounter, "requests cancelled"),
    FIELD(conns, refused, kCounter, "acquires refused because too many waited"),
    FIELD(conns, backed_off, kCounter, "acquires failed because an earlier dial had"),
    FIELD(conns, nested, kCounter, "acquires that could only wait for their own thread"),
    FIELD(conns, dial_time, kTime, "time that successful dials took"),
    FIELD(conns, empty_acquires, kCounter, "acquires that succeeded after waiting or dialing"),
    FIELD(conns, empty_time, kTime, "time that those took"),
    FIELD(conns, handoffs, kCounter, "connections handed to one who waited"),
    FIELD(conns, validations, kCounter, "connections validated"),
    FIELD(conns, validate_fails, kCounter, "validations failed"),
    FIELD(conns, reset_fails, kCounter, "resets failed"),
    FIELD(conns, leaks, kCounter, "leases reported as out for too long"),
    FIELD(conns, threads, kGauge, "threads of the pool"),
    FIELD(conns, max_open, kGauge, "connections at most, 0 for no bound"),
    FIELD(conns, max_open_per_key, kGauge, "connections of a key at most"),
    FIELD(conns, max_idle, kGauge, "idle connections at most, 0 for no bound"),
    FIELD(conns, max_idle_per_key, kGauge, "idle connections of a key at most"),
    FIELD(conns, memory_bytes, kGauge, "bytes that the pool itself takes"),
};

constexpr Field kWorkersFields[] = {
    FIELD(workers, submitted, kCounter, "tasks accepted"),
    FIELD(workers, succeeded, kCounter, "tasks that returned"),
    FIELD(workers, failed, kCounter, "tasks that failed"),
    FIELD(workers, discarded, kCounter, "tasks dropped by a stop"),
    FIELD(workers, rejected, kCounter, "submissions refused"),
    FIELD(workers, waiting, kGauge, "tasks in the queue"),
    FIELD(workers, running, kGauge, "tasks that run"),
    FIELD(workers, workers, kGauge, "threads"),
    FIELD(workers, idle, kGauge, "threads without a task"),
    FIELD(workers, blocked_submitters, kGauge, "threads that wait for room"),
    FIELD(workers, max_workers, kGauge, "threads at most"),
    FIELD(workers, queue_capacity, kGauge, "tasks in the queue at most"),
    FIELD(workers, cancelled, kCounter, "tasks cancelled"),
    FIELD(workers, dropped, kCounter, "tasks dropped, by a full queue or too late"),
    FIELD(workers, stolen, kCounter, "tasks of groups that another worker took over"),
    FIELD(workers, started, kCounter, "threads started"),
    FIELD(workers, start_fails, kCounter, "threads that could not be started"),
    FIELD(workers, replaced, kCounter, "threads that a task has ended"),
    FIELD(workers, min_workers, kGauge, "threads at least"),
    FIELD(workers, waiting_bytes, kGauge, "weights of the tasks in the queue"),
    FIELD(workers, paused, kGauge, "pauses in force"),
    FIELD(workers, memory_bytes, kGauge, "memory of the pool's own"),
};

#undef FIELD

// A struct is its size and its fields: one that is missing here would go unreported.
template <class Stats, size_t n>
constexpr AreaFields area(const char *name, const Field (&fields)[n]) {
    static_assert(sizeof(Stats) == sizeof(size_t) + n * 8);
    return {name, fields, n, sizeof(Stats)};
}

constexpr AreaFields kObjects = area<pool_objects_stats>("objects", kObjectsFields);
constexpr AreaFields kBuffers = area<pool_buffers_stats>("buffers", kBuffersFields);
constexpr AreaFields kConns = area<pool_conns_stats>("conns", kConnsFields);
constexpr AreaFields kWorkers = area<pool_workers_stats>("workers", kWorkersFields);

} // namespace

const AreaFields &fields_of(Area area) {
    switch (area) {
    case Area::kBuffers:
        return kBuffers;
    case Area::kConns:
        return kConns;
    case Area::kWorkers:
        return kWorkers;
    case Area::kObjects:
        break;
    }
    return kObjects;
}

} // namespace pool
