# SPDX-License-Identifier: Apache-2.0
"""Subpools, several pools, the pacer, keys, what can be seen, and the stop that can be polled, from
Python: worker_sets.py PATH/libpool.so LAYOUT
"""

import asyncio
import ctypes as c
import select
import threading
import time

from workers_api import *

RUNNING_TASK = c.CFUNCTYPE(None, c.POINTER(Running), POINTER)
declare(
    ("pool_workers_create_sub", STATUS, POINTER, POINTER, POINTER),
    ("pool_workers_multi_create", STATUS, U32, I32, POINTER, POINTER),
    ("pool_workers_multi_submit", STATUS, POINTER, TASK, POINTER),
    ("pool_workers_multi_try_submit", STATUS, POINTER, TASK, POINTER),
    ("pool_workers_multi_pool", POINTER, POINTER, U32),
    ("pool_workers_multi_count", U32, POINTER),
    ("pool_workers_multi_stop", STATUS, POINTER, I32, TIME, POINTER),
    ("pool_workers_multi_destroy", STATUS, POINTER),
    ("pool_workers_pacer_create", STATUS, TIME, POINTER),
    ("pool_workers_pacer_wait", STATUS, POINTER, TIME),
    ("pool_workers_pacer_pause", STATUS, POINTER),
    ("pool_workers_pacer_resume", STATUS, POINTER),
    ("pool_workers_pacer_stop", STATUS, POINTER),
    ("pool_workers_pacer_destroy", None, POINTER),
    ("pool_workers_stop_async", STATUS, POINTER, I32, POINTER),
    ("pool_workers_get_histogram", STATUS, POINTER, I32, POINTER),
    ("pool_workers_histogram_percentile", TIME, POINTER, c.c_double),
    ("pool_workers_visit_running", STATUS, POINTER, TIME, RUNNING_TASK, POINTER),
    ("pool_workers_watch_stuck", STATUS, POINTER, TIME, RUNNING_TASK, POINTER),
)
NO_VISIT = c.cast(None, RUNNING_TASK)


def test_subpools():
    workers, seen = Pool(max_workers=2), []
    task = TASK(seen.append)
    options = sized(WorkersOptions, max_workers=3)
    sub = POINTER()
    assert pool.pool_workers_create_sub(workers.handle, c.byref(options), c.byref(sub)) == EINVAL
    options.max_workers = 1
    assert pool.pool_workers_create_sub(workers.handle, c.byref(options), c.byref(sub)) == 0
    for number in range(10):
        assert pool.pool_workers_submit(sub, task, number + 1) == 0
    assert pool.pool_workers_wait_idle(sub, FOREVER) == 0
    assert seen == list(range(1, 11)) and workers.stats().succeeded == 10
    assert workers.destroy() == EMISUSE
    assert pool.pool_workers_destroy(sub) == 0 and workers.destroy() == 0


def test_several_pools():
    multi, seen, report = POINTER(), [], sized(Report)
    task, options = TASK(seen.append), sized(WorkersOptions, max_workers=1)
    assert pool.pool_workers_multi_create(2, ROUND_ROBIN, c.byref(options), c.byref(multi)) == 0
    for number in range(1, 11):
        assert pool.pool_workers_multi_submit(multi, task, number) == 0
    assert pool.pool_workers_multi_try_submit(multi, task, 11) == 0
    assert pool.pool_workers_multi_stop(multi, DRAIN, FOREVER, c.byref(report)) == 0
    assert report.ran == 11 and sorted(seen) == list(range(1, 12))
    assert pool.pool_workers_multi_count(multi) == 2
    assert pool.pool_workers_multi_pool(multi, 1) and not pool.pool_workers_multi_pool(multi, 2)
    assert pool.pool_workers_multi_destroy(multi) == 0


def test_the_pacer():
    pacer, begun = POINTER(), time.monotonic()
    assert pool.pool_workers_pacer_create(SECOND // 200, c.byref(pacer)) == 0
    for _ in range(4):
        assert pool.pool_workers_pacer_wait(pacer, FOREVER) == 0
    assert time.monotonic() - begun >= 0.0149
    assert pool.pool_workers_pacer_pause(pacer) == 0
    assert pool.pool_workers_pacer_wait(pacer, SECOND // 100) == ETIMEDOUT
    assert pool.pool_workers_pacer_resume(pacer) == 0 and pool.pool_workers_pacer_stop(pacer) == 0
    assert pool.pool_workers_pacer_wait(pacer, FOREVER) == ECLOSED
    pool.pool_workers_pacer_destroy(pacer)


def test_keys():
    workers, seen = Pool(max_workers=4), {1: [], 2: [], 3: []}
    task = TASK(lambda number: seen[1 + number % 3].append(number))
    for number in range(1, 301):
        pool.pool_workers_task_release(workers.start(task, number, key=1 + number % 3))
    workers.wait_idle()
    assert all(numbers == sorted(numbers) and len(numbers) == 100 for numbers in seen.values())
    assert workers.destroy() == 0


def test_looking():
    workers, begun, gate = Pool(max_workers=1), threading.Event(), threading.Event()
    task = TASK(lambda _: (begun.set(), gate.wait(30), None)[-1])
    stuck, seen = threading.Event(), []
    on_stuck = RUNNING_TASK(lambda *_: stuck.set())
    assert pool.pool_workers_watch_stuck(workers.handle, SECOND // 1000, on_stuck, None) == 0
    handle = workers.start(task, 5, name=b"seen")
    assert begun.wait(30)
    visit = RUNNING_TASK(lambda one, arg: seen.append((one[0].name, one[0].arg, arg)))
    assert pool.pool_workers_visit_running(workers.handle, 0, visit, 6) == 0
    assert seen == [(b"seen", 5, 6)] and stuck.wait(30)
    assert pool.pool_workers_watch_stuck(workers.handle, 0, NO_VISIT, None) == 0
    gate.set()
    assert pool.pool_workers_task_wait(handle, FOREVER) == 0
    pool.pool_workers_task_release(handle)
    workers.wait_idle()
    times = sized(Histogram)
    assert pool.pool_workers_get_histogram(workers.handle, RUN_TIME, c.byref(times)) == 0
    assert times.count == sum(times.buckets) == 1 and times.most >= 1_000_000
    assert pool.pool_workers_histogram_percentile(c.byref(times), 50.0) == times.most
    assert workers.destroy() == 0


def test_a_stop_can_be_polled():
    """A host that calls with the global lock held, as PyDLL does, must not wait for Python tasks:
    they need that lock to end. So the stop only begins, and its descriptor says when it has ended."""
    workers, seen = Pool(max_workers=2), []
    holding_the_lock = c.PyDLL(PATH).pool_workers_stop_async
    holding_the_lock.restype, holding_the_lock.argtypes = STATUS, [POINTER, I32, POINTER]
    gate = workers.occupy()
    task, fd = TASK(lambda number: (time.sleep(0.001), seen.append(number), None)[-1]), I32()
    for number in range(1, 21):
        assert pool.pool_workers_submit(workers.handle, task, number) == 0
    assert holding_the_lock(workers.handle, DRAIN, c.byref(fd)) == 0
    assert pool.pool_workers_submit(workers.handle, task, 99) == ECLOSED
    assert select.select([fd.value], [], [], 0) == ([], [], [])
    gate.set()
    assert select.select([fd.value], [], [], 30)[0] == [fd.value]
    status, report = workers.stop(DRAIN, 0)
    assert (status, report.ran, report.running) == (0, 21, 0) and sorted(seen) == [*range(1, 21)]
    assert workers.destroy() == 0


def test_a_stop_can_be_awaited():
    """An event loop goes on while the pool drains."""
    workers, seen = Pool(max_workers=1), []
    task = TASK(lambda number: (time.sleep(0.002), seen.append(number), None)[-1])

    async def stop():
        loop, ended, fd = asyncio.get_running_loop(), asyncio.Event(), I32()
        assert pool.pool_workers_stop_async(workers.handle, DRAIN, c.byref(fd)) == 0
        loop.add_reader(fd.value, ended.set)
        await ended.wait()
        loop.remove_reader(fd.value)

    async def tick():
        ticks = 0
        while len(seen) < 20:
            await asyncio.sleep(0.001)
            ticks += 1
        return ticks

    async def main():
        for number in range(20):
            assert pool.pool_workers_submit(workers.handle, task, number) == 0
        ticks, _ = await asyncio.wait_for(asyncio.gather(tick(), stop()), 60)
        return ticks

    assert asyncio.run(main()) >= 1 and len(seen) == 20
    assert workers.stop(DRAIN, 0)[0] == 0 and workers.destroy() == 0


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("ok", name)
