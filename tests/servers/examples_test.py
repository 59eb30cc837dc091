#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The programs of examples/conns, each against the server that it is written for.

    examples_test.py NAME PROGRAM

NAME is that of a function test_NAME here, PROGRAM the example.
"""
from __future__ import annotations

import re
import subprocess
import sys

from servers import (WAIT, Memcached, Nginx, OpensslServer, Postgres, Redis, Skip, TlsServer, ask,
                     eventually, free_port)


def run(*command: str) -> tuple[int, str]:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=6 * WAIT, check=False)
    assert "Sanitizer" not in done.stdout, done.stdout
    return done.returncode, done.stdout


def numbers(expected: str, *command: str) -> list[int]:
    """Run it; what it prints is `expected`, with a number for each N. Those are returned."""
    code, text = run(*command)
    found = re.fullmatch(re.escape(expected).replace("N", r"(\d+)") + "\n", text)
    assert code == 0 and found, f"{code}: {text}"
    return [int(group) for group in found.groups()]


def equal(actual: object, expected: object) -> None:
    assert actual == expected, f"{actual!r} is not {expected!r}"


def fails(why: str, *command: str) -> None:
    code, text = run(*command)
    assert code == 1 and why in text, f"{code}: {text}"


def test_postgres(example: str) -> None:
    with Postgres() as server:
        sessions, = numbers("1000 queries over N sessions", example, server.address)
        assert 1 <= sessions <= 4, sessions
        server.kill()
        fails("Connection refused", example, server.address)


def test_redis(example: str) -> None:
    with Redis() as server:
        connections, = numbers("1000 items over N connections", example, server.address)
        assert 1 <= connections <= 4, connections
        equal(ask(server.port, b"GET libpool:7\r\n", b"7\r\n"), b"$1\r\n7\r\n")
        server.kill()
        fails("Connection refused", example, server.address)


def test_memcached(example: str) -> None:
    with Memcached() as one, Memcached() as two:
        before = [server.stats()["total_connections"] for server in (one, two)]
        numbers("1000 stored and 1000 found on 2 servers, 3 connections, 1 of them given up",
                example, one.address, two.address)
        stats = [server.stats() for server in (one, two)]
        made = [now["total_connections"] - then for now, then in zip(stats, before)]
        equal(sorted(made), [2, 3])  # and the one that asks
        assert min(now["curr_items"] for now in stats) > 300, stats
        two.kill()
        fails("on 2 servers", example, one.address, two.address)


def test_http(example: str) -> None:
    with Nginx(requests=100) as server:
        for path in ("/100", "/300000"):
            connections, = numbers("1000 requests over N connections", example, server.address,
                                   path)
            assert 10 <= connections <= 14, connections  # 100 each, and four threads
        fails("request 0 failed", example, server.address, "/none")
        server.kill()
        fails("Connection refused", example, server.address, "/100")


def test_tls(example: str) -> None:
    with OpensslServer() as server:
        numbers("100 lines over 1 connections", example, server.address, server.certificate)
    # Ends that the server announces while a connection is idle are seen.
    with TlsServer(lines=30) as server:
        numbers("100 lines over 4 connections", example, server.address, server.certificate)
        equal(server.connections, 4)
        assert eventually(lambda: server.told == 1), "the last connection ended without a word"
        with TlsServer(lines=30) as stranger:  # has a certificate of its own
            fails("certificate verify failed", example, stranger.address, server.certificate)
        fails("the dial callback failed", example, f"localhost:{free_port()}", server.certificate)


def main() -> int:
    name, example = sys.argv[1:]
    try:
        globals()[f"test_{name}"](example)
    except Skip as why:
        print(f"skipped: {why}")
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main())
