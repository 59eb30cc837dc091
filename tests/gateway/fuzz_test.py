#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mutated requests and responses, in pieces of any size. The gateway survives, and answers only what
it has understood: whatever the bytes, a client sees well-formed responses or an end."""
import os
import random
import threading

from harness import Origin, Response
from malformed import BAD_RESPONSES, REFUSED
from runner import equal, main

REQUESTS = [request for _, request in REFUSED] + 12 * [
    b"GET /x HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n" * 3,
    b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;a=b\r\nhello\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\nGET /y HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://a:1/x?y HTTP/1.1\r\nHost: a\r\nConnection: x, y\r\nX: 1\r\n\r\n" * 3,
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n0123456789",
]
RESPONSES = BAD_RESPONSES + 8 * [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
    b"5;a=b\r\nhello\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: a, b,,close\r\n\r\nhello",
    b"HTTP/1.1 103 E\r\nL: a\r\n\r\nHTTP/1.1 204 x\r\nETag: 1\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nbody",
]
INSERTS = [b"\r\n", b"\n", b" ", b"0", b",", b":", b"\r\n\r\n", b"A" * 10, b"A" * 300, b"A" * 17000]


def mutate(chance, data):
    data = bytearray(data)
    for _ in range(chance.choice([0, 0, 0, 1, 1, 2, 4])):
        at, kind = chance.randrange(len(data) + 1), chance.random()
        if kind < 0.3:
            data[at:at + 1] = bytes([chance.choice(b"\r\n :;,0\x00\xffA\t")])
        elif kind < 0.5:
            del data[at:at + chance.randrange(1, 5)]
        elif kind < 0.7:
            data[at:at] = chance.choice(INSERTS)
        elif kind < 0.85:
            data[at:at] = data[chance.randrange(len(data) + 1):][:40]
        else:
            del data[at:]
    return bytes(data)


def pieces(chance, data):
    while data:
        length = chance.choice([1, 5, 50, 99999])
        yield data[:length]
        data = data[length:]


class Madman(Origin):
    """Answers anything with anything."""

    def _answer(self, sock, reader):
        if not reader.more():
            return False
        chance = random.Random(reader.data)
        reader.data = b""
        for piece in pieces(chance, mutate(chance, chance.choice(RESPONSES))):
            sock.sendall(piece)
        return chance.random() < 0.7


def converse(gateway, chance, statuses):
    with gateway.client() as c:
        c.sock.settimeout(1)
        try:
            for piece in pieces(chance, mutate(chance, chance.choice(REQUESTS))):
                c.send(piece)
            if chance.random() < 0.7:
                c.sock.shutdown(1)
            while chance.random() < 0.9:
                statuses.append(Response(c).status)
        except (EOFError, OSError):  # the end: of what the gateway had to say, or of its patience
            pass


def test_mutated_messages_do_no_harm(b):
    origin = Madman()
    seed = int(os.environ.get("GATEWAY_FUZZ_SEED", "1"))
    statuses = []
    with b.special("--client-timeout", "0.2", "--upstream-timeout", "0.2", "--workers", "32",
                   upstream=origin.port) as gateway:

        def run(number):
            chance = random.Random(seed * 1000 + number)
            for _ in range(30):
                converse(gateway, chance, statuses)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with gateway.client() as c:
            c.send("GET /_pool HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            equal(Response(c).status, 200)
        gateway.terminate()
        code, said = gateway.finish()
    equal(code, 0, said)
    assert {200, 400, 502} <= set(statuses), set(statuses)


if __name__ == "__main__":
    main(globals())
