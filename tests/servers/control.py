#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A server of servers.py for tests in other languages.

    control.py NAME

Starts it and says "ready ADDRESS". Then it does what it is told, line by line: "kill" is answered
by "done", "start" by "ready ADDRESS". The end of the input ends all. A server that is not installed
is "skipped WHY".
"""
import sys

from servers import SERVERS, Skip


def main() -> None:
    try:
        with SERVERS[sys.argv[1]]() as server:
            print("ready", server.address, flush=True)
            for line in sys.stdin:
                if line == "kill\n":
                    server.kill()
                    print("done", flush=True)
                elif line == "start\n":
                    server.start()
                    print("ready", server.address, flush=True)
    except Skip as why:
        print("skipped", why, flush=True)


if __name__ == "__main__":
    main()
