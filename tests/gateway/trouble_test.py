#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""When upstreams fail, clients are slow, and the end is near."""
import re
import resource
import threading
import time

from harness import Client, Origin, Response, eventually
from runner import equal, main


def test_unreachable_upstream_is_502_and_the_client_is_kept(b):
    with b.special(upstream=1) as gateway, gateway.client() as c:
        for _ in range(3):
            equal(c.ask("/").status, 502)
        equal(c.ask("/", "POST", "Content-Length: 1\r\n", b"x").status, 502)
        assert c.is_closed()


def test_silent_upstream_is_504(b):
    with b.special("--upstream-timeout", "0.3") as gateway, gateway.client() as c:
        begun = time.monotonic()
        equal(c.ask("/silent").status, 504)
        assert 0.2 < time.monotonic() - begun < 3


def test_garbage_is_502(b):
    with b.client() as c:
        equal(c.ask("/garbage").status, 502)


def test_bytes_after_a_response_never_reach_the_next_client(b):
    for _ in range(5):
        with b.client() as c:
            equal(c.ask("/extra").body, b"x")
            equal(c.ask("/echo/clean").body, b"clean")


def test_stale_connection_is_retried_only_if_that_is_safe(b):
    for method, fields, body, status in (("GET", "", b"", 200),
                                         ("PUT", "Content-Length: 3\r\n", b"abc", 200),
                                         ("POST", "Content-Length: 3\r\n", b"abc", 502)):
        with b.special() as gateway, gateway.client() as c:
            equal(c.ask("/stale").body, b"fresh")
            response = c.ask("/echo/again", method, fields, body)
            equal(response.status, status, method)
            if status == 200:
                equal(b.origin.seen[-1][3], body)


def test_slow_head_is_408_however_it_trickles(b):
    with b.special("--client-timeout", "0.5") as gateway:
        with gateway.client() as c, gateway.client() as mute:
            begun = time.monotonic()
            c.send("GET / HTTP/1.1\r\n")
            while time.monotonic() - begun < 0.4:
                time.sleep(0.05)
                c.send("X")
            equal(Response(c).status, 408)
            assert c.is_closed() and mute.is_closed()
            assert 0.3 < time.monotonic() - begun < 3
        with gateway.client() as c:
            c.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
            equal(Response(c).status, 408)


def test_idle_client_is_closed(b):
    with b.special("--idle-timeout", "0.3") as gateway, gateway.client() as c:
        equal(c.ask("/echo/x").body, b"x")
        begun = time.monotonic()
        assert c.is_closed() and 0.2 < time.monotonic() - begun < 3


def test_idle_and_slow_clients_hold_no_worker(b):
    with b.special("--workers", "1") as gateway:
        crowd = [gateway.client() for _ in range(50)]
        for c in crowd[:25]:
            c.send("GET / HTTP/1.1\r\nHo")
        with gateway.client() as c:
            equal(c.ask("/echo/x").body, b"x")
        for c in crowd:
            c.sock.close()


def test_clients_for_whom_there_is_no_room_wait(b):
    def few_files():  # for 4 upstream connections, 4 clients and the gateway itself
        resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))

    with b.special("--max-upstream", "4", preexec_fn=few_files) as gateway:
        crowd = [gateway.client() for _ in range(12)]
        for c in crowd:
            c.send("GET /echo/x HTTP/1.1\r\nHost: a\r\n\r\n")
        for c in crowd:
            equal(Response(c).body, b"x")
            c.sock.close()


def test_more_requests_than_upstream_connections_wait_in_line(b):
    with b.special("--max-upstream", "2", "--workers", "8") as gateway:
        clients = [gateway.client() for _ in range(8)]
        for c in clients:
            c.send("GET /slow/0.05 HTTP/1.1\r\nHost: a\r\n\r\n")
        equal([Response(c).status for c in clients], [200] * 8)
        for c in clients:
            c.sock.close()


def test_pool_statistics_are_prometheus_text(b):
    sample = re.compile(r"^[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-zA-Z_][a-zA-Z0-9_]*=\"[^\"]*\""
                        r"(,[a-zA-Z_][a-zA-Z0-9_]*=\"[^\"]*\")*\})? -?[0-9.e+]+$")
    with b.client() as c:
        response = c.ask("/_pool")
        equal((response.status, response.get("content-type")), (200, "text/plain; version=0.0.4"))
        lines = response.body.decode().splitlines()
        values = [line for line in lines if not line.startswith("#")]
        assert values and all(map(sample.match, values)), [v for v in values if not sample.match(v)]
        for pool in ("exchanges", "buffers", "upstreams", "gateway"):
            assert f'pool="{pool}"' in response.body.decode(), f"no sample of {pool}"
        equal(c.ask("/_pool", "HEAD").status, 200)
        equal(c.ask("/echo/next").body, b"next")


def test_upstreams_take_turns(b):
    other = Origin()
    with b.special("--upstream", f"127.0.0.1:{other.port}") as gateway, gateway.client() as c:
        before = len(b.origin.seen)
        for i in range(10):
            equal(c.ask(f"/echo/{i}").body, b"%d" % i)
        equal((len(b.origin.seen) - before, len(other.seen)), (5, 5))


def test_upstream_that_cannot_be_reached_is_passed_over(b):
    with b.special("--upstream", f"127.0.0.1:{b.origin.port}", upstream=1) as gateway:
        with gateway.client() as c:
            for i in range(10):
                equal(c.ask(f"/echo/{i}", "POST", "Content-Length: 1\r\n", b"x").body, b"x")
    with b.special("--upstream", "127.0.0.1:2", upstream=1) as gateway, gateway.client() as c:
        equal([c.ask("/").status for _ in range(4)], [502] * 4)


def test_client_that_does_not_read_is_given_up(b):
    with b.special("--client-timeout", "0.3", "--workers", "1") as gateway:
        with gateway.client() as greedy:
            greedy.send("GET /bytes/50000000 HTTP/1.1\r\nHost: a\r\n\r\n")
            greedy.more()
            with gateway.client() as c:  # only now, lest it be idle for too long itself
                equal(c.ask("/echo/x").body, b"x")  # the only worker is free again


def refuses(gateway):
    try:
        Client(gateway.port).sock.close()
        return False
    except ConnectionRefusedError:
        return True


def test_drain_finishes_what_was_begun(b):
    with b.special() as gateway:
        busy, idle, begun, late = [gateway.client() for _ in range(4)]
        equal((idle.ask("/echo/x").body, late.ask("/echo/x").body), (b"x", b"x"))
        busy.send("GET /slow/1.5 HTTP/1.1\r\nHost: a\r\n\r\n")
        begun.send("GET /echo/y HTTP/1.1\r\n")
        time.sleep(0.2)
        gateway.terminate()
        assert eventually(lambda: refuses(gateway)), "a draining gateway accepts clients"
        time.sleep(0.1)
        equal(late.ask("/echo/z").get("connection"), "close")  # there is a second for that
        assert idle.is_closed()
        begun.send("Host: a\r\n\r\n")
        for c, body in ((begun, b"y"), (busy, b"slow")):
            response = Response(c)
            equal((response.body, response.get("connection")), (body, "close"))
        code, said = gateway.finish()
        equal(code, 0)
        assert "requests=5 refused=0" in said, said


def test_drain_under_load_fails_no_request(b):
    """Clients that ask without a pause are told to close, each in the answer to a request."""
    answered, failed, asking = [], [], threading.Barrier(9)

    def ask(gateway):
        with gateway.client() as c:
            for i in range(1000000):
                try:
                    response = c.ask(f"/echo/{i}")
                    assert response.status == 200 and response.body == b"%d" % i
                except (OSError, EOFError, AssertionError) as why:
                    failed.append(repr(why))
                    break
                if i == 20:
                    asking.wait()
                if response.get("connection") == "close":
                    answered.append(i + 1)
                    break

    with b.special() as gateway:
        threads = [threading.Thread(target=ask, args=(gateway,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        asking.wait()
        gateway.terminate()
        for thread in threads:
            thread.join()
        code, said = gateway.finish()
    equal((code, failed, len(answered)), (0, [], 8))
    assert f"requests={sum(answered)} refused=0 retries=0 cut=0" in said, said


def test_drain_ends_at_its_deadline(b):
    with b.special("--drain-timeout", "0.3", "--max-upstream", "1") as gateway:
        clients = [gateway.client() for _ in range(3)]
        for c in clients:
            c.send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.2)
        begun = time.monotonic()
        gateway.terminate()
        code, said = gateway.finish()
        equal(code, 1)
        assert "cut=3" in said and time.monotonic() - begun < 3, said
        for c in clients:
            c.sock.close()


def test_nothing_is_left_behind(b):
    """After all the tests that share a gateway, only idle connections to the upstream are open, and
    only what serves this client is out of the pools."""

    def value(name):
        return int(re.search(rf"^pool_{name}{{[^}}]*}} (\d+)$", text, re.M).group(1))

    def settled():
        nonlocal text
        with b.client() as c:
            text = c.ask("/_pool").body.decode()
        own = 6 + value("conns_idle")  # standard streams, epoll, listener, signals
        return (b.gateway.open_files() <= own and value("conns_in_use") == 0 and
                value("objects_out") == 1 and value("buffers_out") == 2)

    text = ""
    assert eventually(settled), text


if __name__ == "__main__":
    main(globals())
