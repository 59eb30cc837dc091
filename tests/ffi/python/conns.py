# SPDX-License-Identifier: Apache-2.0
"""Connection pools from Python, through ctypes, with callbacks of its own:
conns.py PATH/libpool.so LAYOUT
"""

import asyncio
import ctypes as c
import select
import threading
import time

from conns_api import *
from layout import check_layout


class Pool:
    """A pool whose default key is "host", and the other side of it. Connections are numbers."""

    def __init__(self, **fields):
        self.dialed, self.closed, self.calls = 0, [], []
        self.alive, self.clean = True, True
        self.leaks, self.leaked = [], threading.Event()
        self.options = ConnsOptions()
        assert pool.pool_conns_options_init(c.byref(self.options), c.sizeof(ConnsOptions)) == 0
        callbacks = {
            "dial": DIAL(self.dial), "close": CLOSE(lambda conn, why, _: self.gone(conn, why)),
            "is_alive": IS_ALIVE(lambda conn, idle, _: self.alive and idle >= 0),
            "validate": CHECK(lambda conn, *_: self.calls.append(("validate", conn)) or 0),
            "reset": CHECK(lambda conn, *_: 0 if self.clean else EBAD),
            "on_leak": LEASE(self.on_leak), "key": b"host", "key_length": 4,
        }
        for name, value in (callbacks | fields).items():
            setattr(self.options, name, value)
        self.handle = POINTER()
        assert pool.pool_conns_create(c.byref(self.options), c.byref(self.handle)) == 0, self.error

    @property
    def error(self):
        return pool.pool_last_error()

    def dial(self, key, length, deadline, out, _):
        if c.string_at(key, length) != b"host" or deadline <= 0:
            return 42
        self.dialed += 1
        out[0] = self.dialed
        return 0

    def gone(self, conn, reason):
        self.closed.append((conn, reason))

    def on_leak(self, info, _):
        self.leaks.append((info[0].taker, c.string_at(info[0].key, info[0].key_length),
                           info[0].returned))
        self.leaked.set()

    def acquire(self, timeout=10 * SECOND, key=None, **how):
        """A status, or a lease."""
        lease = POINTER()
        status = pool.pool_conns_acquire_with(self.handle, key, len(key or b""), timeout,
                                              c.byref(sized(AcquireOptions, **how)),
                                              c.byref(lease))
        assert (status == 0) == bool(lease), self.error
        return lease if lease else status

    def request(self, timeout=FOREVER, **how):
        request = POINTER()
        assert pool.pool_conns_request_start(self.handle, None, 0, timeout,
                                             c.byref(sized(RequestOptions, **how)),
                                             c.byref(request)) == 0, self.error
        return request

    def stats(self):
        stats = sized(Stats)
        assert pool.pool_conns_get_stats(self.handle, c.byref(stats)) == 0
        return stats

    def histogram(self, which):
        histogram = sized(Histogram)
        assert pool.pool_conns_get_histogram(self.handle, which, c.byref(histogram)) == 0
        return histogram


def finished(request):
    lease = POINTER()
    status = pool.pool_conns_request_finish(request, c.byref(lease))
    return lease if status == 0 else status


def test_structs_are_those_of_the_headers():
    check_layout(LAYOUT, {
        "pool_conns_options": ConnsOptions, "pool_conns_acquire_options": AcquireOptions,
        "pool_conns_request_options": RequestOptions, "pool_conns_stats": Stats,
        "pool_conns_key_stats": KeyStats, "pool_conns_histogram": Histogram,
        "pool_conns_lease_info": LeaseInfo})


def test_lending():
    conns = Pool(validate_after=1)
    assert conns.acquire(key=b"nope") == 42
    assert conns.acquire(0) == EAGAIN
    lease = conns.acquire(taker=b"Python", priority=1)
    assert pool.pool_conns_lease_conn(lease) == 1 and pool.pool_conns_lease_fd(lease) == -1
    assert pool.pool_conns_lease_uses(lease) == 0 and pool.pool_conns_lease_renew(lease) == 0
    assert pool.pool_conns_release(lease) == 0
    time.sleep(0.02)
    assert conns.calls == []
    lease = conns.acquire()
    assert conns.calls == [("validate", 1)] and pool.pool_conns_lease_uses(lease) == 1
    assert pool.pool_conns_release(lease) == 0
    conns.alive = False
    lease = conns.acquire()
    assert pool.pool_conns_lease_conn(lease) == 2 and conns.closed == [(1, INVALID)]
    conns.alive, conns.clean = True, False
    assert pool.pool_conns_release(lease) == 0 and conns.closed.pop() == (2, INVALID)
    conns.clean = True
    assert pool.pool_conns_release(conns.acquire()) == 0
    lease = conns.acquire(flags=FRESH)
    assert pool.pool_conns_lease_conn(lease) == 4
    assert pool.pool_conns_discard(lease) == 0 and conns.closed.pop() == (4, BROKEN)
    conn = POINTER()
    assert pool.pool_conns_detach(conns.acquire(), c.byref(conn)) == 0 and conn.value == 3
    assert pool.pool_conns_adopt(conns.handle, None, 0, conn) == 0
    assert pool.pool_conns_clear(conns.handle) == 0 and conns.closed.pop() == (3, CLEARED)
    assert pool.pool_conns_acquire(conns.handle, None, 0, 0, c.byref(lease)) == EAGAIN
    assert conns.acquire(priority=2) == EINVAL
    assert pool.pool_conns_destroy(conns.handle) == 0


def test_running():
    conns, calls = Pool(), []

    def use(lease, conn, arg):
        assert pool.pool_conns_lease_conn(lease) == conn and arg == 99
        calls.append(conn)
        return EBAD if len(calls) == 1 else 7

    assert pool.pool_conns_fill(conns.handle, None, 0, 1, SECOND) == 0
    assert pool.pool_conns_run(conns.handle, None, 0, SECOND, RUN(use), 99) == 7
    assert calls == [1, 2] and conns.closed == [(1, BROKEN)]
    assert pool.pool_conns_destroy(conns.handle) == 0
    assert conns.closed[1:] == [(2, POOL_CLOSED)]


def test_requests_can_be_polled():
    conns, done = Pool(max_open_per_key=1), []
    lease = conns.acquire()
    on_done = DONE(lambda request, _: done.append(request))
    request = conns.request(taker=b"poller", on_done=on_done)
    fd = pool.pool_conns_request_fd(request)
    assert select.select([fd], [], [], 0) == ([], [], []) and finished(request) == EAGAIN
    assert pool.pool_conns_release(lease) == 0
    assert select.select([fd], [], [], 10) == ([fd], [], []) and done == [request.value]
    lease = finished(request)
    assert pool.pool_conns_lease_uses(lease) == 1
    assert pool.pool_conns_release(lease) == 0
    assert pool.pool_conns_destroy(conns.handle) == 0


def test_requests_can_be_awaited():
    """Ten coroutines share two connections, without a thread that waits."""
    conns = Pool(max_open_per_key=2)

    async def acquire():
        request, loop = conns.request(), asyncio.get_running_loop()
        fd, ended = pool.pool_conns_request_fd(request), loop.create_future()
        loop.add_reader(fd, lambda: ended.done() or ended.set_result(None))
        await ended
        loop.remove_reader(fd)
        return finished(request)

    async def use(results):
        lease = await acquire()
        results.append(pool.pool_conns_lease_conn(lease))
        await asyncio.sleep(0.001)
        assert pool.pool_conns_release(lease) == 0

    async def use_all():
        results = []
        await asyncio.wait_for(asyncio.gather(*(use(results) for _ in range(10))), 60)
        return results

    results = asyncio.run(use_all())
    assert len(results) == 10 and set(results) <= {1, 2}
    assert pool.pool_conns_destroy(conns.handle) == 0 and len(conns.closed) == conns.dialed <= 2


def test_requests_can_be_cancelled():
    conns = Pool(max_open_per_key=1)
    lease = conns.acquire()
    request = conns.request()
    assert pool.pool_conns_request_wait(request, 1_000_000) == ETIMEDOUT
    timer = threading.Timer(0.02, pool.pool_conns_request_cancel, [request])
    timer.start()
    assert pool.pool_conns_request_wait(request, FOREVER) == 0
    timer.join()
    assert finished(request) == ECANCELED
    assert pool.pool_conns_request_destroy(conns.request()) == 0
    assert conns.stats().canceled == 2 and conns.stats().waiters == 0
    assert pool.pool_conns_release(lease) == 0
    assert pool.pool_conns_destroy(conns.handle) == 0


def test_looking_and_changing():
    conns = Pool(max_open_per_key=1)
    lease = conns.acquire(taker=b"seen")
    assert conns.acquire(SECOND // 100) == ETIMEDOUT
    assert pool.pool_conns_set(conns.handle, SET_MAX_OPEN_PER_KEY, 2) == 0
    assert pool.pool_conns_set(conns.handle, 99, 2) == EINVAL
    second = conns.acquire()
    stats = conns.stats()
    assert (stats.acquires, stats.dials, stats.in_use, stats.timeouts) == (2, 2, 2, 1)
    assert stats.max_open_per_key == 2 and stats.memory_bytes > 0
    of_key = sized(KeyStats)
    assert pool.pool_conns_get_key_stats(conns.handle, b"host", 4, c.byref(of_key)) == 0
    assert (of_key.in_use, of_key.dials, of_key.backoff_left) == (2, 2, 0)
    waits = conns.histogram(WAIT_TIME)
    assert waits.count == sum(waits.buckets) == 1 and waits.most >= 9_000_000
    assert pool.pool_conns_histogram_percentile(c.byref(waits), 50.0) == waits.most
    dials = conns.histogram(DIAL_TIME)
    assert dials.count == 2
    assert 0 < pool.pool_conns_histogram_percentile(c.byref(dials), 99.9) <= dials.most

    seen = []
    visit = LEASE(lambda info, arg: seen.append((info[0].taker, info[0].conn, arg)))
    assert pool.pool_conns_visit_leases(conns.handle, 0, visit, 5) == 0
    assert sorted(seen) == [(b"", 2, 5), (b"seen", 1, 5)]
    assert pool.pool_conns_visit_leases(conns.handle, 3600 * SECOND, visit, 5) == 0
    assert len(seen) == 2
    assert pool.pool_conns_release(lease) == 0 and pool.pool_conns_close_idle(conns.handle) == 0
    assert conns.closed == [(1, CLEARED)]
    assert pool.pool_conns_clear_key(conns.handle, b"host", 4) == 0
    assert pool.pool_conns_release(second) == 0 and conns.closed[1:] == [(2, CLEARED)]
    assert pool.pool_conns_reap(conns.handle) == 0
    assert pool.pool_conns_destroy(conns.handle) == 0


def test_leaks_and_the_end():
    conns = Pool(leak_threshold=SECOND // 100)
    lease = conns.acquire(taker=b"careless")
    assert conns.leaked.wait(10) and conns.leaks == [(b"careless", b"host", 0)]
    still_out = c.c_uint64(99)
    assert pool.pool_conns_close(conns.handle, SECOND // 100, c.byref(still_out)) == ETIMEDOUT
    assert still_out.value == 1
    assert pool.pool_conns_release(lease) == 0
    assert conns.leaks[1:] == [(b"careless", b"host", 1)] and conns.closed == [(1, POOL_CLOSED)]
    assert pool.pool_conns_close(conns.handle, SECOND, c.byref(still_out)) == 0
    assert still_out.value == 0 and conns.acquire() == ECLOSED
    assert pool.pool_conns_destroy(conns.handle) == 0


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("ok", name)
