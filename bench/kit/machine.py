# SPDX-License-Identifier: Apache-2.0
"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform

# What is named where it takes part, in this order.
SOFTWARE = ("compiler", "libc", "go", "rust", "java", "postgres")


def cpu_model() -> str:
    """The model that /proc/cpuinfo names, or the architecture where it names none."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    return value.strip()
    except OSError:
        pass
    return platform.machine()


def describe() -> dict[str, str | int]:
    return {
        "cpu": cpu_model(),
        "cpus": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
    }


def sentence(machine: dict, software: dict[str, str]) -> str:
    """One line for the table's head and the plots."""
    parts = [f"{machine['cpu']}, {machine['cpus']} CPUs", str(machine["kernel"])]
    parts += [software[key] for key in SOFTWARE if key in software]
    return ", ".join(parts)
