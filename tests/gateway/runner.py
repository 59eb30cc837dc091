# SPDX-License-Identifier: Apache-2.0
"""Runs the functions test_*(bench) of one module and says how it went.

    <area>_test.py --gateway PATH [--seconds N] [NAME...]

--seconds is the length of a load; NAME runs only the tests whose name contains it.
"""
import argparse
import sys
import traceback

from harness import Gateway, Origin, Skip


class Bench:
    """The gateway and the origin that most tests share."""

    def __init__(self, path, seconds):
        self.path = path
        self.seconds = seconds
        self.origin = Origin()
        self.gateway = Gateway(path, self.origin.port, "--client-timeout", "5",
                               "--upstream-timeout", "5")

    def client(self):
        return self.gateway.client()

    def special(self, *options, upstream=None, **more):
        return Gateway(self.path, upstream or self.origin.port, *options, **more)


def equal(actual, expected, about=""):
    assert actual == expected, f"{about} {actual!r} is not {expected!r}"


def main(module):
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    tests = [(name, test) for name, test in module.items() if name.startswith("test_")]
    if options.names:
        tests = [t for t in tests if any(part in t[0] for part in options.names)]

    bench = Bench(options.gateway, options.seconds)
    counts = {"ok": 0, "skipped": 0, "FAILED": 0}
    with bench.gateway:
        for name, test in tests:
            try:
                test(bench)
                outcome = "ok"
            except Skip as why:
                outcome, name = "skipped", f"{name}: {why}"
            except Exception:  # whatever it is, the other tests still run
                outcome, name = "FAILED", f"{name}\n{traceback.format_exc()}"
            counts[outcome] += 1
            print(f"{outcome:7} {name}", flush=True)
        bench.gateway.terminate()
        code, said = bench.gateway.finish()
        if code != 0:  # a sanitizer may have found something, leaks included
            counts["FAILED"] += 1
            print(f"FAILED  the gateway ended with {code}\n{said}")
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    sys.exit(counts["FAILED"] > 0)
