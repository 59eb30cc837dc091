#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the gateway passes on: requests, responses, their bodies and fields."""
import time

from harness import Response
from runner import equal, main


def test_pipelined_requests_are_answered_in_order(b):
    with b.client() as c:
        c.send("".join(f"GET /echo/{i} HTTP/1.1\r\nHost: a\r\n\r\n" for i in range(50)))
        equal([Response(c).body for _ in range(50)], [b"%d" % i for i in range(50)])


def test_pipelined_bodies_do_not_run_into_each_other(b):
    with b.client() as c:
        for i in range(10):
            c.send(f"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{i:03}"
                   "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                   f"2\r\na{i}\r\n1;x=\"y\"\r\n!\r\n0\r\nTrailer: 1\r\n\r\n\r\n")
        for i in range(10):
            equal((Response(c).body, Response(c).body), (b"%03d" % i, b"a%d!" % i))


def test_request_may_arrive_in_single_bytes(b):
    request = (b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"a\r\n0123456789\r\n00B\r\nhello world\r\n0\r\n\r\n")
    with b.client() as c:
        for i in range(len(request)):
            c.send(request[i:i + 1])
            time.sleep(0.001)
        equal(Response(c).body, b"0123456789hello world")


def test_large_bodies_both_ways(b):
    body = bytes(range(256)) * 4096  # 1 MiB
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 7001]), body[i:i + 7001])
                      for i in range(0, len(body), 7001)) + b"0\r\n\r\n"
    with b.client() as c:
        equal(c.ask("/echo", "POST", f"Content-Length: {len(body)}\r\n", body).body == body, True)
        equal(c.ask("/echo", "PUT", "Transfer-Encoding: chunked\r\n", chunks).body == body, True)


def test_chunked_response_is_framed_anew(b):
    with b.client() as c:
        response = c.ask("/chunked")
        equal(response.body, b"hello, world")
        equal(response.get("trailer"), None)
        equal(c.ask("/echo/next").body, b"next")


def test_broken_response_body_ends_the_connection(b):
    for path in ("/bad-chunk", "/cut"):
        with b.client() as c:
            try:
                raise AssertionError(f"{path}: {c.ask(path).body!r} passed for complete")
            except (EOFError, ConnectionResetError):
                pass
    with b.client() as c:
        c.send("GET /bad-chunk HTTP/1.0\r\n\r\n")
        try:
            while c.sock.recv(65536):
                pass
            raise AssertionError("a half of a body passed for a whole one")
        except ConnectionResetError:
            pass


def test_response_until_close_keeps_the_client(b):
    with b.client() as c:
        response = c.ask("/until-close")
        equal((response.get("transfer-encoding"), response.body), ("chunked", b"to the very end"))
        equal(c.ask("/echo/next").body, b"next")


def test_responses_without_a_body(b):
    with b.client() as c:
        equal(c.ask("/head", "HEAD").get("content-length"), "1234")
        equal(c.ask("/status/204").get("content-length"), None)
        equal(c.ask("/status/304").get("etag"), "1")
        equal(c.ask("/echo/next").body, b"next")


def test_connections_are_kept_on_both_sides(b):
    with b.special() as gateway, gateway.client() as c:
        before = b.origin.connections
        for i in range(20):
            equal(c.ask(f"/echo/{i}").body, b"%d" % i)
        equal(b.origin.connections - before, 1)


def test_connection_close_closes(b):
    with b.client() as c:
        equal(c.ask("/echo/x", fields="Connection: Close\r\n").get("connection"), "close")
        assert c.is_closed()


def test_http_1_0(b):
    with b.client() as c:
        equal(c.ask("/echo/x", version="1.0").body, b"x")
        assert c.is_closed()
    with b.client() as c:
        response = c.ask("/chunked", fields="Connection: keep-alive\r\n", version="1.0")
        equal((response.body, response.get("transfer-encoding")), (b"hello, world", None))
    with b.client() as c:
        c.send("GET /echo/hostless HTTP/1.0\r\n\r\n")
        equal(Response(c).body, b"hostless")
        equal(dict(b.origin.seen[-1][2])["host"], f"127.0.0.1:{b.origin.port}")


def test_expect_100_continue(b):
    with b.client() as c:
        c.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        equal(Response(c).status, 100)
        c.send("ok")
        equal(Response(c).body, b"ok")
        assert "expect" not in dict(b.origin.seen[-1][2])


def test_interim_responses_are_passed_on(b):
    with b.client() as c:
        hints = c.ask("/hints")
        equal((hints.status, hints.get("link")), (103, "</a>"))
        equal(Response(c).body, b"final")
        equal(c.ask("/hints", fields="Connection: keep-alive\r\n", version="1.0").body, b"final")


def test_early_answer_reaches_a_client_that_still_sends(b):
    for framing in ("Content-Length: 50000000\r\n", "Transfer-Encoding: chunked\r\n"):
        with b.client() as c:
            c.send(f"POST /refuse-upload HTTP/1.1\r\nHost: a\r\n{framing}\r\n")
            response = Response(c)
            equal((response.status, response.body), (413, b"big"))
            equal(response.get("connection"), "close")
            for _ in range(3):  # what it still sends is read for a while: no reset
                c.send(b"x" * 1000)
                time.sleep(0.02)


def test_fields_of_one_hop_are_removed(b):
    with b.client() as c:
        response = c.ask("/fields", fields="Connection: X-Mine, keep-alive, host\r\nX-Mine: 1\r\n"
                         "Keep-Alive: 3\r\nProxy-Connection: a\r\nTE: trailers\r\nUpgrade: h2c\r\n"
                         "X-Kept: 4 \r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n")
        names = {name for name, _ in response.fields}
        equal(names, {"content-length", "x-public"})
        fields = b.origin.seen[-1][2]
        equal({name for name, _ in fields}, {"host", "x-kept", "x-forwarded-for", "via"})
        equal(dict(fields)["host"], "test")
        equal([value for name, value in fields if name == "x-forwarded-for"],
              ["192.0.2.1", "192.0.2.2", "127.0.0.1"])


def test_absolute_form_overrides_host(b):
    with b.client() as c:
        equal(c.ask("http://other:81/echo/x?y").status, 200)
        _, path, fields, _ = b.origin.seen[-1]
        equal((path, dict(fields)["host"]), ("/echo/x?y", "other:81"))


if __name__ == "__main__":
    main(globals())
