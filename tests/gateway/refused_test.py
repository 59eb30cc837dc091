#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the gateway must not pass on: malformed requests, chunks and responses."""
from harness import Response
from malformed import BAD_CHUNKS, BAD_RESPONSES, REFUSED, TOO_LONG
from runner import equal, main


def test_malformed_requests_are_refused_and_never_forwarded(b):
    before = len(b.origin.seen)
    for status, request in REFUSED + TOO_LONG:
        with b.client() as c:
            c.send(request)
            equal(Response(c).status, status, request[:100])
            assert c.is_closed(), f"{request[:100]!r}: the connection stays open"
    equal(len(b.origin.seen), before)


def test_malformed_chunks_are_refused(b):
    for chunks in BAD_CHUNKS:
        with b.client() as c:
            c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
            equal(Response(c).status, 400, chunks)
            assert c.is_closed()


def test_malformed_responses_become_502(b):
    for response in BAD_RESPONSES:
        with b.client() as c:
            equal(c.ask("/raw/" + response.hex()).status, 502, response)
            equal(c.ask("/echo/next").body, b"next", response)  # the client may go on


def test_smuggled_request_is_not_seen_by_the_origin(b):
    inner = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    for fields in (b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
                   b"Content-Length: 0\r\nContent-Length: 99\r\n",
                   b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding:\x0bchunked\r\n",
                   b"Connection: Content-Length\r\nContent-Length: %d\r\n" % len(inner)):
        with b.client() as c:
            c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n" + inner)
            c.sock.shutdown(1)
            c.rest()
    assert not [path for _, path, _, _ in b.origin.seen if path == "/smuggled"]


if __name__ == "__main__":
    main(globals())
