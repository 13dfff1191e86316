"""What old peers answer, as a person sees it: which words to ask them for, and hits that are marked unverified.

Invariant: an unverified hit says so; its name was made safe to show, its size is not known, and it is shown only when
its name answers the query as far as a name can.
"""

from __future__ import annotations

import re
from typing import Final

from peerage.app.api import models
from peerage.catalogue.media_type import mime_of
from peerage.catalogue.query import AnyOf, Query, Term, Words
from peerage.catalogue.record import Description, Record, display_name
from peerage.catalogue.text import fold
from peerage.classic.downloads import OldDownload
from peerage.classic.links import OldLink
from peerage.classic.questions import OldHit
from peerage.content.names import safe_name
from peerage.content.status import DownloadState
from peerage.identity.keys import format_id

MOST_KEYS: Final = 3  # questions to each old peer: the alternatives of an OR
_NOBODY: Final = bytes(32)


def keys_of(query: Query) -> tuple[str, ...]:
    """Return the words to ask for: the wire of 2007 knows one word without a blank, in upper or lower case as typed."""
    choices = [_words_of(group.terms) for group in query.wanted]
    complete = [words for words in choices if words]
    if not complete:
        return ()
    best = min(complete, key=lambda words: (len(words), -min(map(len, words))))
    return tuple(_as_typed(word, query.text) for word in best[:MOST_KEYS])


def _words_of(terms: tuple[object, ...]) -> list[str]:
    """Return the longest word of each alternative; nothing when one of them is no word."""
    words = [max(term.words, key=len) for term in terms if isinstance(term, Words)]
    return words if len(words) == len(terms) else []


def _as_typed(word: str, text: str) -> str:
    found = re.search(re.escape(word), text, re.IGNORECASE)
    return found[0] if found else word


def answers(query: Query, hit: OldHit) -> bool:
    """Whether a name answers a query: as in 2007, a word may be any part of it; a size or a length nobody knows."""
    name = OldLink(hit.holder, hit.wire_name).name
    record = Record.draft(_NOBODY, Description(content=_NOBODY, name=name, size=0, mime=mime_of(name)))
    wanted = all(any(_fits(term, record) for term in group.terms) for group in query.wanted)
    return wanted and not any(_fits(term, record) for term in query.unwanted)


def _fits(term: Term, record: Record) -> bool:
    if isinstance(term, Words):
        name = fold(record.name)
        return all(word in name for word in term.words)
    return Query(text="", wanted=(AnyOf((term,)),)).matches(record)


def hit_view(hit: OldHit, number: int) -> models.Hit:
    """Show what an old peer is said to have."""
    link = OldLink(hit.holder, hit.wire_name)
    name = display_name(link.name)
    mime = mime_of(name)
    record = Record.draft(_NOBODY, Description(content=_NOBODY, name=name, size=0, mime=mime))
    return models.Hit(
        number=number,
        link=str(link),
        content_id=format_id(link.place_id),
        name=name,
        size=0,
        sources=1,
        type=record.media_type.value,
        meta=None,
        mime=mime,
        path=f"{hit.holder}",
        holders=[],
        unverified=True,
    )


def transfer_view(download: OldDownload) -> models.Transfer:
    """Show a download from an old peer."""
    left = (download.size or 0) - download.done
    return models.Transfer(
        content_id=format_id(download.content_id),
        name=download.target.name,
        link=str(download.link),
        state=download.state.value,
        size=download.size,
        wanted=download.size,
        done=download.done,
        rate_down=download.rate,
        sources=int(download.state is DownloadState.RUNNING),
        eta=left / download.rate if download.rate and left else None,
        path=str(download.target),
        error=str(download.error or ""),
        note=_note(download),
        unverified=not download.verified,
    )


def _note(download: OldDownload) -> str:
    if download.state is not DownloadState.DONE or download.content is None:
        return ""
    said = "checked" if download.verified else "unverified: this is what the old peer sent"
    return f"{said}; its content id is {format_id(download.content)}"


def file_name_of(link: OldLink) -> str:
    """Return the name that a file gets here."""
    return safe_name(link.name)
