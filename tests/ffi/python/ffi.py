# SPDX-License-Identifier: Apache-2.0
"""Every area but connections from Python, through ctypes, with callbacks of its own:
ffi.py PATH/libpool.so LAYOUT
"""

import ctypes as c
import os
import subprocess
import sys
import threading
from pathlib import Path

from layout import check_layout

PATH, LAYOUT = sys.argv[1:]
pool = c.CDLL(PATH)

STATUS = c.c_int32
EINVAL, ECLOSED, ECREATE = -1, -6, -16


class ObjectsOptions(c.Structure):
    CREATE = c.CFUNCTYPE(c.c_void_p, c.c_void_p)
    RESET = c.CFUNCTYPE(STATUS, c.c_void_p, c.c_void_p)
    DESTROY = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p)
    CTX_FREE = c.CFUNCTYPE(None, c.c_void_p)
    _fields_ = [
        ("size", c.c_size_t), ("name", c.c_char_p), ("create", CREATE), ("reset", RESET),
        ("destroy", DESTROY), ("ctx", c.c_void_p), ("ctx_free", CTX_FREE),
        ("max_idle", c.c_uint64), ("object_size", c.c_uint64), ("sweep_period", c.c_int64),
        ("allocator", c.c_void_p), ("cpu_mode", c.c_int32), ("flags", c.c_uint32),
    ]


class Buffer(c.Structure):
    _fields_ = [("data", c.c_void_p), ("capacity", c.c_size_t)]


class Buf(c.Structure):
    _fields_ = [
        ("data", c.c_void_p), ("length", c.c_size_t), ("capacity", c.c_size_t),
        ("peak", c.c_size_t), ("pool", c.c_void_p), ("tag", c.c_uint32), ("reserved", c.c_uint32),
    ]


TASK = c.CFUNCTYPE(None, c.c_void_p)
WRITE = c.CFUNCTYPE(None, c.POINTER(c.c_char), c.c_size_t, c.c_void_p)
FOREVER = -1

for name, result, *arguments in [
    ("pool_last_error", c.c_char_p),
    ("pool_last_error_status", STATUS),
    ("pool_version_details", c.c_char_p),
    ("pool_objects_options_init", STATUS, c.c_void_p, c.c_size_t),
    ("pool_objects_create", STATUS, c.c_void_p, c.c_void_p),
    ("pool_objects_get", c.c_void_p, c.c_void_p),
    ("pool_objects_try_get", c.c_void_p, c.c_void_p),
    ("pool_objects_put", STATUS, c.c_void_p, c.c_void_p),
    ("pool_objects_sweep", STATUS, c.c_void_p),
    ("pool_objects_destroy", STATUS, c.c_void_p),
    ("pool_buffers_create", STATUS, c.c_void_p, c.c_void_p),
    ("pool_buffers_get", Buffer, c.c_void_p, c.c_size_t),
    ("pool_buffers_put", STATUS, c.c_void_p, Buffer),
    ("pool_buf_get", STATUS, c.c_void_p, c.c_uint32, c.POINTER(Buf)),
    ("pool_buf_append", STATUS, c.POINTER(Buf), c.c_char_p, c.c_size_t),
    ("pool_buf_detach", Buffer, c.POINTER(Buf), c.POINTER(c.c_size_t)),
    ("pool_buf_put", STATUS, c.POINTER(Buf)),
    ("pool_buffers_destroy", STATUS, c.c_void_p),
    ("pool_workers_create", STATUS, c.c_void_p, c.c_void_p),
    ("pool_workers_submit", STATUS, c.c_void_p, TASK, c.c_void_p),
    ("pool_workers_wait_idle", STATUS, c.c_void_p, c.c_int64),
    ("pool_workers_destroy", STATUS, c.c_void_p),
    ("pool_stats_write", STATUS, c.c_int32, WRITE, c.c_void_p),
    ("pool_stats_text", c.c_size_t, c.c_int32, c.c_char_p, c.c_size_t),
]:
    function = getattr(pool, name)
    function.restype, function.argtypes = result, arguments


def made(function, options=None):
    handle = c.c_void_p()
    status = function(c.byref(options) if options else None, c.byref(handle))
    assert status == 0, pool.pool_last_error()
    return handle


def test_structs_are_those_of_the_headers():
    check_layout(LAYOUT, {"pool_objects_options": ObjectsOptions, "pool_buffer": Buffer,
                          "pool_buf": Buf})


def test_objects():
    live, reset, destroyed = {}, [], []

    def create(_):
        if len(live) == 3:
            return None
        item = c.create_string_buffer(16)
        live[c.addressof(item)] = item
        return c.addressof(item)

    options = ObjectsOptions()
    assert pool.pool_objects_options_init(c.byref(options), c.sizeof(options)) == 0
    options.name = b"python"
    options.max_idle = 2
    options.create = ObjectsOptions.CREATE(create)
    options.reset = ObjectsOptions.RESET(lambda item, _: reset.append(item) or 0)
    options.destroy = ObjectsOptions.DESTROY(lambda item, _: destroyed.append(live.pop(item)))
    freed = []
    options.ctx_free = ObjectsOptions.CTX_FREE(freed.append)
    objects = made(pool.pool_objects_create, options)
    first = pool.pool_objects_get(objects)
    c.memmove(first, b"from Python", 11)
    assert pool.pool_objects_put(objects, first) == 0
    assert pool.pool_objects_try_get(objects) == first
    assert c.string_at(first) == b"from Python" and reset == [first]
    others = [pool.pool_objects_get(objects) for _ in range(2)]
    assert pool.pool_objects_get(objects) is None
    assert pool.pool_last_error_status() == ECREATE and b"python" in pool.pool_last_error()
    for item in [first, *others]:
        assert pool.pool_objects_put(objects, item) == 0
    assert set(live) == {first, others[0]}  # one more was put than max_idle
    assert pool.pool_objects_destroy(objects) == 0
    assert not live and len(destroyed) == 3 and freed == [None]
    assert pool.pool_objects_put(objects, 16) == ECLOSED


def test_buffers():
    buffers = made(pool.pool_buffers_create)
    buffer = pool.pool_buffers_get(buffers, 3000)
    assert buffer.capacity == 3072
    c.memset(buffer.data, 7, buffer.capacity)
    assert pool.pool_buffers_put(buffers, Buffer(buffer.data, 3000)) == EINVAL
    assert pool.pool_buffers_put(buffers, buffer) == 0
    buf = Buf()
    assert pool.pool_buf_get(buffers, 0, buf) == 0
    for word in (b"one ", b"two ", b"three"):
        assert pool.pool_buf_append(buf, word, len(word)) == 0
    assert c.string_at(buf.data, buf.length) == b"one two three"
    length = c.c_size_t()
    detached = pool.pool_buf_detach(buf, length)
    assert length.value == 13 and pool.pool_buffers_put(buffers, detached) == 0
    assert pool.pool_buf_put(buf) == 0
    assert pool.pool_buffers_destroy(buffers) == 0


def test_workers():
    workers = made(pool.pool_workers_create)
    seen, threads = [], set()

    def run(argument):
        seen.append(argument)
        threads.add(threading.get_ident())

    task = TASK(run)
    for i in range(1, 51):
        assert pool.pool_workers_submit(workers, task, i) == 0
    assert pool.pool_workers_wait_idle(workers, FOREVER) == 0
    assert sorted(seen) == list(range(1, 51)) and threading.get_ident() not in threads
    assert pool.pool_workers_destroy(workers) == 0


def test_stats():
    buffers = made(pool.pool_buffers_create)
    pieces = []
    write = WRITE(lambda text, length, _: pieces.append(text[:length]))
    assert pool.pool_stats_write(3, write, None) == 0
    text = b"".join(pieces)
    assert b'pool_buffers_gets_total{pool="",id="' in text, text
    room = c.create_string_buffer(len(text) + 1)
    assert pool.pool_stats_text(3, room, len(room)) == len(text) and room.value == text
    assert pool.pool_buffers_destroy(buffers) == 0


def test_loading_alone():
    subprocess.run([sys.executable, "-c", f"import ctypes; ctypes.CDLL({PATH!r}).pool_version"],
                   check=True)


def test_jemalloc_is_used_where_it_is():
    """Static thread-local storage is scarce when Python loads a library beside it."""
    if "jemalloc" in os.environ.get("LD_PRELOAD", ""):
        assert b"jemalloc" in pool.pool_version_details(), pool.pool_version_details()


def test_a_thousand_loads():
    subprocess.run([sys.executable, str(Path(__file__).with_name("reload.py")), PATH], check=True)


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("ok", name)
print(pool.pool_version_details().decode())
