"""An independent witness: stands between a client and a stdio server and writes every line it passes on to a file.

Usage: ``python _tee.py LOG COMMAND [ARGUMENT ...]``. A line of LOG is ``> `` (client to server) or ``< `` and the line.
Runs outside the sensor (``python -S``), byte for byte, and ends with the server's exit status.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import BinaryIO


def main() -> int:
    """Start the server, pump both ways."""
    log = open(sys.argv[1], "ab", buffering=0)  # noqa: SIM115  for the life of the process
    server = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    lock = threading.Lock()

    def pump(source: BinaryIO, sink: BinaryIO, mark: bytes) -> None:
        for line in source:
            with lock:
                log.write(mark + line)
            try:
                sink.write(line)
                sink.flush()
            except BrokenPipeError:
                break
        try:
            sink.close()
        except BrokenPipeError:
            return

    assert server.stdin is not None
    assert server.stdout is not None
    threading.Thread(target=pump, args=(sys.stdin.buffer, server.stdin, b"> "), daemon=True).start()
    pump(server.stdout, sys.stdout.buffer, b"< ")
    return server.wait()


if __name__ == "__main__":
    sys.exit(main())
