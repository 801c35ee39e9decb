"""Ten thousand processes that crashed: what they left is bounded in bytes and in files."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest
from _storage import bury, crash_one_after_the_other, new_ring, new_spool

from bluerock_hooks.spool import MOST_SEGMENTS

if TYPE_CHECKING:
    from pathlib import Path

    from bluerock_hooks.spool import Spool

pytestmark = pytest.mark.stress

CRASHES = 10_000


def test_rings_that_lie_there_all_at_once(tmp_path: Path) -> None:
    """One recovery takes them all; retention brings the number of segments down."""
    spool: Spool = new_spool(tmp_path, spool_bytes=1 << 20)
    ring = new_ring(spool, "77-ab", 4096, 4096)
    assert all(ring.main.put(b'{"i":%d,"p":"%s"}' % (number, b"x" * 100)) for number in range(20))
    bury(spool, "77-ab")
    (template,) = spool.rings()
    for number in range(CRASHES - 1):
        path = f"{spool.rings_path}/77-{number:06x}.ring"
        shutil.copyfile(template, path)
        os.chmod(path, 0o600)
    began = time.thread_time()
    done = spool.recover()
    print(f"{done.rings} rings recovered in {time.thread_time() - began:.1f} s of CPU")
    assert (done.rings, done.events, done.failed) == (CRASHES, 20 * CRASHES, 0)
    swept = spool.sweep()
    segments = spool.segments()
    assert len(segments) <= MOST_SEGMENTS
    assert sum(segment.size for segment in segments) <= 1 << 20
    assert swept.events + 20 * len(segments) == 20 * CRASHES
    assert spool.rings() == []


def test_one_after_the_other(tmp_path: Path) -> None:
    """Each recovers some of what those before it left, as it starts."""
    began = time.monotonic()
    most, segments, size = crash_one_after_the_other(tmp_path / "spool", CRASHES, 1 << 20)
    print(most, segments, size, f"{time.monotonic() - began:.0f} s")
    assert most <= 40
    # Retention runs once a minute: what twice as many processes leave in a minute as on the average is allowed.
    assert segments <= MOST_SEGMENTS + CRASHES * 120 / (time.monotonic() - began)
    assert size <= (1 << 20) + segments * 500
