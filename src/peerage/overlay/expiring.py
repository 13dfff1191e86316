"""A table whose entries end by themselves: bounded in number and in time. Pure: time is an argument (seconds).

Invariant: no entry is found after its life, and there are never more than `maximum`; the oldest give way.
"""

from __future__ import annotations

from typing import Generic, TypeVar

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class ExpiringTable(Generic[KeyT, ValueT]):
    """Entries by key, all with the same life; time must not run backwards between calls."""

    def __init__(self, maximum: int, life: float) -> None:
        self._maximum = maximum
        self._life = life
        self._entries: dict[KeyT, tuple[float, ValueT]] = {}  # in the order in which they end

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: KeyT, value: ValueT, now: float) -> None:
        """Store an entry; one with the same key begins a new life."""
        self._entries.pop(key, None)
        self._expire(now)
        if len(self._entries) >= self._maximum:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = (now + self._life, value)

    def get(self, key: KeyT, now: float) -> ValueT | None:
        """Return the value of a living entry."""
        entry = self._entries.get(key)
        return None if entry is None or entry[0] <= now else entry[1]

    def remove(self, key: KeyT) -> None:
        """Remove an entry, if it is there."""
        self._entries.pop(key, None)

    def _expire(self, now: float) -> None:
        over = []
        for key, (end, _) in self._entries.items():
            if end > now:
                break
            over.append(key)
        for key in over:
            del self._entries[key]
