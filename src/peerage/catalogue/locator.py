"""The locator of a content: what stands for its id where the id itself must not be told.

A content id is all that is needed to fetch a content that is shared by link only. Its locator is a hash of it: who
knows the content knows the locator, too, and who only keeps or relays it learns nothing that could be fetched. Pure.
"""

from __future__ import annotations

from typing import Final

from blake3 import blake3

_CONTEXT: Final = "peerage 2026 content locator"


def locator_of(content_id: bytes) -> bytes:
    """Return the 32-byte locator of a content id."""
    return blake3(content_id, derive_key_context=_CONTEXT).digest()
