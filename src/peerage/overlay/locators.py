"""Locators: what stands for a content id in a question to everybody.

A content id is all that is needed to fetch a content that is shared by link only, so it must not pass through the hands
of strangers. Its locator is a hash of it: who has the content knows the locator, too, and who only relays the question
learns nothing that could be fetched. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from peerage.catalogue.locator import locator_of as _hash
from peerage.limits import MAX_RECORDS_PER_HOLDER

_SHORT: Final = 12  # bytes of a locator that are kept: 200,000 of them do not collide, and a collision harms nobody


@lru_cache(maxsize=1024)
def locator_of(content_id: bytes) -> bytes:
    """Return the 32-byte locator of a content id."""
    return _hash(content_id)


class LocatorTable:
    """Which content of this node a locator means; bounded, the oldest give way.

    Contents that have gone are found, too: who asks checks what it gets, and removes it.
    """

    def __init__(self, maximum: int = MAX_RECORDS_PER_HOLDER) -> None:
        self._maximum = maximum
        self._contents: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._contents)

    def add(self, content_ids: Iterable[bytes]) -> None:
        """Make these contents known."""
        for content_id in content_ids:
            self._contents[_hash(content_id)[:_SHORT]] = content_id
            if len(self._contents) > self._maximum:
                del self._contents[next(iter(self._contents))]

    def remove(self, content_id: bytes) -> None:
        """Forget a content."""
        self._contents.pop(_hash(content_id)[:_SHORT], None)

    def find(self, locator: bytes, further: Iterable[bytes] = ()) -> bytes | None:
        """Return the content that a locator means, among those added and a few `further` ones."""
        known = self._contents.get(locator[:_SHORT])
        if known is not None and locator_of(known) == locator:
            return known
        return next((content_id for content_id in further if locator_of(content_id) == locator), None)
