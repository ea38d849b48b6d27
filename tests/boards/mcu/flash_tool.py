"""Stands in for a flash tool and for a power switch: has the bench do it, and repeats what it says. HOST:PORT COMMAND [FILE]."""

import json
import socket
import sys

SECONDS = 90.0


def main(bench: str, *asked: str) -> int:
    host, _, port = bench.partition(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
        connection.sendall(f"{json.dumps(asked)}\n".encode())
        said = connection.makefile().readline()
    sys.stdout.write(said)
    return 0 if said else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
