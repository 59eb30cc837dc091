# SPDX-License-Identifier: Apache-2.0
"""The part of the benchmark runner that is the same for every area."""
