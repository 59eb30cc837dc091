# SPDX-License-Identifier: Apache-2.0
"""What the gateway's tests stand on: the gateway as a process, a scripted origin, a raw client.

Everything listens on 127.0.0.1, on ports that the system chooses, and every wait has an end.
"""
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.append(os.path.join(os.path.dirname(__file__), "..", "servers"))
from servers import WAIT, Nginx, Skip, eventually  # noqa: E402,F401 for the tests, too


class Reader:
    """Reads a socket by lines and by counts."""

    def __init__(self, sock):
        self.sock = sock
        self.data = b""

    def more(self):
        piece = self.sock.recv(65536)
        self.data += piece
        return bool(piece)

    def until(self, mark):
        while mark not in self.data:
            if not self.more():
                raise EOFError(f"closed after {self.data[:200]!r}")
        part, _, self.data = self.data.partition(mark)
        return part

    def exactly(self, count):
        while len(self.data) < count:
            if not self.more():
                raise EOFError(f"closed {count - len(self.data)} bytes early")
        part, self.data = self.data[:count], self.data[count:]
        return part

    def rest(self):
        try:
            while self.more():
                pass
        except ConnectionResetError:
            pass
        part, self.data = self.data, b""
        return part

    def head(self):
        first, *lines = self.until(b"\r\n\r\n").split(b"\r\n")
        fields = [line.split(b": ", 1) for line in lines]
        return first, [(name.lower().decode(), value.decode()) for name, value in fields]

    def chunked(self):
        body = b""
        while True:
            size = int(self.until(b"\r\n"), 16)
            if size == 0:
                trailer = self.until(b"\r\n")
                assert trailer == b"", f"a trailer was passed on: {trailer!r}"
                return body
            body += self.exactly(size)
            assert self.exactly(2) == b"\r\n"


class Response:
    def __init__(self, reader, method="GET"):
        first, self.fields = reader.head()
        self.version, status, *_ = first.split(b" ", 2)
        self.status = int(status)
        self.body = b""
        if method == "HEAD" or self.status < 200 or self.status in (204, 304):
            return
        if self.get("transfer-encoding") == "chunked":
            self.body = reader.chunked()
        elif self.get("content-length") is not None:
            self.body = reader.exactly(int(self.get("content-length")))
        else:
            self.body = reader.rest()

    def get(self, name):
        values = [value for field, value in self.fields if field == name]
        return ", ".join(values) if values else None


class Client(Reader):
    """A connection to the gateway; sends whatever bytes it is told to."""

    def __init__(self, port):
        sock = socket.create_connection(("127.0.0.1", port), WAIT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def ask(self, path, method="GET", fields="", body=b"", version="1.1"):
        head = f"{method} {path} HTTP/{version}\r\nHost: test\r\n{fields}\r\n"
        self.send(head.encode() + body)
        return Response(self, method)

    def is_closed(self):
        """Waits for the end of the stream; False if there are bytes instead."""
        try:
            return self.data == b"" and self.sock.recv(1) == b""
        except ConnectionResetError:
            return True


class Origin:
    """An upstream whose answer is chosen by the path. Keeps every request it has seen."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.seen = []  # (method, path, fields, body)
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            sock, _ = self.listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        sock.settimeout(60)
        reader = Reader(sock)
        with sock:
            try:
                while self._answer(sock, reader):
                    pass
            except (EOFError, OSError):
                pass

    def _answer(self, sock, reader):
        first, fields = reader.head()
        method, path, _ = first.decode().split(" ")
        if path == "/refuse-upload":
            sock.sendall(b"HTTP/1.1 413 No\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
            sock.shutdown(socket.SHUT_WR)
            reader.rest()
            return False
        values = dict(fields)
        body = b""
        if values.get("transfer-encoding") == "chunked":
            body = reader.chunked()
        elif "content-length" in values:
            body = reader.exactly(int(values["content-length"]))
        self.seen.append((method, path, fields, body))
        name, _, argument = path.strip("/").partition("/")
        answer = getattr(self, "_" + name.replace("-", "_"), self._echo)
        return answer(sock, reader, argument, method, body) is not False

    @staticmethod
    def _send(sock, body, fields=b"", status=b"200 OK"):
        sock.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" %
                     (status, len(body), fields, body))

    def _echo(self, sock, _reader, argument, method, body):
        self._send(sock, b"" if method == "HEAD" else body or argument.encode())

    def _bytes(self, sock, _reader, argument, *_):
        self._send(sock, b"b" * int(argument))

    def _head(self, sock, *_):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")

    def _status(self, sock, _reader, argument, *_):
        sock.sendall(b"HTTP/1.1 %s x\r\n%s\r\n" %
                     (argument.encode(), b"ETag: 1\r\n" if argument == "304" else b""))

    def _chunked(self, sock, *_):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
        for piece in (b"5;a=b\r\nhello", b"\r", b"\n1", b"\r\n,\r\n", b"06\r\n world\r\n0\r\nX-Sum:",
                      b" 1\r\n\r\n"):
            time.sleep(0.02)
            sock.sendall(piece)

    def _bad_chunk(self, sock, *_):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n")

    def _until_close(self, sock, *_):
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nto the")
        time.sleep(0.05)
        sock.sendall(b" very end")
        return False

    def _cut(self, sock, *_):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot a hundred")
        return False

    def _fields(self, sock, *_):
        self._send(sock, b"x", b"Connection: keep-alive, X-Private\r\nX-Private: 1\r\n"
                   b"Keep-Alive: timeout=5\r\nUpgrade: h2c\r\nX-Public: 2\r\n")

    def _hints(self, sock, *_):
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        self._send(sock, b"final")

    def _garbage(self, sock, *_):
        sock.sendall(b"SSH-2.0-something else\r\n\r\n")

    def _raw(self, sock, _reader, argument, *_):
        sock.sendall(bytes.fromhex(argument))

    def _extra(self, sock, *_):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\nContent-")
        time.sleep(0.05)
        sock.sendall(b"Length: 6\r\n\r\npoison")

    def _silent(self, _sock, reader, *_):
        reader.rest()

    def _slow(self, sock, _reader, argument, *_):
        time.sleep(float(argument))
        self._send(sock, b"slow")

    def _stale(self, sock, reader, *_):
        """Answers once, and drops the connection without a word when the next request comes."""
        self._send(sock, b"fresh")
        reader.more()
        return False


class Gateway:
    def __init__(self, path, upstream, *options, **more):
        """`upstream` is a port; `more` is for Popen."""
        self.process = subprocess.Popen(
            [path, "--listen", "127.0.0.1:0", "--upstream", f"127.0.0.1:{upstream}", *options],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, **more)
        line = self.process.stderr.readline().decode()
        found = re.search(r"port (\d+)$", line.strip())
        assert found, f"the gateway did not start: {line!r}"
        self.port = int(found.group(1))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT)
        self.process.stderr.close()

    def client(self):
        return Client(self.port)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def finish(self):
        """Waits for the end: exit code and what it said on stderr."""
        said = self.process.communicate(timeout=WAIT)[1].decode()
        return self.process.returncode, said

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))
