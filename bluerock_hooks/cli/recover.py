"""``recover``: what killed processes left in their rings goes into segments, the only thing that collectors read."""

from __future__ import annotations

import argparse
import json
import time

from .._envelope import Envelope, loss_fields
from ..errors import SpoolError
from ._selection import add_spool, open_spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spool import Recovered, Spool

_PATIENCE = 10.0  # seconds for another recovery to end


def main(args: list[str], prog: str) -> int:
    """Recover, and print how much; 1 where a ring could not be recovered."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Move the events that killed processes left in their rings into segments. "
        "The sensor does it too, whenever a segment is full or a process ends; `show` and `tail` do not need it.",
    )
    add_spool(parser)
    parser.add_argument("--json", action="store_true", help="counts as JSON")
    options = parser.parse_args(args)
    done = _recover(open_spool(options.spool))
    if options.json:
        names = (
            "rings",
            "events",
            "bytes",
            "lost",
            "lost_bytes",
            "damaged",
            "corrupt",
            "left",
            "other_version",
            "failed",
        )
        print(json.dumps({name: getattr(done, name) for name in names}))
    else:
        print(f"{done.events} events recovered from {done.rings} rings; {done.lost} events had been lost before")
        print(
            f"{done.left} rings of running processes left, {done.corrupt} damaged ones put aside, {done.failed} failed"
        )
        if done.other_version:
            print(
                f"{done.other_version} rings of another version of bluerock-hooks left: recover them with that version"
            )
        if done.damaged:
            print(f"{done.damaged} bytes of the recovered rings are damaged; the events in them are lost")
    return 1 if done.failed else 0


def _recover(spool: Spool) -> Recovered:
    envelope = Envelope()

    def notices(
        reason: str, events: int, size: int, *, total: int = 0, owner: tuple[int, int] | None = None
    ) -> list[bytes]:
        fields = loss_fields(reason, events, size, total, owner)
        return [envelope.line("python_events_dropped", "event", fields)]

    until = time.monotonic() + _PATIENCE
    try:
        while True:
            done = spool.recover(notices=notices)
            if not done.busy:
                return done
            if time.monotonic() > until:
                raise SpoolError(f"another recovery of {spool.path} goes on for long", "try again later")
            time.sleep(0.05)
    except OSError as exc:
        raise SpoolError(f"{spool.path} cannot be recovered: {exc.strerror}", "look at its owner and mode") from exc
