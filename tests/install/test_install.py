# SPDX-License-Identifier: Apache-2.0
"""Consumers of the installed package: pkg-config, CMake, DESTDIR, and the way back out.

    test_install.py --build DIR --build-type TYPE --prefix DIR --work DIR --cmake CMAKE
                    --generator NAME TESTS...
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CONSUMER = HERE / "consumer"
parser = argparse.ArgumentParser()
for option in ("--build", "--prefix", "--work"):
    parser.add_argument(option, type=Path, required=True)
parser.add_argument("--cmake", required=True)
parser.add_argument("--generator", required=True)
parser.add_argument("--build-type", required=True)
parser.add_argument("tests", nargs="*")
options = parser.parse_args()


def run(*command: object, **environment: str) -> str:
    done = subprocess.run([str(part) for part in command], env=os.environ | environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.stdout}")
    return done.stdout


def libdir(prefix: Path) -> Path:
    return next(prefix.rglob("libpool.so")).parent


def pkg_config(prefix: Path, *arguments: str) -> list[str]:
    return run("pkg-config", *arguments, "pool",
               PKG_CONFIG_PATH=str(libdir(prefix) / "pkgconfig")).split()


def fresh(name: str) -> Path:
    folder = options.work / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def configured(name: str, *arguments: str) -> Path:
    """A build folder that needs no building: the libraries that are there already are put into it.
    The manifest of the real one stays as its user left it."""
    build = fresh(name)
    run(options.cmake, "-S", ROOT, "-B", build, "-G", options.generator, "-DPOOL_BUILD_TESTS=OFF",
        "-DPOOL_BUILD_EXAMPLES=OFF", f"-DCMAKE_BUILD_TYPE={options.build_type}", *arguments)
    for library in options.build.glob("libpool.*"):
        shutil.copy2(library, build / library.name, follow_symlinks=False)
    return build


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


class PkgConfig(unittest.TestCase):
    def test_serves_c_and_cxx(self):
        work = fresh("pkg_config")
        flags = pkg_config(options.prefix, "--cflags", "--libs")
        run("cc", "-std=c99", CONSUMER / "main.c", "-o", work / "c", *flags)
        run("c++", "-std=c++20", CONSUMER / "main.cpp", "-o", work / "cxx", *flags)
        for program in ("c", "cxx"):
            self.assertEqual(run(work / program, LD_LIBRARY_PATH=str(libdir(options.prefix))),
                             "served\n")

    def test_asks_users_of_the_shared_library_for_nothing_else(self):
        self.assertEqual(pkg_config(options.prefix, "--libs-only-l", "--libs-only-other"),
                         ["-lpool"])

    def test_static(self):
        work = fresh("static")
        flags = pkg_config(options.prefix, "--cflags", "--libs", "--static")
        flags = ["-l:libpool.a" if flag == "-lpool" else flag for flag in flags]
        run("cc", "-std=c99", CONSUMER / "main.c", "-o", work / "c", *flags)
        self.assertNotIn("libpool", run("readelf", "-d", work / "c"))
        self.assertEqual(run(work / "c"), "served\n")

    def test_the_prefix_can_be_moved(self):
        work = fresh("moved")
        shutil.copytree(options.prefix, work / "elsewhere", symlinks=True)
        flags = pkg_config(work / "elsewhere", "--cflags", "--libs")
        self.check_folders(flags, work / "elsewhere")
        run("cc", "-std=c99", CONSUMER / "main.c", "-o", work / "c", *flags)
        self.assertEqual(run(work / "c", LD_LIBRARY_PATH=str(libdir(work / "elsewhere"))),
                         "served\n")

    def check_folders(self, flags: list[str], prefix: Path):
        folders = [Path(flag[2:]).resolve() for flag in flags if flag[:2] in ("-I", "-L")]
        self.assertEqual(len(folders), 2, flags)
        for folder in folders:
            self.assertTrue(folder.is_relative_to(prefix) and folder.is_dir(), folder)

    def test_multiarch_folders_of_usr(self):
        build = configured("multiarch_build", "-DCMAKE_INSTALL_PREFIX=/usr",
                           "-DCMAKE_INSTALL_LIBDIR=lib/some-linux-gnu")
        stage = fresh("multiarch")
        run(options.cmake, "--install", build, DESTDIR=str(stage))
        self.assertEqual(libdir(stage), stage / "usr/lib/some-linux-gnu")
        self.check_folders(pkg_config(stage, "--cflags", "--libs"), stage / "usr")

    def test_absolute_folders(self):
        # CMake wants no header to be installed into the source tree, where builds may be too.
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        folder = Path(temporary.name).resolve()
        build = configured("absolute_build", f"-DCMAKE_INSTALL_PREFIX={folder / 'prefix'}",
                           f"-DCMAKE_INSTALL_LIBDIR={folder / 'libraries'}",
                           f"-DCMAKE_INSTALL_INCLUDEDIR={folder / 'headers'}")
        run(options.cmake, "--install", build)
        self.check_folders(pkg_config(folder, "--cflags", "--libs"), folder)


EVERY_PROGRAM = ("c_pool", "c_pool_static", "cxx_pool", "cxx_pool_static")


class Consumers(unittest.TestCase):
    def check(self, name: str, programs: tuple[str, ...], *arguments: str):
        work = fresh(name)
        run(options.cmake, "-S", CONSUMER, "-B", work, "-G", options.generator,
            "-DCMAKE_BUILD_TYPE=Debug", *arguments)
        run(options.cmake, "--build", work, "--parallel", 2)
        for program in programs:
            self.assertEqual(run(work / program), "served\n")


class CMakePackage(Consumers):
    def test_is_found(self):
        self.check("package", EVERY_PROGRAM, f"-DCMAKE_PREFIX_PATH={options.prefix}")

    def test_serves_a_project_without_cxx(self):
        self.check("only_c", ("c_pool", "c_pool_static"), "-DLANGUAGES=C",
                   f"-DCMAKE_PREFIX_PATH={options.prefix}")

    def test_is_found_where_it_was_moved_to(self):
        shutil.copytree(options.prefix, fresh("package_moved") / "here", symlinks=True)
        self.check("package_of_moved", ("c_pool",), "-DLANGUAGES=C",
                   f"-DCMAKE_PREFIX_PATH={options.work / 'package_moved/here'}")

    def test_is_not_taken_for_another_version(self):
        for version in ("0.0", "0.2", "1.0"):
            with self.assertRaisesRegex(AssertionError, "considered but not accepted"):
                self.check("other_version", (), f"-DVERSION={version}",
                           f"-DCMAKE_PREFIX_PATH={options.prefix}")


class Subproject(Consumers):
    def test_is_built_along(self):
        self.check("fetched", EVERY_PROGRAM, f"-DPOOL_SOURCE={ROOT}")

    def test_keeps_out_of_the_project_around_it(self):
        build = fresh("around")
        (build / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(around LANGUAGES C CXX)\n"
            "set(POOL_INSTALL ON)\nadd_custom_target(uninstall)\n"
            f"add_subdirectory({ROOT} pool)\n"
            "if(NOT TARGET pool::pool OR NOT TARGET pool::pool_static OR BUILD_TESTING OR\n"
            "   CMAKE_BUILD_TYPE OR CMAKE_CXX_STANDARD)\n"
            "    message(FATAL_ERROR leaked)\nendif()\n", encoding="utf-8")
        run(options.cmake, "-S", build, "-B", build / "build", "-G", options.generator)


class Stage(unittest.TestCase):
    def test_destdir(self):
        build = configured("destdir_build")
        stage = fresh("destdir")
        run(options.cmake, "--install", build, "--prefix", "/opt/pool", DESTDIR=str(stage))
        for header in ("pool.h", "conn_requests.h", "pool.hpp", "hpp/conns.hpp"):
            self.assertIn(f"opt/pool/include/pool/{header}", files(stage))
        self.assertEqual([name for name in files(stage) if not name.startswith("opt/pool/")], [])
        for name in files(stage):
            if name.endswith((".pc", ".cmake")):
                text = (stage / name).read_text(encoding="utf-8")
                self.assertNotIn(str(stage), text, name)
                self.assertNotIn(str(ROOT), text, name)
        run(options.cmake, "--build", build, "--target", "uninstall", DESTDIR=str(stage))
        self.assertEqual(files(stage), [])


class Uninstall(unittest.TestCase):
    def uninstall(self, build: Path):
        run(options.cmake, "--build", build, "--target", "uninstall")

    def test_leaves_nothing_of_its_own(self):
        prefix = fresh("uninstall") / "prefix"
        build = configured("uninstall_build", f"-DCMAKE_INSTALL_PREFIX={prefix}")
        run(options.cmake, "--install", build)
        self.assertEqual(files(prefix), [name for name in files(options.prefix)
                                         if name != "manifest.txt"])
        self.uninstall(build)
        self.assertEqual(files(prefix), [])
        self.assertEqual(list(prefix.rglob("pool")), [])

    def test_leaves_what_is_not_its_own(self):
        # The name is a pattern that does not match itself, and a list's open bracket.
        prefix = fresh("uninstall_others") / "a[1] [b"
        build = configured("uninstall_others_build", f"-DCMAKE_INSTALL_PREFIX={prefix}")
        theirs = ["include/other.h", "include/pool/.hidden", "include/pool/mine.h"]
        run(options.cmake, "--install", build)
        for name in theirs:
            (prefix / name).write_text("stays", encoding="utf-8")
        self.uninstall(build)
        self.assertEqual(files(prefix), theirs)

    def test_refuses_where_nothing_was_installed(self):
        build = configured("uninstall_nothing_build")
        with self.assertRaisesRegex(AssertionError, "nothing was installed from here"):
            self.uninstall(build)


if __name__ == "__main__":
    unittest.main(argv=["test_install", *options.tests])
