#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demonstration: what `gateway` does without arguments."""
import re
import subprocess

from harness import WAIT
from runner import equal, main


def test_demonstration_prints_both_columns(b):
    done = subprocess.run([b.path, "--seconds", "1"], capture_output=True, timeout=3 * WAIT)
    text, live = done.stdout.decode(), done.stderr.decode()
    equal(done.returncode, 0, text + live)
    table = {name: (int(bypassed), int(pooled)) for name, bypassed, pooled in
             re.findall(r"^(\w.*?) {2,}(\d+) +(\d+)$", text, re.M)}
    equal(table["failed requests"], (0, 0))
    for row in ("requests per second", "latency p50, us", "latency p99, us", "peak memory, KiB"):
        assert min(table[row]) > 0, text
    for row, most in (("upstream dials", 32), ("allocations", 400), ("threads started", 33)):
        bypassed, pooled = table[row]
        assert pooled <= most < bypassed, text


if __name__ == "__main__":
    main(globals())
