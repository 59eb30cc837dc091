# SPDX-License-Identifier: Apache-2.0
"""What worker pools look like to Python."""

import ctypes as c
import sys
import threading

PATH, LAYOUT = sys.argv[1:]
pool = c.CDLL(PATH)

STATUS = c.c_int32
EINVAL, EAGAIN, ETIMEDOUT, ECANCELED, ECLOSED, EFULL = -1, -3, -4, -5, -6, -7
EDEADLK, ETASK, EMISUSE = -8, -13, -14
BLOCK, FAIL, CALLER_RUNS, DROP_NEWEST, DROP_OLDEST = range(5)
QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED, DROPPED = range(1, 7)
REMOVED, FLAGGED, TOO_LATE = 1, 2, 3
DRAIN, DISCARD, CANCEL = 1, 2, 3
LOW, NORMAL, HIGH = -1, 0, 1
KEEP_GOING, RESULTS = 1, 2
ROUND_ROBIN, LEAST_TASKS = 1, 2
WAIT_TIME, RUN_TIME = 1, 2
FOREVER, SECOND = -1, 1_000_000_000
POINTER, SIZE, TIME = c.c_void_p, c.c_size_t, c.c_int64
I32, U32, U64 = c.c_int32, c.c_uint32, c.c_uint64

TASK = c.CFUNCTYPE(None, POINTER)
DROP = c.CFUNCTYPE(None, POINTER, STATUS, POINTER)
ON_FAILED = c.CFUNCTYPE(None, POINTER, I32, c.c_char_p, POINTER)
OBSERVER = c.CFUNCTYPE(None, c.c_char_p, POINTER, POINTER)
STATE_NEW = c.CFUNCTYPE(STATUS, c.POINTER(POINTER), POINTER)
OF_STATE = c.CFUNCTYPE(None, POINTER, POINTER)
PROCESS = c.CFUNCTYPE(POINTER, POINTER, POINTER, POINTER)


class WorkersOptions(c.Structure):
    _fields_ = [
        ("size", SIZE), ("name", c.c_char_p), ("max_workers", U32), ("min_workers", U32),
        ("queue_capacity", U64), ("stack_size", U64), ("on_thread_start", TASK),
        ("on_thread_exit", TASK), ("ctx", POINTER), ("ctx_free", TASK), ("allocator", POINTER),
        ("cpu_mode", I32), ("flags", U32), ("full", I32), ("max_blocked", U32),
        ("queue_bytes", U64), ("idle_timeout", TIME), ("reap", I32), ("idle_order", I32),
        ("spawn_rate", U32), ("cpu_count", U32), ("cpus", POINTER), ("state_new", STATE_NEW),
        ("ready", OF_STATE), ("process", PROCESS), ("interrupt", OF_STATE),
        ("state_free", OF_STATE), ("on_drop", DROP), ("on_failed", ON_FAILED),
        ("on_task_begin", OBSERVER), ("on_task_end", OBSERVER),
    ]


class Item(c.Structure):
    _fields_ = [("task", TASK), ("arg", POINTER)]


class Report(c.Structure):
    _fields_ = [("size", SIZE), ("ran", U64), ("discarded", U64), ("running", U64),
                ("waiting", U64)]


class TaskOptions(c.Structure):
    _fields_ = [("size", SIZE), ("name", c.c_char_p), ("priority", I32), ("flags", U32),
                ("key", U64), ("start_within", TIME), ("weight", U64)]


class TaskInfo(c.Structure):
    _fields_ = [("size", SIZE), ("state", I32), ("status", STATUS), ("code", I32),
                ("cancelled", I32), ("result", POINTER), ("message", c.c_char * 128)]


class GroupOptions(c.Structure):
    _fields_ = [("size", SIZE), ("flags", U32), ("priority", I32), ("within", TIME),
                ("name", c.c_char_p)]


class Stats(c.Structure):
    _fields_ = [("size", SIZE)] + [(name, U64) for name in """
        submitted succeeded failed discarded rejected waiting running workers idle
        blocked_submitters max_workers queue_capacity cancelled dropped stolen started start_fails
        replaced min_workers waiting_bytes paused memory_bytes""".split()]


class Histogram(c.Structure):
    _fields_ = [("size", SIZE), ("count", U64), ("sum", U64), ("most", U64), ("buckets", U64 * 48)]


class Running(c.Structure):
    _fields_ = [("size", SIZE), ("name", c.c_char_p), ("arg", POINTER), ("age", TIME),
                ("worker", U32), ("cancelled", I32)]


def declare(*functions):
    for name, result, *arguments in functions:
        function = getattr(pool, name)
        function.restype, function.argtypes = result, arguments


declare(
    ("pool_last_error", c.c_char_p),
    ("pool_workers_options_init", STATUS, POINTER, SIZE),
    ("pool_workers_create", STATUS, POINTER, POINTER),
    ("pool_workers_submit", STATUS, POINTER, TASK, POINTER),
    ("pool_workers_try_submit", STATUS, POINTER, TASK, POINTER),
    ("pool_workers_submit_timed", STATUS, POINTER, TASK, POINTER, TIME),
    ("pool_workers_submit_bulk", STATUS, POINTER, POINTER, SIZE, TIME, POINTER),
    ("pool_workers_submit_payload", STATUS, POINTER, POINTER, TIME),
    ("pool_workers_process", STATUS, POINTER, POINTER, TIME, POINTER),
    ("pool_workers_run", STATUS, POINTER, TASK, POINTER, TIME),
    ("pool_workers_run_here", STATUS, POINTER, TASK, POINTER, TIME),
    ("pool_workers_resize", STATUS, POINTER, U32, U32),
    ("pool_workers_wait_idle", STATUS, POINTER, TIME),
    ("pool_workers_pause", STATUS, POINTER, TIME),
    ("pool_workers_resume", STATUS, POINTER),
    ("pool_workers_stop", STATUS, POINTER, I32, TIME, POINTER),
    ("pool_workers_restart", STATUS, POINTER),
    ("pool_workers_destroy", STATUS, POINTER),
    ("pool_workers_start", STATUS, POINTER, TASK, POINTER, POINTER, TIME, POINTER),
    ("pool_workers_start_now", STATUS, POINTER, TASK, POINTER, POINTER, TIME, POINTER),
    ("pool_workers_task_wait", STATUS, POINTER, TIME),
    ("pool_workers_task_get_info", STATUS, POINTER, POINTER),
    ("pool_workers_task_result", POINTER, POINTER),
    ("pool_workers_task_cancel", STATUS, POINTER, POINTER),
    ("pool_workers_task_release", None, POINTER),
    ("pool_workers_self_cancelled", I32),
    ("pool_workers_self_commit", I32),
    ("pool_workers_self_result", None, POINTER),
    ("pool_workers_self_fail", None, I32, c.c_char_p),
    ("pool_workers_self_pool", POINTER),
    ("pool_workers_self_state", POINTER),
    ("pool_workers_group_create", STATUS, POINTER, POINTER, POINTER),
    ("pool_workers_group_submit", STATUS, POINTER, TASK, POINTER),
    ("pool_workers_group_wait", STATUS, POINTER, TIME),
    ("pool_workers_group_cancel", STATUS, POINTER),
    ("pool_workers_group_result", STATUS, POINTER, SIZE, POINTER),
    ("pool_workers_group_next", STATUS, POINTER, TIME, POINTER, POINTER),
    ("pool_workers_group_destroy", STATUS, POINTER),
    ("pool_workers_get_stats", STATUS, POINTER, POINTER),
)


def sized(structure, **fields):
    return structure(size=c.sizeof(structure), **fields)


class Pool:
    """A pool, and the Python callables that it was given: they live as long as it does."""

    def __init__(self, **fields):
        self.options = WorkersOptions()
        assert pool.pool_workers_options_init(c.byref(self.options), c.sizeof(WorkersOptions)) == 0
        for name, value in fields.items():
            setattr(self.options, name, value)
        self.handle = POINTER()
        assert pool.pool_workers_create(c.byref(self.options), c.byref(self.handle)) == 0, error()

    def occupy(self):
        """A worker waits until the event that this returns is set."""
        begun, gate = threading.Event(), threading.Event()
        self.holding = TASK(lambda _: (begun.set(), gate.wait(30), None)[-1])
        assert pool.pool_workers_submit(self.handle, self.holding, None) == 0, error()
        assert begun.wait(30)
        return gate

    def start(self, task, arg=None, start=pool.pool_workers_start, **how):
        """A status, or a task."""
        handle = POINTER()
        status = start(self.handle, task, arg, c.byref(sized(TaskOptions, **how)), FOREVER,
                       c.byref(handle))
        assert (status == 0) == bool(handle), error()
        return handle if handle else status

    def stop(self, mode, timeout=FOREVER):
        report = sized(Report)
        return pool.pool_workers_stop(self.handle, mode, timeout, c.byref(report)), report

    def wait_idle(self):
        assert pool.pool_workers_wait_idle(self.handle, FOREVER) == 0, error()

    def stats(self):
        stats = sized(Stats)
        assert pool.pool_workers_get_stats(self.handle, c.byref(stats)) == 0
        return stats

    def destroy(self):
        return pool.pool_workers_destroy(self.handle)


def error():
    return pool.pool_last_error()


def info_of(task):
    info = sized(TaskInfo)
    assert pool.pool_workers_task_get_info(task, c.byref(info)) == 0
    return info


def cancel(task):
    answer = I32()
    assert pool.pool_workers_task_cancel(task, c.byref(answer)) == 0
    return answer.value
