"""The reader of rings, and recovery: whatever a ring file holds, no event is made up and nothing is raised."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from _storage import new_ring, new_spool, seal

from bluerock_hooks.reader import Snapshot
from bluerock_hooks.ring import _layout

from ._drawing import Bytes

_root = Path(tempfile.mkdtemp(prefix="fuzz-ring-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
atexit.register(shutil.rmtree, _root, ignore_errors=True)
STEM = "99999999-ab"
spool = new_spool(_root)
_LINE = b'{"ts":"2026-11-22T10:00:00Z","event":{"meta":{"name":"n","component_id":"c","source_event_id":%d},"p":"%b"}}'
LINES = [_LINE % (number, b"x" * (number * 7 % 150)) for number in range(60)]
_segment = b""


def _image() -> bytes:
    """A ring that has gone round, partly drained, with nested records, of a process that is no more."""
    global _segment
    ring = new_ring(spool, STEM, 4096, 4096)
    for start in range(0, 50, 5):
        for each in LINES[start : start + 5]:
            assert ring.main.put(each) or ring.main.place(each)
        _segment += b"\n".join(LINES[start : start + 5]) + b"\n"
        ring.commit(ring.main.tail, 0, 0, len(_segment), (0, 0))
    for each in LINES[50:58]:
        assert ring.main.put(each) or ring.main.place(each)
    assert all(ring.nested.put(each) for each in LINES[58:])
    path = spool.rings()[0]
    data = Path(path).read_bytes()
    os.unlink(path)
    return data


IMAGE = _image()
_WORDS = (*range(23), *range(32, 47))  # of the header


def one(data: bytes) -> None:
    source = Bytes(data)
    mode = source.byte()
    image = bytearray(IMAGE)
    if mode < 32:
        image = bytearray(source.rest())
    while source:
        at = source.number()
        if mode & 1:  # a word of the header
            at = _WORDS[at % len(_WORDS)] * 8
        piece = source.take(source.byte() % 17)
        at %= len(image) + 1
        image[at : at + len(piece)] = piece
    words = memoryview(bytearray(image[:4096].ljust(4096, b"\0"))).cast("Q")
    if mode & 2:  # as if its owner had written that
        words[_layout.W_START] = 1
        seal(words)
        image[:4096] = words.tobytes()[: len(image)]
    _check(bytes(image), made_up=mode < 32, sealed=bool(mode & 2))


def _check(image: bytes, *, made_up: bool, sealed: bool) -> None:
    path = f"{spool.rings_path}/{STEM}.ring"
    for directory in (spool.path, spool.rings_path):
        for name in os.listdir(directory):
            if name.startswith(("python-", "9999")):
                os.unlink(f"{directory}/{name}")
    with open(path, "wb") as file:
        file.write(image)
    os.chmod(path, 0o600)
    os.utime(path, (1, 1))
    assert spool.append(STEM, 0, 0, _segment)
    known = set(LINES)
    for _ in range(2):
        snapshot = Snapshot(spool)
        found = [event.line for event in snapshot.events()]
        assert made_up or set(found) <= known, set(found) - known
        # A header with good seals is believed, also where it says that less is in the segment than there is.
        assert sealed or len(set(found)) == len(found)
        snapshot.problems.sentences()
        spool.recover(notices=lambda *_words, **_more: [])
        spool.sweep()
