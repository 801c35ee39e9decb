"""A spool that is damaged at random, and what must be true of what can still be read."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from _command import line
from _storage import bury, new_ring, new_spool

from bluerock_hooks.reader import Snapshot
from bluerock_hooks.ring import _layout

if TYPE_CHECKING:
    import random

    from bluerock_hooks.spool import Spool

_NOBODY = 99_999_999  # with another digit, a pid that no process has
_KINDS = ("flip", "flip", "flip", "zero", "random", "cut", "grow")


class Damage(NamedTuple):
    """One change of one file; ``value`` is the bits, the length, or the bytes."""

    path: str
    kind: str
    at: int
    value: int | bytes

    def apply(self, data: bytearray) -> None:
        at, value = self.at, self.value
        if at >= len(data) and self.kind != "grow":
            return  # what was there was cut off before
        if self.kind == "flip":
            data[at] ^= value  # type: ignore[operator]
        elif self.kind == "cut":
            del data[at:]
        elif isinstance(value, bytes):
            data[at : at + len(value)] = value[: max(0, len(data) - at)] if self.kind == "random" else value
        else:
            data[at : at + value] = bytes(min(value, max(0, len(data) - at)))


class Scene:
    """Three processes, all killed: one had drained and begun a write, one had only a ring, one only segments."""

    def __init__(self, root: Path) -> None:
        self.spool: Spool = new_spool(root)
        self.lines: dict[str, list[bytes]] = {}
        self.waiting: dict[str, list[bytes]] = {}
        """What is in no segment yet."""
        self.ring = self._process(f"{_NOBODY}1-aa", drained=30, waiting=6, torn=3)
        self._process(f"{_NOBODY}2-bb", drained=0, waiting=6, torn=0)
        self._process(f"{_NOBODY}3-cc", drained=5, waiting=0, torn=0)
        os.unlink(f"{self.spool.rings_path}/{_NOBODY}3-cc.ring")
        self.files = {
            str(path): path.read_bytes()
            for path in Path(self.spool.path).rglob("*")
            if path.is_file() and path.suffix in (".ring", ".ndjson")
        }

    def _process(self, stem: str, drained: int, waiting: int, torn: int) -> str:
        ring = new_ring(self.spool, stem, 4096, 4096)
        lines = [line(n, component=stem, second=0, note="x" * n) for n in range(1, drained + waiting + 1)]
        self.lines[stem] = lines
        self.waiting[stem] = lines[drained:]
        for batch in range(0, drained, 5):
            for each in lines[batch : batch + 5]:
                assert ring.main.put(each) or ring.main.place(each)
            blob = b"\n".join(lines[batch : batch + 5]) + b"\n"
            number, offset = ring.segment, ring.segment_bytes
            if batch in (10, 20):
                number, offset = number + 1, 0
            assert self.spool.append(stem, number, offset, blob)
            ring.commit(ring.main.tail, 0, number, offset + len(blob), (0, 0))
        for each in lines[drained:]:
            assert ring.main.put(each) or ring.main.place(each)
        if torn:
            blob = b"\n".join(lines[drained : drained + torn])
            self.spool.append(stem, ring.segment, ring.segment_bytes, blob[:-20])
        path = f"{self.spool.rings_path}/{stem}.ring"
        bury(self.spool, stem)
        return path

    def check(self, damages: list[Damage]) -> None:
        """Damage, read, recover, read again; raises AssertionError where something is wrong."""
        self._restore()
        for path in {each.path for each in damages}:
            data = bytearray(self.files[path])
            for each in damages:
                if each.path == path:
                    each.apply(data)
            Path(path).write_bytes(data)
        where = str([(os.path.basename(each.path), *each[1:]) for each in damages])
        first, told = self._read(where)
        missing = self._missing(first, damages, where)
        assert told or self._silent(missing, damages), f"nothing is said of {missing}: {where}"
        done = self.spool.recover()
        second, told = self._read(where)
        missing = self._missing(second, damages, where)
        said = told or done.damaged or done.corrupt or done.left or done.failed
        assert said or self._silent(missing, damages), f"nothing is said of {missing}: {where}"

    def _restore(self) -> None:
        for directory in (self.spool.path, self.spool.rings_path):
            for name in os.listdir(directory):
                if name.endswith((".ndjson", ".ring", ".corrupt")):
                    os.unlink(f"{directory}/{name}")
        for path, content in self.files.items():
            fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            os.write(fd, content)
            os.close(fd)

    def _read(self, where: str) -> tuple[list[bytes], bool]:
        snapshot = Snapshot(self.spool)
        found = [event.line for event in snapshot.events()]
        assert len(set(found)) == len(found), f"doubled: {where}"
        return found, bool(snapshot.problems.sentences())

    def _missing(self, found: list[bytes], damages: list[Damage], where: str) -> list[bytes]:
        """What is not there; checks that it may be, and that what is there may be."""
        ours = {each for lines in self.lines.values() for each in lines}
        altered = [each for each in found if each not in ours]
        hit = [self._lines_at(each) for each in damages if each.path.endswith(".ndjson")]
        # Segments have no checksums: a line that was damaged and still is an event passes, and no other does.
        assert len(altered) <= sum(len(each) + 1 for each in hit), f"made up: {altered} {where}"
        missing = [each for each in sorted(ours) if each not in found]
        may_miss = {each for lines in hit for each in lines}
        for each in damages:
            if each.path.endswith(".ring"):
                may_miss |= self._records_at(each)
        needless = sorted(set(missing) - may_miss)
        # A damaged line that is an event may have the number of another, and pass for it.
        assert len(needless) <= len(altered), f"lost without need: {needless} {where}"
        return [each for each in missing if not altered]

    def _silent(self, missing: list[bytes], damages: list[Damage]) -> bool:
        """May nobody know of these? A segment that ends earlier with a whole line is a whole segment, and the last
        records of a ring without their heads were never committed."""
        cut = any(
            each.kind == "cut" and (not each.at or self.files[each.path][each.at - 1 : each.at] == b"\n")
            for each in damages
        )
        ends = {
            each for lines in self.waiting.values() for each in lines if set(lines[lines.index(each) :]) <= set(missing)
        }
        return cut or set(missing) <= ends

    def _lines_at(self, damage: Damage) -> list[bytes]:
        """Lines of a segment that a damage touches, and the neighbours that a newline kept apart."""
        data = self.files[damage.path]
        start, end = _reach(damage, len(data))
        return [
            match[0].rstrip(b"\n")
            for match in re.finditer(rb"[^\n]*\n?", data)
            if match.start() <= end and match.end() >= start and match[0]
        ]

    def _records_at(self, damage: Damage) -> set[bytes]:
        """Records of a ring that a damage touches: all of them, where it is the header."""
        data = self.files[damage.path]
        start, end = _reach(damage, len(data))
        lines = self.lines[os.path.basename(damage.path).removesuffix(".ring")]
        if start < _layout.HEADER:
            return set(lines)
        touched = set()
        for each in lines:
            at = data.find(each)
            # With its head, and what a damaged length makes of the next one.
            if at >= 0 and at - 48 < end and at + len(each) > start:
                touched.add(each)
        return touched


def _reach(damage: Damage, size: int) -> tuple[int, int]:
    if damage.kind == "flip":
        return damage.at, damage.at + 1
    if damage.kind in ("cut", "grow"):
        return min(damage.at, size), size + (1 << 20)
    value = damage.value
    return damage.at, damage.at + (len(value) if isinstance(value, bytes) else value)


def damages(dice: random.Random, scene: Scene) -> list[Damage]:
    """One to four of them, in any files; headers and heads of records are hit as often as the rest."""
    found = []
    for _ in range(dice.choice((1, 1, 2, 4))):
        path = dice.choice(sorted(scene.files))
        size = len(scene.files[path])
        used = 4096 + 2048 if path.endswith(".ring") else size
        at = dice.choice((dice.randrange(size), dice.randrange(used), dice.randrange(min(used, 384))))
        kind = dice.choice(_KINDS)
        value: int | bytes = 1 << dice.randrange(8)
        if kind == "zero":
            value = dice.choice((1, 8, 16, 64, 512, 4096))
        elif kind == "random":
            value = dice.randbytes(dice.choice((1, 4, 8, 64, 512)))
        elif kind == "grow":
            at, value = size, dice.choice((b"\0" * 100, b"garbage\n", b"[" * 5000, b"\n\n\n", dice.randbytes(50)))
        found.append(Damage(path, kind, at, value))
    return found
