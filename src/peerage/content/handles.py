"""Open files, kept for the next time, up to a bound.

Invariant: a file that somebody uses is never closed under them; at rest no more than `limit` are open. Safe to use
from several threads. What a key opens is decided by whoever makes the cache.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from peerage.limits import MAX_OPEN_FILES

Key = TypeVar("Key", bound=Hashable)


class _Handle:
    __slots__ = ("number", "retired", "users")

    def __init__(self, number: int) -> None:
        self.number = number
        self.users = 0
        self.retired = False


class Handles(Generic[Key]):
    """A cache of open files: the one unused for longest gives way."""

    def __init__(self, opener: Callable[[Key], int], limit: int = MAX_OPEN_FILES) -> None:
        self._opener = opener
        self._limit = limit
        self._lock = threading.Lock()
        self._handles: OrderedDict[Key, _Handle] = OrderedDict()

    @contextmanager
    def borrow(self, key: Key) -> Iterator[int]:
        """Lend the file descriptor of a key; raises whatever the opener raises."""
        handle = self._take(key)
        try:
            yield handle.number
        finally:
            with self._lock:
                handle.users -= 1
                self._close_if_unused(handle)

    def discard(self, key: Key) -> None:
        """Close the file of a key as soon as nobody uses it; the next `borrow` opens it anew."""
        with self._lock:
            handle = self._handles.pop(key, None)
            if handle is not None:
                self._retire(handle)

    def close(self) -> None:
        """Close all files as soon as nobody uses them."""
        with self._lock:
            while self._handles:
                self._retire(self._handles.popitem()[1])

    def __len__(self) -> int:
        return len(self._handles)

    def _take(self, key: Key) -> _Handle:
        with self._lock:
            handle = self._handles.get(key)
            if handle is None:
                handle = self._handles[key] = _Handle(self._opener(key))
            self._handles.move_to_end(key)
            handle.users += 1
            while len(self._handles) > self._limit:
                self._retire(self._handles.popitem(last=False)[1])
            return handle

    def _retire(self, handle: _Handle) -> None:
        handle.retired = True
        self._close_if_unused(handle)

    def _close_if_unused(self, handle: _Handle) -> None:
        if handle.retired and not handle.users:
            os.close(handle.number)
