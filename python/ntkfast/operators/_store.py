"""Blocks that operators keep, and the memory that several of them share."""

from __future__ import annotations

import threading
from weakref import WeakSet

from ntkfast._arrays import FloatArray
from ntkfast._memory import available

__all__ = ["SHARE", "Room", "Store"]

# The share of free memory for blocks that are kept, unless `memory` says how much.
SHARE = 0.5


class Room:
    """So many bytes for the blocks of all stores in it; None: half of the memory that is free."""

    def __init__(self, memory: float | None) -> None:
        self.memory = memory
        self.stores: WeakSet[Store] = WeakSet()
        self.lock = threading.Lock()

    def left(self) -> float:
        """Return the bytes for further blocks."""
        used = sum(len(store.blocks) * store.size for store in list(self.stores))
        # What is free is looked up each time, because other operators keep blocks too.
        budget = SHARE * (available() + used) if self.memory is None else self.memory
        return budget - used


class Store:
    """The first blocks of an operator, in their order."""

    def __init__(self, room: Room, size: int) -> None:
        self.room = room
        self.size = size
        """Bytes of a block; the last ones of a row are smaller."""
        self.blocks: list[FloatArray] = []
        room.stores.add(self)

    def offer(self, index: int, block: FloatArray) -> None:
        """Keep a block if it follows the kept ones and there is room; threads may share blocks."""
        if index != len(self.blocks):
            return
        with self.room.lock:
            if index == len(self.blocks) and self.size <= self.room.left():
                self.blocks.append(block)

    def fitting(self, total: int) -> int:
        """Return how many of so many blocks there is room for, with those that are there."""
        with self.room.lock:
            left = max(self.room.left(), 0.0)
            return min(total, len(self.blocks) + int(min(left // max(self.size, 1), total)))

    def release(self) -> None:
        """Let all blocks go; a product that reads them keeps its own until it has used them."""
        with self.room.lock:
            self.blocks = []
