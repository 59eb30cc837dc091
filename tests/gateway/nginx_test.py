#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gateway in front of a real nginx: under wrk's load, and when nginx dies and comes back."""
import re
import shutil
import subprocess
import threading
import time

from harness import WAIT, Nginx, Response, Skip, eventually
from runner import equal, main


def start_wrk(port, path, seconds):
    if shutil.which("wrk") is None:
        raise Skip("wrk is not installed")
    return subprocess.Popen(
        ["wrk", "-t2", "-c64", f"-d{seconds}s", f"http://127.0.0.1:{port}{path}"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def assert_clean(wrk):
    text = wrk.communicate(timeout=10 * WAIT)[0].decode()
    print(re.sub(r"^", "        ", text.rstrip(), flags=re.M))
    assert "Socket errors" not in text and "Non-2xx" not in text, text
    assert int(re.search(r"(\d+) requests in", text).group(1)) > 100, text


def memory(gateway):
    with open(f"/proc/{gateway.process.pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def test_load_through_nginx_loses_no_request(b):
    with Nginx() as nginx, b.special(upstream=nginx.port) as gateway:
        assert_clean(start_wrk(gateway.port, "/100", b.seconds))
        kilobytes = memory(gateway)
        assert_clean(start_wrk(gateway.port, "/20000", 1))
        assert_clean(start_wrk(gateway.port, "/300000", 1))
        assert_clean(start_wrk(gateway.port, "/100", 1))
        own, upstreams = 6, 32  # see test_nothing_is_left_behind; --max-upstream
        assert eventually(lambda: gateway.open_files() <= own + upstreams), gateway.open_files()
        assert memory(gateway) < kilobytes * 2 + 16384, "memory grows with the load"
        gateway.terminate()
        code, said = gateway.finish()
        equal(code, 0)
        assert "refused=0" in said, said


def test_reload_of_nginx_under_load_loses_no_request(b):
    with Nginx() as nginx, b.special(upstream=nginx.port) as gateway:
        wrk = start_wrk(gateway.port, "/100", b.seconds + 1)
        for _ in range(2 * b.seconds):
            time.sleep(0.4)
            nginx.reload()
        assert_clean(wrk)


def test_drain_under_wrk_finishes_every_request(b):
    """wrk is cut off only where it connects anew: nothing that was begun is lost."""
    with Nginx() as nginx, b.special(upstream=nginx.port) as gateway:
        wrk = start_wrk(gateway.port, "/20000", b.seconds)
        time.sleep(0.5)
        gateway.terminate()
        code, said = gateway.finish()
        equal(code, 0, said)
        assert re.search(r"requests=\d{3,} refused=0 .*cut=0", said), said
        text = wrk.communicate(timeout=10 * WAIT)[0].decode()
    assert "Non-2xx" not in text, text


def ask_without_pause(gateway, act):
    """Eight clients ask while act() does something to the upstream; [(when, what came)]."""
    outcomes = []
    over = threading.Event()

    def ask():
        client = gateway.client()
        while not over.is_set():
            try:
                client.send("GET /100 HTTP/1.1\r\nHost: a\r\n\r\n")
                what = Response(client).status
            except (OSError, EOFError) as error:
                what = repr(error)
                client.sock.close()
                client = gateway.client()
            outcomes.append((time.monotonic(), what))
        client.sock.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        act(outcomes)
    finally:
        over.set()
        for thread in threads:
            thread.join(WAIT)
    return outcomes


def restart(b, stop):
    """While nginx is down clients get 502, before and after it 200, and none is dropped."""
    moments = {}

    def act(outcomes):
        def more():
            count = len(outcomes) + 400
            assert eventually(lambda: len(outcomes) > count)

        more()
        moments["before"] = time.monotonic()
        stop(nginx)
        moments["down"] = time.monotonic()
        more()
        moments["restart"] = time.monotonic()
        nginx.start()
        moments["up"] = time.monotonic()
        more()

    with Nginx() as nginx, b.special(upstream=nginx.port) as gateway:
        outcomes = ask_without_pause(gateway, act)

    def between(begin, end):
        return {what for when, what in outcomes if begin <= when < end}

    slack = 0.2  # an answer may be under way while its origin dies
    equal(between(0, moments["before"]), {200})
    assert between(moments["before"], moments["up"]) <= {200, 502}
    equal(between(moments["down"] + slack, moments["restart"]) - {502}, set())
    equal(between(moments["up"] + slack, moments["up"] + WAIT) - {200}, set())


def test_nginx_may_be_killed_and_come_back_under_load(b):
    restart(b, Nginx.kill)


def test_nginx_may_be_restarted_under_load(b):
    restart(b, Nginx.stop)


if __name__ == "__main__":
    main(globals())
