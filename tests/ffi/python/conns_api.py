# SPDX-License-Identifier: Apache-2.0
"""What connection pools look like to Python."""

import ctypes as c
import sys

PATH, LAYOUT = sys.argv[1:]
pool = c.CDLL(PATH)

STATUS = c.c_int32
EINVAL, EAGAIN, ETIMEDOUT, ECANCELED, ECLOSED, EBAD = -1, -3, -4, -5, -6, -12
BROKEN, INVALID, POOL_CLOSED, CLEARED = 1, 2, 6, 7
FRESH = 1
SET_MAX_OPEN_PER_KEY = 2
WAIT_TIME, DIAL_TIME = 1, 2
FOREVER, SECOND = -1, 1_000_000_000
POINTER, SIZE, TIME = c.c_void_p, c.c_size_t, c.c_int64
U32, U64 = c.c_uint32, c.c_uint64


class LeaseInfo(c.Structure):
    _fields_ = [
        ("size", SIZE), ("taker", c.c_char_p), ("key", POINTER), ("key_length", U64),
        ("conn", POINTER), ("age", TIME), ("thread", U64), ("returned", c.c_int32),
        ("reserved", c.c_int32),
    ]


DIAL = c.CFUNCTYPE(STATUS, POINTER, SIZE, TIME, c.POINTER(POINTER), POINTER)
CLOSE = c.CFUNCTYPE(None, POINTER, c.c_int32, POINTER)
IS_ALIVE = c.CFUNCTYPE(c.c_int32, POINTER, TIME, POINTER)
CHECK = c.CFUNCTYPE(STATUS, POINTER, TIME, POINTER)
LEASE = c.CFUNCTYPE(None, c.POINTER(LeaseInfo), POINTER)
RUN = c.CFUNCTYPE(STATUS, POINTER, POINTER, POINTER)
DONE = c.CFUNCTYPE(None, POINTER, POINTER)


class ConnsOptions(c.Structure):
    _fields_ = [
        ("size", SIZE), ("name", c.c_char_p), ("dial", DIAL), ("close", CLOSE),
        ("is_alive", IS_ALIVE), ("ctx", POINTER), ("ctx_free", POINTER), ("max_open", U32),
        ("max_open_per_key", U32), ("max_idle", U32), ("max_idle_per_key", U32),
        ("max_waiters", U32), ("connect_timeout", TIME), ("idle_timeout", TIME),
        ("max_lifetime", TIME), ("allocator", POINTER), ("cpu_mode", c.c_int32), ("flags", U32),
        ("validate", CHECK), ("reset", CHECK), ("abandon", POINTER), ("after_connect", POINTER),
        ("before_acquire", POINTER), ("after_release", POINTER), ("before_close", CLOSE),
        ("on_leak", LEASE), ("validate_after", TIME), ("validate_timeout", TIME),
        ("keepalive", TIME), ("leak_threshold", TIME), ("reap_interval", TIME),
        ("dial_backoff", TIME), ("dial_backoff_max", TIME), ("key", c.c_char_p),
        ("key_length", U64), ("min_idle", U32), ("initial", U32), ("max_dials", U32),
        ("max_uses", U32), ("handoff", c.c_int32), ("idle_order", c.c_int32),
    ]


class AcquireOptions(c.Structure):
    _fields_ = [("size", SIZE), ("taker", c.c_char_p), ("priority", c.c_int32), ("flags", U32)]


class RequestOptions(c.Structure):
    _fields_ = [*AcquireOptions._fields_, ("on_done", DONE), ("ctx", POINTER)]


class Stats(c.Structure):
    _fields_ = [("size", SIZE)] + [(name, U64) for name in """
        acquires hits dials dial_fails waits wait_time timeouts closed_broken closed_invalid
        closed_max_lifetime closed_idle_timeout closed_max_idle closed_pool closed_cleared detached
        open idle in_use dialing waiters keys closed_max_uses adopted canceled refused backed_off
        nested dial_time empty_acquires empty_time handoffs validations validate_fails reset_fails
        leaks threads max_open max_open_per_key max_idle max_idle_per_key memory_bytes""".split()]


class KeyStats(c.Structure):
    _fields_ = [("size", SIZE)] + [(name, U64) for name in """
        open idle in_use dialing waiters dials dial_fails fails_in_a_row""".split()
        ] + [("backoff_left", TIME)]


class Histogram(c.Structure):
    _fields_ = [("size", SIZE), ("count", U64), ("sum", U64), ("most", U64), ("buckets", U64 * 48)]


for name, result, *arguments in [
    ("pool_last_error", c.c_char_p),
    ("pool_conns_options_init", STATUS, POINTER, SIZE),
    ("pool_conns_create", STATUS, POINTER, POINTER),
    ("pool_conns_acquire", STATUS, POINTER, c.c_char_p, SIZE, TIME, POINTER),
    ("pool_conns_acquire_with", STATUS, POINTER, c.c_char_p, SIZE, TIME, POINTER, POINTER),
    ("pool_conns_lease_conn", POINTER, POINTER),
    ("pool_conns_lease_fd", c.c_int32, POINTER),
    ("pool_conns_lease_uses", U64, POINTER),
    ("pool_conns_lease_renew", STATUS, POINTER),
    ("pool_conns_release", STATUS, POINTER),
    ("pool_conns_discard", STATUS, POINTER),
    ("pool_conns_detach", STATUS, POINTER, POINTER),
    ("pool_conns_run", STATUS, POINTER, c.c_char_p, SIZE, TIME, RUN, POINTER),
    ("pool_conns_fill", STATUS, POINTER, c.c_char_p, SIZE, U32, TIME),
    ("pool_conns_adopt", STATUS, POINTER, c.c_char_p, SIZE, POINTER),
    ("pool_conns_clear", STATUS, POINTER),
    ("pool_conns_clear_key", STATUS, POINTER, c.c_char_p, SIZE),
    ("pool_conns_close_idle", STATUS, POINTER),
    ("pool_conns_reap", STATUS, POINTER),
    ("pool_conns_set", STATUS, POINTER, c.c_int32, TIME),
    ("pool_conns_close", STATUS, POINTER, TIME, POINTER),
    ("pool_conns_destroy", STATUS, POINTER),
    ("pool_conns_request_start", STATUS, POINTER, c.c_char_p, SIZE, TIME, POINTER, POINTER),
    ("pool_conns_request_fd", c.c_int32, POINTER),
    ("pool_conns_request_wait", STATUS, POINTER, TIME),
    ("pool_conns_request_cancel", STATUS, POINTER),
    ("pool_conns_request_finish", STATUS, POINTER, POINTER),
    ("pool_conns_request_destroy", STATUS, POINTER),
    ("pool_conns_get_stats", STATUS, POINTER, POINTER),
    ("pool_conns_get_key_stats", STATUS, POINTER, c.c_char_p, SIZE, POINTER),
    ("pool_conns_get_histogram", STATUS, POINTER, c.c_int32, POINTER),
    ("pool_conns_histogram_percentile", TIME, POINTER, c.c_double),
    ("pool_conns_visit_leases", STATUS, POINTER, TIME, LEASE, POINTER),
]:
    function = getattr(pool, name)
    function.restype, function.argtypes = result, arguments


def sized(structure, **fields):
    return structure(size=c.sizeof(structure), **fields)
