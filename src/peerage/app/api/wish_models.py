"""What the local API takes and gives about saved searches; what holds for `models.py` holds here, too."""

from __future__ import annotations

from typing import Annotated

import msgspec

from peerage.app.api.models import Answer, Body, Hit
from peerage.limits import MAX_QUERY_CHARS


class WishBody(Body, frozen=True):
    """Search for this from time to time, and download what is found, up to `get_bytes` in all (0: nothing)."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=4 * MAX_QUERY_CHARS)]
    get_bytes: Annotated[int, msgspec.Meta(ge=0, le=2**50)] = 0


class Wish(Answer, frozen=True):
    """A saved search as it stands."""

    id: int
    text: str
    added: float
    searched: float | None  # when it was last searched for
    due: float  # when it is next, at the earliest
    results: int
    new: int  # of them not seen yet
    get_bytes: int
    got_bytes: int  # of that begun to be downloaded
    note: str = ""  # why the last search or download came to nothing


class WishResult(Answer, frozen=True):
    """Something that a saved search found."""

    hit: Hit  # its number is its place in the list, the newest first
    found: float
    new: bool  # not seen yet
    downloaded: bool  # because the wish says so


class WishChanged(Answer, frozen=True, tag="wish", tag_field="event"):
    """A wish that is new or has changed; with more `new` results than before, something was found."""

    wish: Wish
