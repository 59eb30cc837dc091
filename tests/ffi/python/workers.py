# SPDX-License-Identifier: Apache-2.0
"""Worker pools from Python, through ctypes, with callbacks of its own:
workers.py PATH/libpool.so LAYOUT

A call through ctypes lets go of the global lock, so tasks in Python run while another thread waits.
"""

import ctypes as c
import threading
import time

from layout import check_layout
from workers_api import *


def test_structs_are_those_of_the_headers():
    check_layout(LAYOUT, {
        "pool_workers_options": WorkersOptions, "pool_workers_item": Item,
        "pool_workers_report": Report, "pool_workers_task_options": TaskOptions,
        "pool_workers_task_info": TaskInfo, "pool_workers_group_options": GroupOptions,
        "pool_workers_stats": Stats, "pool_workers_histogram": Histogram,
        "pool_workers_running": Running})


def test_submitting():
    seen, dropped, threads = [], [], []
    workers = Pool(
        name=b"python", max_workers=1, queue_capacity=3, full=DROP_NEWEST,
        on_thread_start=TASK(lambda _: threads.append(threading.get_ident())),
        on_thread_exit=TASK(lambda _: threads.append(-threading.get_ident())),
        on_drop=DROP(lambda arg, status, _: dropped.append((arg, status))))
    task = TASK(seen.append)
    gate = workers.occupy()
    items = (Item * 5)(*[Item(task, number) for number in range(1, 6)])
    accepted = SIZE()
    assert pool.pool_workers_submit_bulk(workers.handle, items, 2, 0, c.byref(accepted)) == 0
    assert accepted.value == 2
    assert pool.pool_workers_submit_timed(workers.handle, task, 3, SECOND) == 0
    assert pool.pool_workers_try_submit(workers.handle, task, 4) == EFULL and not dropped
    assert pool.pool_workers_submit(workers.handle, task, 5) == 0 and dropped == [(5, EFULL)]
    assert pool.pool_workers_submit_payload(workers.handle, 6, 0) == EINVAL
    assert not seen
    gate.set()
    workers.wait_idle()
    assert seen == [1, 2, 3]
    assert pool.pool_workers_run(workers.handle, task, 7, 30 * SECOND) == 0 and seen[-1] == 7
    here = TASK(lambda _: threads.extend([threading.get_ident(), -threading.get_ident()]))
    assert pool.pool_workers_run_here(workers.handle, here, None, 30 * SECOND) == 0
    assert threads[-2] == threading.get_ident()
    del threads[-2:]
    assert pool.pool_workers_resize(workers.handle, 2, 1) == EINVAL
    assert pool.pool_workers_resize(workers.handle, 0, 3) == 0
    workers.wait_idle()
    stats = workers.stats()
    assert (stats.max_workers, stats.dropped, stats.waiting, stats.running) == (3, 1, 0, 0)
    assert stats.submitted == stats.succeeded + stats.dropped == 7
    assert workers.destroy() == 0
    assert sum(threads) == 0 and threading.get_ident() not in threads


def test_handles():
    own, begun, failed, dropped = [], threading.Event(), [], []
    workers = Pool(
        max_workers=1,
        on_drop=DROP(lambda arg, status, _: dropped.append((arg, status))),
        on_failed=ON_FAILED(lambda arg, code, text, _: failed.append((arg, code, text))))

    def succeed(arg):
        own.append(pool.pool_workers_self_pool())
        pool.pool_workers_self_result(arg + 1)

    succeeding = TASK(succeed)
    failing = TASK(lambda _: pool.pool_workers_self_fail(42, b"no luck"))

    def work(_):
        begun.set()
        while not pool.pool_workers_self_cancelled():
            time.sleep(0.001)

    working = TASK(work)
    assert workers.start(succeeding, priority=2) == EINVAL
    task = workers.start(succeeding, 5, priority=HIGH, name=b"five")
    assert pool.pool_workers_task_wait(task, FOREVER) == 0
    assert pool.pool_workers_task_result(task) == 6 and own == [workers.handle.value]
    assert cancel(task) == TOO_LATE and info_of(task).state == SUCCEEDED
    pool.pool_workers_task_release(task)

    task = workers.start(failing, 7)
    assert pool.pool_workers_task_wait(task, FOREVER) == ETASK and b"no luck" in error()
    info = info_of(task)
    assert (info.state, info.status, info.code, info.message) == (FAILED, ETASK, 42, b"no luck")
    assert failed == [(7, 42, b"no luck")]
    pool.pool_workers_task_release(task)

    # The three answers; the one that is too late is above.
    task = workers.start(working, start=pool.pool_workers_start_now)
    assert info_of(task).state == RUNNING and begun.wait(30)
    assert pool.pool_workers_task_wait(task, 1_000_000) == ETIMEDOUT
    waiting = workers.start(succeeding, 8)
    assert cancel(waiting) == REMOVED and dropped == [(8, ECANCELED)]
    assert pool.pool_workers_task_wait(waiting, FOREVER) == ECANCELED
    assert cancel(task) == FLAGGED
    assert pool.pool_workers_task_wait(task, FOREVER) == ECANCELED
    assert info_of(task).cancelled == 1 and info_of(task).state == CANCELLED

    gate = workers.occupy()
    late = workers.start(succeeding, 9, start_within=1)
    gate.set()
    assert pool.pool_workers_task_wait(late, FOREVER) == ECANCELED
    assert workers.destroy() == 0
    assert info_of(late).state == DROPPED and dropped[1:] == [(9, ETIMEDOUT)]
    for handle in task, waiting, late:  # they outlive their pool
        pool.pool_workers_task_release(handle)


def test_groups():
    seen, dropped = [], []
    workers = Pool(max_workers=1, on_drop=DROP(lambda arg, *_: dropped.append(arg)))

    def square(number):
        seen.append(number)
        if number == 3:
            pool.pool_workers_self_fail(3, b"three")
        pool.pool_workers_self_result(number * number)

    task, group, info = TASK(square), POINTER(), sized(TaskInfo)
    options = sized(GroupOptions, flags=KEEP_GOING | RESULTS, name=b"squares")
    assert pool.pool_workers_group_create(workers.handle, c.byref(options), c.byref(group)) == 0
    for number in range(1, 6):
        assert pool.pool_workers_group_submit(group, task, number) == 0
    assert pool.pool_workers_group_wait(group, FOREVER) == ETASK and b"three" in error()
    results = []
    for index in range(5):
        assert pool.pool_workers_group_result(group, index, c.byref(info)) == 0
        results.append((info.status, info.result))
    assert results == [(0, 1), (0, 4), (ETASK, 9), (0, 16), (0, 25)]
    index, ended = SIZE(), []
    while pool.pool_workers_group_next(group, FOREVER, c.byref(index), c.byref(info)) == 0:
        ended.append(index.value)
    assert sorted(ended) == [0, 1, 2, 3, 4]
    assert workers.destroy() == EMISUSE
    assert pool.pool_workers_group_destroy(group) == 0

    seen.clear()
    assert pool.pool_workers_group_create(workers.handle, None, c.byref(group)) == 0
    gate = workers.occupy()
    for number in range(2, 6):
        assert pool.pool_workers_group_submit(group, task, number) == 0
    gate.set()
    assert pool.pool_workers_group_wait(group, FOREVER) == ETASK
    assert seen == [2, 3] and dropped == [4, 5]  # the first failure ended the others
    assert pool.pool_workers_group_destroy(group) == 0
    assert workers.destroy() == 0


def test_workers_with_a_state():
    made, readied, interrupted, freed = [], [], threading.Event(), []

    def state_new(out, _):
        made.append(threading.get_ident())
        out[0] = len(made)
        return 0

    def process(payload, state, _):
        assert pool.pool_workers_self_state() == state and threading.get_ident() == made[state - 1]
        if payload == 99:
            assert interrupted.wait(30)
        return payload + 1

    workers = Pool(
        max_workers=2, min_workers=2, state_new=STATE_NEW(state_new),
        ready=OF_STATE(lambda state, _: readied.append(state)), process=PROCESS(process),
        interrupt=OF_STATE(lambda *_: interrupted.set()),
        state_free=OF_STATE(lambda state, _: freed.append(state)))
    assert len(made) == 2
    result = POINTER()
    for payload in range(1, 20):
        assert pool.pool_workers_process(workers.handle, payload, FOREVER, c.byref(result)) == 0
        assert result.value == payload + 1
    assert pool.pool_workers_process(workers.handle, 99, SECOND // 50,
                                     c.byref(result)) == ETIMEDOUT
    assert result.value is None and interrupted.is_set()
    assert workers.destroy() == 0 and sorted(freed) == [1, 2] and len(readied) >= 20


def test_pausing_and_stopping():
    seen, dropped = [], []
    workers = Pool(max_workers=1, on_drop=DROP(lambda arg, status, _: dropped.append(status)))
    task = TASK(seen.append)
    assert pool.pool_workers_pause(workers.handle, FOREVER) == 0
    assert pool.pool_workers_submit(workers.handle, task, 1) == 0
    assert pool.pool_workers_wait_idle(workers.handle, SECOND // 100) == ETIMEDOUT and not seen
    assert pool.pool_workers_resume(workers.handle) == 0
    workers.wait_idle()
    assert seen == [1]

    gate = workers.occupy()
    for number in range(2, 5):
        assert pool.pool_workers_submit(workers.handle, task, number) == 0
    status, report = workers.stop(DISCARD, SECOND // 100)
    assert status == ETIMEDOUT and dropped == [ECLOSED] * 3
    assert (report.running, report.waiting, report.discarded) == (1, 0, 3)
    assert pool.pool_workers_submit(workers.handle, task, 5) == ECLOSED
    gate.set()
    status, report = workers.stop(DRAIN)  # the first stop has decided
    assert (status, report.ran, report.discarded, report.running) == (0, 2, 3, 0)
    assert pool.pool_workers_restart(workers.handle) == 0
    assert pool.pool_workers_run(workers.handle, task, 6, FOREVER) == 0 and seen == [1, 6]
    assert workers.destroy() == 0


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("ok", name)
