"""Out of the ring, into the segment."""

from __future__ import annotations

import errno

from .. import _guard
from ..ring import _layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ring import Ring
    from ..spool import Spool


class Batch:
    """Committed records of a ring, taken out in order; the nested region's come last."""

    __slots__ = ("damaged_bytes", "ends", "lines")

    def __init__(self, ring: Ring, main_end: int, nested_end: int) -> None:
        """Take what lies before the two ends. No lock is needed: nobody writes there until the batch is committed."""
        self.lines: list[bytes] = []
        self.damaged_bytes = 0
        self.ends = main_end, nested_end
        for region, end in ((ring.main, main_end), (ring.nested, nested_end)):
            found, reached = _layout.records(
                region.words, region.memory, region.base, region.capacity, region.head, end
            )
            self.lines += found
            # Somebody wrote over our mapping. What follows cannot be told apart any more; the ring must not stay stuck.
            self.damaged_bytes += end - reached


def holds(ring: Ring, line: bytes) -> bool:
    """Is ``line``, which is like no other, in the ring? Wants the lock."""
    if ring.state != _layout.MAPPED or not ring.words:
        return False
    ring.main.heal()
    return line in Batch(ring, ring.main.tail, ring.nested.tail).lines


def write(spool: Spool, ring: Ring, lines: list[bytes]) -> tuple[int, int]:
    """Append ``lines`` to the ring's segments; number and new size of the segment, for ``Ring.commit``.

    OSError, SpoolError; then nothing is written.
    """
    blob = b"\n".join(lines) + b"\n"
    number, offset = ring.segment, ring.segment_bytes
    if offset and offset + len(blob) > spool.segment_bytes:
        # An exception of the host may have come between writing a batch and saying so: in the segment that is left its
        # lines would stay, beside those that are written now.
        spool.append(ring.stem, number, offset, b"", ring.birth)
        number, offset = number + 1, 0
    if not _append(spool, ring, number, offset, blob):
        number, offset = number + 1, 0
        if not spool.append(ring.stem, number, offset, blob, ring.birth):
            raise FileNotFoundError(2, "No such file or directory", spool.path)
    return number, offset + len(blob)


def _append(spool: Spool, ring: Ring, number: int, offset: int, blob: bytes) -> bool:
    """False where the segment cannot be continued: somebody deleted or emptied it, or it is as large as it may be."""
    try:
        return spool.append(ring.stem, number, offset, blob, ring.birth)
    except OSError as exc:
        _guard.give_back(exc)
        if exc.errno != errno.EFBIG or not offset:  # ulimit -f
            raise
    return False
