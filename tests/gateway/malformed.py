# SPDX-License-Identifier: Apache-2.0
"""Raw bytes that the gateway must not pass on."""


def _get(fields):
    return b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n\r\n"


# (status, request)
REFUSED = [(400, request) for request in (
    # the request line
    b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /\r\n\r\n",
    b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / x HTTP/1.1\r\nHost: a\r\n\r\n",
    b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    b"GET / http/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.\r\nHost: a\r\n\r\n",
    b"GET / HTTP/11\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1x\r\nHost: a\r\n\r\n",
    b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /\t HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET relative HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://user@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n",
    # line ends
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET / HTTP/1.1\r\nHost: a\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    _get(b"X: a\rb"),
    _get(b"X: a\r\rb: c"),
    # fields
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    _get(b"X: a\r\n folded"),
    _get(b"X: a\r\n\tfolded"),
    _get(b"X : a"),
    _get(b"X\t: a"),
    _get(b": a"),
    _get(b"no colon"),
    _get(b"X(: a"),
    _get(b"X\x00: a"),
    _get(b"X: a\x00b"),
    _get(b"X: a\x01b"),
    _get(b"X: a\x7fb"),
    # the length of the body
    _get(b"Content-Length: "),
    _get(b"Content-Length: x"),
    _get(b"Content-Length: -1"),
    _get(b"Content-Length: +1"),
    _get(b"Content-Length: 0x1"),
    _get(b"Content-Length: 1 1"),
    _get(b"Content-Length: 1,1"),
    _get(b"Content-Length: 1.0"),
    _get(b"Content-Length: 99999999999999999999"),
    _get(b"Content-Length: 1\r\nContent-Length: 2"),
    _get(b"Content-Length: 0\r\ncontent-length: 0"),
    _get(b"Content-Length: 5\r\nTransfer-Encoding: chunked"),
    _get(b"Transfer-Encoding: chunked\r\nContent-Length: 5"),
    _get(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    _get(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
    _get(b"Transfer-Encoding : chunked"),
    _get(b"Transfer-Encoding:\x0bchunked"),
    _get(b"X: a\r\n Transfer-Encoding: chunked"),
    b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
)] + [
    (501, _get(b"Transfer-Encoding: gzip")),
    (501, _get(b"Transfer-Encoding: gzip, chunked")),
    (501, _get(b"Transfer-Encoding: chunked, identity")),
    (501, _get(b"Transfer-Encoding: xchunked")),
    (501, _get(b"Transfer-Encoding: \"chunked\"")),
    (501, _get(b"Transfer-Encoding: ")),
    (501, b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (505, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    (505, b"GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
]

TOO_LONG = [
    (431, b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    (431, _get(b"X: " + b"a" * 16384)),
    (431, _get(b"\r\n".join(b"X%d: %s" % (i, b"a" * 300) for i in range(60)))),
    (431, _get(b"\r\n".join(b"X%d: a" % i for i in range(100)))),
]

BAD_CHUNKS = [
    b"\r\n", b"g\r\n", b"-1\r\n", b"+1\r\n", b"0x1\r\na\r\n", b" 1\r\na\r\n", b"1 \r\na\r\n",
    b"1\na\r\n", b"1\r\nab\r\n", b"1\r\na\n0\r\n\r\n", b"1\r\na0\r\n\r\n", b"1;\nx\r\n",
    b"1;a\rb\r\n", b"1\rx\r\n", b"fffffffffffffffff\r\n", b"0000000000000000\r\n", b"0\r\n\n",
    b"0\r\nA: b\n\r\n", b"0\r\nA: b\rc\r\n\r\n", b"0\r\n" + b"A: b\r\n" * 5000,
    b"1;" + b"a" * 20000,
]

BAD_RESPONSES = [
    b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1000 + b"\x01\r\n\r\n",
]
