# SPDX-License-Identifier: Apache-2.0
"""Real servers for tests: each a process of its own with a port and a folder of its own.

    with Redis() as redis:
        ... redis.address ...
        redis.kill()
        redis.start()  # on the same port

Nothing of the system's own services is used or touched. A server listens on 127.0.0.1 only, writes
into a folder that is removed in the end, and runs as somebody else where it refuses to be root.
"""
from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from glob import glob

WAIT = 10.0  # seconds that any single step may take


class Skip(Exception):
    """The test cannot run here."""


def eventually(condition: Callable[[], bool], seconds: float = WAIT) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def free_port() -> int:
    """One that the system does not hand out of its own accord while the server is down."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        first = int(f.read().split()[0])
    while True:
        port = random.randrange(max(1024, first - 20000), first) if first > 2048 else 0
        try:
            with socket.create_server(("127.0.0.1", port)) as s:
                return s.getsockname()[1]
        except OSError:
            pass


def find_program(name: str) -> str:
    """Where it is, in the folders of Debian that are not on everybody's path too."""
    versions = sorted(glob("/usr/lib/postgresql/*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", *versions])
    found = shutil.which(name, path=path)
    if found is None:
        raise Skip(f"{name} is not installed")
    return found


def login(*names: str) -> str | None:
    """Root has to be somebody else: the first of these that there is. Others stay who they are."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in names if name in known)


class Server:
    """One server process; subclasses say how it is set up, started, and asked if it is ready."""

    user: str | None = None

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="libpool-")
        self.root = self.folder.name
        os.chmod(self.root, 0o755)
        if self.user is not None:
            shutil.chown(self.root, self.user)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.set_up()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def set_up(self) -> None:
        pass

    def command(self) -> list[str]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.kill()
        self.folder.cleanup()

    def start(self) -> None:
        with open(f"{self.root}/log", "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.root, user=self.user, start_new_session=True)
        if not eventually(lambda: self.process.poll() is not None or self.is_ready(), 3 * WAIT):
            raise AssertionError(f"{self.process.args[0]} does not answer: {self.log()}")
        if self.process.poll() is not None:
            raise AssertionError(f"{self.process.args[0]} ended: {self.log()}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """All at once, its children included, without a word to anyone."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.signal(signal.SIGSTOP)  # so that it has no more children
        family = [self.process.pid, *descendants(self.process.pid)]
        for pid in family:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(WAIT)
        assert eventually(lambda: not set(family) & {pid for pid, _ in processes()})
        self.process = None

    def log(self) -> str:
        with open(f"{self.root}/log", encoding="utf-8", errors="replace") as f:
            return f.read()


def processes() -> list[tuple[int, int]]:
    """Those that are more than an entry nobody has waited for: each with its parent."""
    found = []
    for name in glob("/proc/[0-9]*/stat"):
        try:
            with open(name, encoding="utf-8", errors="replace") as f:
                state, parent = f.read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state not in "ZX":
            found.append((int(name.split("/")[2]), int(parent)))
    return found


def descendants(ancestor: int) -> list[int]:
    known = processes()
    found = [ancestor]
    for each in found:  # which grows meanwhile
        found += [pid for pid, parent in known if parent == each]
    return found[1:]


class Postgres(Server):
    """User and database are both `postgres`; there is no password."""

    user = login("postgres", "nobody")

    @property
    def address(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"

    def set_up(self) -> None:
        self.server = find_program("postgres")
        self.asker = find_program("pg_isready")
        done = subprocess.run(
            [find_program("initdb"), "-D", f"{self.root}/data", "-U", "postgres", "--auth=trust",
             "--no-sync", "--no-locale", "--encoding=UTF8"],
            cwd=self.root, user=self.user, capture_output=True, timeout=6 * WAIT, check=False)
        assert done.returncode == 0, done.stderr.decode()

    def command(self) -> list[str]:
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "fsync": "off",
                    "unix_socket_directories": self.root, "shared_buffers": "16MB",
                    "max_connections": 40, "autovacuum": "off"}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [self.server, "-D", f"{self.root}/data", *options]

    def is_ready(self) -> bool:
        return subprocess.run([self.asker, "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U",
                               "postgres"], timeout=WAIT, check=False).returncode == 0


class Redis(Server):
    def set_up(self) -> None:
        self.server = find_program("redis-server")

    def command(self) -> list[str]:
        return [self.server, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "",
                "--appendonly", "no", "--dir", self.root]

    def is_ready(self) -> bool:
        return ask(self.port, b"PING\r\n", b"\n") == b"+PONG\r\n"


class Memcached(Server):
    def set_up(self) -> None:
        self.server = find_program("memcached")

    def command(self) -> list[str]:
        user = login("nobody")
        return [self.server, "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-t", "1",
                "-m", "16", *(["-u", user] if user else [])]

    def is_ready(self) -> bool:
        return ask(self.port, b"version\r\n", b"\n").startswith(b"VERSION")

    def stats(self) -> dict[str, int]:
        lines = ask(self.port, b"stats\r\n", b"END\r\n").decode().splitlines()[:-1]
        pairs = [line.split(" ")[1:] for line in lines]
        return {name: int(value) for name, value in pairs if value.isdigit()}


NGINX = """
daemon off; master_process on; worker_processes 2; pid {root}/nginx.pid; error_log {root}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi; uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
    keepalive_requests {requests};
    server {{ listen 127.0.0.1:{port}; root {root}/files; }}
}}
"""


class Nginx(Server):
    """Serves /100, /20000 and /300000, files of so many bytes; closes a connection after
    `requests` of them."""

    def __init__(self, requests: int = 500) -> None:
        self.requests = requests
        super().__init__()

    def set_up(self) -> None:
        self.server = find_program("nginx")
        os.mkdir(f"{self.root}/files")
        for size in (100, 20000, 300000):
            with open(f"{self.root}/files/{size}", "w", encoding="ascii") as f:
                f.write("n" * size)
        with open(f"{self.root}/nginx.conf", "w", encoding="ascii") as f:
            f.write(NGINX.format(root=self.root, port=self.port, requests=self.requests))

    def command(self) -> list[str]:
        return [self.server, "-p", self.root, "-e", f"{self.root}/error.log", "-c",
                f"{self.root}/nginx.conf"]

    def reload(self) -> None:
        """New workers take over; the old ones finish what they have begun and close the rest."""
        self.signal(signal.SIGHUP)

    def stop(self) -> None:
        """Finish what was begun, then end."""
        self.signal(signal.SIGQUIT)
        self.process.wait(WAIT)


def make_certificate(root: str) -> None:
    """{root}/cert.pem and {root}/key.pem: localhost, signed by itself."""
    done = subprocess.run(
        [find_program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", f"{root}/key.pem", "-out",
         f"{root}/cert.pem"], capture_output=True, timeout=WAIT, check=False)
    assert done.returncode == 0, done.stderr.decode()


class OpensslServer(Server):
    """`openssl s_server -rev`: answers every line with its letters in reverse order, one connection
    at a time."""

    def set_up(self) -> None:
        make_certificate(self.root)
        self.certificate = f"{self.root}/cert.pem"

    @property
    def address(self) -> str:
        """By name, as the certificate has it."""
        return f"localhost:{self.port}"

    def command(self) -> list[str]:
        return [find_program("openssl"), "s_server", "-accept", f"127.0.0.1:{self.port}", "-cert",
                self.certificate, "-key", f"{self.root}/key.pem", "-rev", "-quiet"]


class TlsServer:
    """The same on threads of this process, and for many connections at once. Each of them ends, by
    the rules of TLS, after so many lines."""

    def __init__(self, lines: int) -> None:
        self.lines = lines
        self.connections = 0
        self.told = 0  # connections whose end the client announced
        self.folder = tempfile.TemporaryDirectory(prefix="libpool-")
        make_certificate(self.folder.name)
        self.certificate = f"{self.folder.name}/cert.pem"
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, f"{self.folder.name}/key.pem")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"localhost:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> TlsServer:
        return self

    def __exit__(self, *_) -> None:
        self.folder.cleanup()

    def _accept(self) -> None:
        while True:
            sock, _ = self.listener.accept()
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        raw.settimeout(6 * WAIT)
        try:
            with self.context.wrap_socket(raw, server_side=True,
                                          suppress_ragged_eofs=False) as sock:
                for _ in range(self.lines):
                    line = b""
                    while not line.endswith(b"\n"):
                        piece = sock.recv(4096)
                        if not piece:
                            self.told += 1
                            return
                        line += piece
                    sock.sendall(line[-2::-1] + b"\n")
                sock.unwrap()
        except OSError:  # those of TLS are too
            pass


def ask(port: int, question: bytes, end: bytes) -> bytes:
    """What a server of lines answers; b"" if there is none."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as sock:
            sock.sendall(question)
            answer = b""
            while not answer.endswith(end):
                piece = sock.recv(65536)
                if not piece:
                    return b""
                answer += piece
            return answer
    except OSError:
        return b""


SERVERS = {"postgres": Postgres, "redis": Redis, "memcached": Memcached, "nginx": Nginx}
