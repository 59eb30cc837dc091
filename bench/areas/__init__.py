# SPDX-License-Identifier: Apache-2.0
"""One module per area: its processes, its table and its goals. See objects.py for what one has."""
