"""Chooses what is held out, whole units of text by content in bounded memory, and keeps it.

A unit is a document, or a block of consecutive lines of one (`model.text.corpus` says when).
"""

import hashlib
import heapq
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from model.config import HeldOutConfig


def text_hash(text: str) -> int:
    """BLAKE2b of the UTF-8 text as an unsigned 64-bit integer."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def text_bytes(lines: list[str]) -> int:
    """UTF-8 bytes of the lines, their ends not counted."""
    return len("".join(lines).encode())


def budget(config: HeldOutConfig, size: int) -> int:
    """UTF-8 bytes that are held out at most of a language of `size` bytes."""
    return min(config.max_bytes, int(config.fraction * size))


def cut_blocks(lines: list[str], block: int) -> list[list[str]]:
    """`block` lines each; 0 leaves the document whole."""
    step = block or len(lines)
    return [lines[start : start + step] for start in range(0, len(lines), step)]


@dataclass(kw_only=True, order=True)
class Unit:
    """A document or block; ordered by the hash of its text."""

    hash: int
    document: int
    block: int
    bytes: int
    lines: list[str] = field(compare=False)


class Candidates:
    """The units with the lowest hashes, just enough of them for `capacity` bytes of text.

    What is kept depends on the set of units alone, not on their order. A unit longer than the
    capacity can never fit and is not kept, save the shortest one.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._heap: list[tuple[int, int]] = []
        self._units: dict[int, Unit] = {}
        self._bytes = 0
        self.shortest: Unit | None = None

    def offer(self, document: int, block: int, lines: list[str], size: int, value: int) -> None:
        shortest = self.shortest
        if shortest is None or (size, value) < (shortest.bytes, shortest.hash):
            self.shortest = Unit(
                hash=value, document=document, block=block, bytes=size, lines=lines
            )
        full = self._bytes >= self._capacity
        if size > self._capacity or value in self._units or (full and value > -self._heap[0][0]):
            return
        self._units[value] = Unit(
            hash=value, document=document, block=block, bytes=size, lines=lines
        )
        heapq.heappush(self._heap, (-value, size))
        self._bytes += size
        while self._bytes - self._heap[0][1] >= self._capacity:
            removed, length = heapq.heappop(self._heap)
            del self._units[-removed]
            self._bytes -= length

    def choose(self, limit: int) -> list[Unit]:
        """In the order of the hashes each unit that still fits into `limit` bytes; one at least."""
        chosen = []
        for unit in sorted(self._units.values()):
            if unit.bytes <= limit:
                chosen.append(unit)
                limit -= unit.bytes
        return chosen or ([self.shortest] if self.shortest else [])


_FILE = "held_out.jsonl"


def write_held_out(artifact: Path, units: Iterable[list[str]]) -> None:
    """Writes each unit's lines into a corpus artifact, as a JSON list."""
    with (artifact / _FILE).open("w", encoding="utf-8") as stream:
        for unit in units:
            stream.write(json.dumps(unit, ensure_ascii=False) + "\n")


def read_held_out(artifact: Path) -> list[list[str]]:
    """The lines of each held-out unit of a corpus artifact, in the order of the units' hashes."""
    # Not splitlines(): a line of text may hold characters that it takes for line ends.
    with (artifact / _FILE).open(encoding="utf-8", newline="\n") as stream:
        return [json.loads(line) for line in stream]
