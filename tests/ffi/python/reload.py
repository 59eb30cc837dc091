# SPDX-License-Identifier: Apache-2.0
"""Loads and unloads the library a thousand times, while threads that have used it live on, some of
them using it again: reload.py PATH/libpool.so

A thread's restartable sequence is known to the kernel until the thread runs another one, so a
library that really went away would take the process with it.
"""

import ctypes as c
import sys
import threading

import _ctypes

PATH = sys.argv[1]
sys.setswitchinterval(0.00005)
in_use = threading.Lock()  # between two uses nobody has the library open
stop = threading.Event()
uses = 0


def use() -> None:
    library = c.CDLL(PATH)
    library.pool_objects_create.argtypes = [c.c_void_p, c.c_void_p]
    library.pool_objects_put.argtypes = [c.c_void_p, c.c_void_p]
    library.pool_objects_try_get.argtypes = [c.c_void_p]
    library.pool_objects_try_get.restype = c.c_void_p
    library.pool_objects_destroy.argtypes = [c.c_void_p]
    pool = c.c_void_p()
    assert library.pool_objects_create(None, c.byref(pool)) == 0
    for item in range(16, 64):
        assert library.pool_objects_put(pool, item) == 0
    for _ in range(16, 64):
        assert library.pool_objects_try_get(pool)
    assert library.pool_objects_destroy(pool) == 0
    _ctypes.dlclose(library._handle)


def use_now_and_then() -> None:
    global uses
    while not stop.is_set():
        with in_use:
            use()
            uses += 1


def use_once_and_spin() -> None:
    with in_use:
        use()
    while not stop.is_set():
        pass


threads = [threading.Thread(target=target) for target in 2 * [use_now_and_then, use_once_and_spin]]
for thread in threads:
    thread.start()
for _ in range(1000):
    with in_use:
        library = c.CDLL(PATH)
        assert library.pool_version_number() > 0
        _ctypes.dlclose(library._handle)
stop.set()
for thread in threads:
    thread.join()
assert uses > 0
