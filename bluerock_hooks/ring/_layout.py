"""The bytes of a ring file: where things lie, how a record is stored, how records are found again.

One file a process, little endian, in 64-bit words::

    byte 0                                                 4096                     4096 + capacity
    +--------------------------------------------------------+------------------------+---------------+
    | header                                                 | main region            | nested region |
    +--------------------------------------------------------+------------------------+---------------+
      magic (stored last)   version   capacity   nested capacity
      pid   start tick   boot id (2)   pid namespace   uid   wall ns   boot ns      who owns it
      locked                the owner's mapping holds a lock on the file
      serving               the owner has started a process on behalf of a request
      identity seal         of version ... boot ns, none of which ever changes
      state   heartbeat   lost events   lost bytes   claimed ends (2)
      accounts              events written, errors of ours, retained away; lost and told, by reason (see REASONS)
      GENERATION            the one word that publishes drain progress; slot in force = generation & 1
      slot 0, slot 1:       head   nested head   segment number   segment bytes   reported events   reported bytes
                            seal of these and the generation

Seals are checksums: a recovery that believed a damaged slot would cut a good segment.

A record starts at a multiple of 16, so that its 16-byte head always fits before the end of the region::

    [checksum << 32 | length][position + 1][payload ... ][zeros or remains up to the next multiple of 16]

``position`` counts bytes since the ring began and never wraps, so what an earlier lap left behind matches no position.
``length == PADDING`` with no checksum: skip to the start of the region. A process can be killed between any two stores:

1. word 0 := 0            the old record is gone
2. payload                 may be half there
3. word 1 := position + 1
4. word 0 := checksum, length   one aligned 8-byte store: the record is there

Stores go through ``memoryview.cast("Q")``, which CPython does as one 8-byte move. ``struct.pack_into`` clears its
target first; another process then read zeros in 4-23 % of its looks.
"""

from __future__ import annotations

from zlib import adler32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableSequence
    from typing import Protocol

    class Memory(Protocol):
        """What a region writes payload to and reads it from: a mapping or a buffer."""

        def __getitem__(self, at: slice, /) -> bytes | bytearray: ...
        def __setitem__(self, at: slice, data: bytes, /) -> None: ...


MAGIC = int.from_bytes(b"BRHOOKS\x01", "little")
VERSION = 3
"""Of all that is drawn here but these first two words: another number with every change, or others misread it."""
HEADER = 4096

(W_MAGIC, W_VERSION, W_CAPACITY, W_NESTED, W_PID, W_START, W_BOOT, W_BOOT2, W_PIDNS, W_UID, W_WALL, W_SINCE) = range(12)
W_LOCKED, W_SERVING, W_SEAL = 12, 13, 14
W_STATE, W_HEARTBEAT, W_LOST, W_LOST_BYTES, W_CLAIMED, W_CLAIMED_NESTED, W_GENERATION = range(16, 23)
W_SLOT = (32, 40)
SLOT_WORDS = 6  # and the seal

REASONS = ("damage", "error", "oversize", "ring_full", "spool")
"""Why a process loses events."""
W_WRITTEN, W_ERRORS, W_RETAINED = 48, 49, 50
W_LOST_BY = 52  # a word for each of REASONS
W_TOLD_BY = W_LOST_BY + len(REASONS)

# States: records in the ring; every event written at once; taken by a recovery (no flipped bit makes that of another).
MAPPED, WRITTEN, CLAIMED = 1, 2, int.from_bytes(b"claimed!", "little")
NO_SEGMENT = (1 << 64) - 1  # segment number of a WRITTEN ring: nothing says how much of its segments is good

PADDING = 0xFFFFFFFF
INCOMPLETE = b" "  # what a line begins with that its owner adds to on the way out; to others it is a line as it is
_GAP = 1 << 20  # bytes of damage behind which records are looked for
QUICK = 5120  # zlib.adler32 lets go of the GIL above this many bytes

GONE = memoryview(bytes(0)).cast("Q")  # every store into it fails


def checksum(data: bytes) -> int:
    """Adler-32 of ``data``, in pieces so small that the GIL is kept.

    It has to tell a whole record from a torn or a foreign one, where the position word has not done so already. CRC-32
    would do the same with 16 KiB of tables: in a busy server they are out of the cache, which cost 5 us an event.
    """
    if len(data) <= QUICK:
        return adler32(data)
    value = 1
    with memoryview(data) as view:
        for start in range(0, len(view), QUICK):
            value = adler32(view[start : start + QUICK], value)
    return value


def seal(*words: int) -> int:
    """A checksum of words that is never 0, as what nobody wrote is."""
    return 1 << 32 | adler32(b"".join([word.to_bytes(8, "little") for word in words]))


def records(
    words: MutableSequence[int] | memoryview,
    memory: Memory,
    base: int,
    capacity: int,
    position: int,
    end: int | None = None,
) -> tuple[list[bytes], int]:
    """The committed records from ``position`` on, and the position behind the last.

    Stops at ``end``, else at the first record that is not committed, stale or damaged; never further than one lap.
    """
    found: list[bytes] = []
    last = position + capacity if end is None else min(end, position + capacity)
    offset = position % capacity
    while position < last:
        at = base + offset
        word = words[at >> 3]
        size = word & PADDING
        if not word or words[(at >> 3) + 1] != position + 1:
            break
        if word == PADDING:
            position += capacity - offset
            offset = 0
            continue
        if offset + 16 + size > capacity:
            break
        data = bytes(memory[at + 16 : at + 16 + size])
        if (adler32(data) if size <= QUICK else checksum(data)) != word >> 32:
            break
        found.append(data)
        step = size + 31 & -16
        position += step
        offset += step
        if offset >= capacity:
            offset -= capacity
    return found, position


def salvage(
    words: memoryview, memory: Memory, base: int, capacity: int, position: int, end: int
) -> tuple[list[bytes], int, int]:
    """``records`` up to ``end``, also those behind damaged ones; the bytes that are damaged come last.

    Nobody may write meanwhile: a record that is committed between two looks would look like damage. What lies behind
    the last record matches no position of this lap, and no payload, JSON or a draft, has bytes like those of one.
    """
    found: list[bytes] = []
    damaged = 0
    while True:
        more, position = records(words, memory, base, capacity, position, end)
        found += more
        window = min(end, position + (min(capacity >> 2, _GAP) + 31 & -16))
        heads = _heads(words, base, capacity, position, window)
        following = next((head for head in heads if head > position), None)
        if following is None:
            # The last one: committed, and not as it was. One that was on its way has a head of 0.
            return found, position, damaged + (16 if heads and words[base + position % capacity >> 3] else 0)
        damaged += following - position
        position = following


def _heads(words: memoryview, base: int, capacity: int, start: int, end: int) -> list[int]:
    """Positions between two others at which a record's head says that it is at this position."""
    found = []
    while start < end:
        offset = start % capacity
        stop = min(end, start + capacity - offset)
        first = base + offset >> 3
        said = zip(range(start, stop, 16), words[first + 1 : first + (stop - start >> 3) : 2].tolist(), strict=True)
        found += [position for position, word in said if word == position + 1]
        start = stop
    return found


class Region:
    """One circular area of the mapping.

    ``put`` is the fast way: it takes what fits before ``soft`` and refuses all else. ``soft`` lies at the end of the
    lap, at the bound the recorder set, or at -1: one comparison asks for everything unusual at once. ``place`` is the
    thorough way; it, and everything that moves ``head`` or ``soft``, wants the caller's lock. ``put`` wants none.
    """

    __slots__ = ("base", "bound", "capacity", "head", "memory", "shift", "soft", "tail", "words")

    def __init__(self, words: MutableSequence[int] | memoryview, memory: Memory, base: int, capacity: int) -> None:
        self.words = words
        self.memory = memory
        self.base = base
        self.capacity = capacity
        self.head = 0
        self.tail = 0
        self.bound = capacity
        self._aim()

    def put(self, line: bytes) -> bool:
        """Commit one record. False, and nothing changed, where it does not fit the easy way."""
        size = len(line)
        if not size or size > QUICK:
            return False
        word = adler32(line) << 32 | size
        tail = self.tail
        after = tail + (size + 31 & -16)
        at = tail + self.shift
        index, position, payload = at >> 3, tail + 1, slice(at + 16, at + 16 + size)
        words = self.words
        # Nothing comes between what is looked at and what is stored in the next line, so it needs no lock: there the
        # interpreter neither changes threads nor looks for signals (it does at calls and jumps), nor collects garbage
        # (no container is made), nor calls a trace function (it is one line). Another thread, a handler that emits or
        # forks, a finaliser: all come before, and then the tail or soft has moved, or after.
        if self.tail == tail and after <= self.soft: words[index] = 0; self.memory[payload] = line; words[index + 1] = position; words[index] = word; self.tail = after; return True  # fmt: skip # noqa: E501, E701, E702
        return False

    def place(self, line: bytes) -> bool:
        """Commit one record of any size, over the end of the lap if need be. False where the region is full."""
        size = len(line)
        if not size:
            return False
        word = checksum(line) << 32 | size
        need = size + 31 & -16
        self.soft = -1
        self.heal()
        tail = self.tail
        room = self.capacity - tail % self.capacity
        padding = room if room < need else 0
        fits = tail + padding + need - self.head <= self.capacity
        if fits:
            if padding:
                self._store(tail, b"", PADDING)
                self.tail = tail = tail + padding
            self._store(tail, line, word)
            self.tail = tail + need
        self._aim()
        return fits

    def heal(self) -> None:
        """Step over records that were committed when an exception kept the tail from moving on."""
        _, self.tail = records(self.words, self.memory, self.base, self.capacity, self.tail, self.head + self.capacity)

    def limit(self, bound: int) -> None:
        """From now on ``put`` refuses what would end behind position ``bound``."""
        self.bound = bound
        self._aim()

    def free(self, head: int) -> None:
        """Everything before position ``head`` is safe elsewhere."""
        self.head = head

    def abandon(self) -> None:
        """Touch the mapping never again: in a forked child it is the parent's."""
        self.soft = self.bound = -1
        self.words = self.memory = GONE  # type: ignore[assignment]

    def _store(self, position: int, data: bytes, word: int) -> None:
        size = len(data)
        # As in put(): no call and no jump from here on.
        words, memory = self.words, self.memory
        at = self.base + position % self.capacity
        index = at >> 3
        words[index] = 0
        memory[at + 16 : at + 16 + size] = data
        words[index + 1] = position + 1
        words[index] = word

    def _aim(self) -> None:
        # At the very end of a lap it is still that lap, where nothing fits any more: shift changes with the tail only.
        lap = max(0, self.tail - 1) // self.capacity * self.capacity
        self.soft = -1  # while the two disagree, nothing takes the fast way
        self.shift = self.base - lap
        self.soft = min(self.bound, self.head + self.capacity, lap + self.capacity)
