"""The hits of the last search, so that `get 3` means the third of them, in this run or the next.

Invariant: the list is the last search's and no longer than its limit; a damaged file is an empty list, for it can be
searched again. Whether the holders still live is not known here.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from peerage.app.api.models import Hit
from peerage.app.naming import Named, find
from peerage.whole_file import write_whole

log = logging.getLogger("peerage.app")


class RecentHits:
    """The hits of the search that began last, by number."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hits: dict[int, Hit] = {}

    def load(self) -> None:
        """Read what the last run left; blocks."""
        try:
            hits = msgspec.json.decode(self._path.read_bytes(), type=list[Hit])
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("the last search in %s cannot be read: %s", self._path, error)
            return
        self._hits = {hit.number: hit for hit in hits}

    def begin(self) -> dict[int, Hit]:
        """Forget the last search; the caller puts the hits of a new one into what is returned."""
        self._hits = {}
        return self._hits

    def save(self) -> None:
        """Keep the hits for the next run; blocks. A disk that refuses costs no more than that."""
        data = msgspec.json.encode(list(self._hits.values()))
        try:
            write_whole(self._path, data, durable=False)  # the end of a search waits for this, and need not for a disk
        except OSError as error:
            log.warning("the last search cannot be kept: %s", error)

    def get(self, number: int) -> Hit | None:
        """Return a hit by its number."""
        return self._hits.get(number)

    def of_content(self, content_id: str) -> Hit | None:
        """Return the hit of a content id."""
        return next((hit for hit in self._hits.values() if hit.content_id == content_id), None)

    def find(self, said: str) -> Hit:
        """Return the hit that an id, its beginning or a name means; raises LocalError."""
        return find(said, [(Named(hit.content_id, hit.name), hit) for hit in self._hits.values()], "hit")
