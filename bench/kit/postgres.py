# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of one's own, on a Unix socket in a temporary folder."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from kit import builder
from kit.process import Unavailable

USER = "postgres"  # whom it runs as if this is root, who may not
PATIENCE = 30  # seconds until it must be ready

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "60",
    "fsync": "off",
    "autovacuum": "off",
    "jit": "off",
}


def _programs() -> Path:
    """The folder of initdb and postgres: Debian has one for each version, and none in PATH."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    folders = [program.parent for program in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not folders:
        raise Unavailable("there is no initdb")
    return max(folders, key=lambda folder: float(folder.parent.name))


def _as_user(*more: str) -> list[str]:
    """What to put before a command that root may not run."""
    return ["setpriv", *more, f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--"]


def start() -> dict[str, str]:
    """Start a server that ends with this process. Returns the environment in which clients find it.
    Raises Unavailable."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="pool-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    initdb = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", USER, "-A", "trust", "-N"]
    server = [str(programs / "postgres"), "-D", str(folder / "data"), "-k", str(folder)]
    for key, value in SETTINGS.items():
        server += ["-c", f"{key}={value}"]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            raise Unavailable("it may not run as root, and setpriv is missing")
        try:
            shutil.chown(folder, USER)
        except LookupError as problem:
            raise Unavailable(str(problem)) from problem
        initdb = _as_user() + initdb
        server = _as_user("--pdeathsig", "INT") + server
    environment = {"PGHOST": str(folder), "PGUSER": USER, "PGDATABASE": "postgres"}
    builder.build(initdb, folder)
    with open(folder / "log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(server, cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log)
    atexit.register(_stop, process)
    _wait_until_ready(process, [str(programs / "pg_isready"), "-q"], environment)
    return environment


def _wait_until_ready(process: subprocess.Popen, ask: list[str], environment: dict) -> None:
    until = time.monotonic() + PATIENCE
    while subprocess.run(ask, env=os.environ | environment, check=False).returncode != 0:
        if process.poll() is not None or time.monotonic() > until:
            raise Unavailable("the server did not start")
        time.sleep(0.05)


def _stop(process: subprocess.Popen) -> None:
    process.send_signal(2)  # fast shutdown
    process.wait()
