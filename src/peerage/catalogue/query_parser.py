"""Search texts to queries.

Grammar: terms stand side by side and must all match. A term is a word, a word with `*` at its end (a beginning), a
"phrase", or a filter such as `type:audio`; `-` before a term excludes it; OR between two terms means either, and binds
closer than standing side by side. A word with punctuation inside counts as a phrase (`jay-z`), punctuation alone as
nothing, so that pasted titles work.
Invariant: whatever the text, the outcome is a Query within the bounds of limits.py or a QueryError that points at the
character; the work is linear in the text.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from peerage.catalogue.filters import FILTER_NAMES, FilterError, parse_filter
from peerage.catalogue.query import AnyOf, Query, Term, Words
from peerage.catalogue.text import search_words, stands_alone
from peerage.errors import QueryError
from peerage.limits import MAX_QUERY_CHARS, MAX_QUERY_TERMS

_TOKEN: Final = re.compile(r'\s*(?P<minus>-(?=[^\s-]))?(?:"(?P<phrase>[^"]*)(?P<close>"\*?)?|(?P<plain>[^\s"]+))')
_FILTER: Final = re.compile(r"(?P<name>[A-Za-z]+):(?P<value>.*)", re.DOTALL)
_MIN_PREFIX: Final = 2  # one letter and a star would walk through half the index
_QUOTES: Final = str.maketrans("\u201c\u201d\u201e\u201f\uff02", '"' * 5)  # what phones and word processors type


class _Piece(msgspec.Struct, frozen=True):
    """One term of the text, where it starts, and whether a minus or an OR stood before it."""

    term: Term
    position: int
    excluded: bool
    alternative: bool


def parse(text: str) -> Query:
    """Read a search text; raises QueryError, which points at the character at fault."""
    if len(text) > MAX_QUERY_CHARS:
        raise QueryError(f"a query has at most {MAX_QUERY_CHARS} characters", text, MAX_QUERY_CHARS)
    pieces = _Parser(text).pieces()
    if len(pieces) > MAX_QUERY_TERMS:
        raise QueryError(f"a query has at most {MAX_QUERY_TERMS} terms", text, pieces[MAX_QUERY_TERMS].position)
    groups: list[list[Term]] = []
    for piece in pieces:
        if piece.alternative:
            groups[-1].append(piece.term)
        elif not piece.excluded:
            groups.append([piece.term])
    if not groups:
        reason = "say also what to look for, not only what to leave out" if pieces else "there is nothing to look for"
        raise QueryError(reason, text, pieces[0].position if pieces else 0)
    unwanted = tuple(piece.term for piece in pieces if piece.excluded)
    return Query(text, tuple(AnyOf(tuple(terms)) for terms in groups), unwanted)


class _Parser:
    """Cuts one text into pieces."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._source = text.translate(_QUOTES)
        self._pieces: list[_Piece] = []
        self._or_at: int | None = None  # where an OR stands that still waits for its right side

    def pieces(self) -> list[_Piece]:
        position = 0
        while match := _TOKEN.match(self._source, position):
            position = match.end()
            if match["plain"] == "OR" and not match["minus"]:
                self._take_or(match.start("plain"))
            else:
                self._take_term(match)
        if self._or_at is not None:
            raise self._error("OR needs a term on its right side, too", self._or_at)
        return self._pieces

    def _take_or(self, at: int) -> None:
        if not self._pieces or self._pieces[-1].excluded or self._or_at is not None:
            raise self._error('OR needs a term on its left side; to look for the word, write "or"', at)
        self._or_at = at

    def _take_term(self, match: re.Match[str]) -> None:
        start = match.start("minus") if match["minus"] else match.start("plain" if match["plain"] else "phrase")
        term = self._phrase(match) if match["plain"] is None else self._plain(match["plain"], match.start("plain"))
        if term is None:
            return
        if self._or_at is not None and match["minus"]:
            raise self._error("an exclusion cannot be one side of OR", start)
        self._pieces.append(_Piece(term, start, match["minus"] is not None, self._or_at is not None))
        self._or_at = None

    def _phrase(self, match: re.Match[str]) -> Term | None:
        if not match["close"]:
            raise self._error("this quotation mark is not closed", match.start("phrase") - 1)
        return self._words(match["phrase"], match.start("phrase"), prefix=match["close"].endswith("*"))

    def _plain(self, plain: str, at: int) -> Term | None:
        named = _FILTER.match(plain)
        if named is None or not named["value"].strip(":/*"):
            if named and named["name"].lower() in FILTER_NAMES:
                raise self._error(f"say which, right after the colon: {named['name']}:...", at + named.end("name") + 1)
            return self._words(plain.rstrip("*"), at, prefix=plain.endswith("*"))
        try:
            return parse_filter(named["name"].lower(), named["value"])
        except FilterError as error:
            position = at if error.about_name else at + named.start("value")
            raise self._error(str(error), position) from error

    def _words(self, text: str, at: int, *, prefix: bool) -> Words | None:
        words = tuple(search_words(text))
        if not words:
            return None
        if prefix and len(words[-1]) < _MIN_PREFIX and not stands_alone(words[-1]):
            raise self._error(f"a beginning needs at least {_MIN_PREFIX} letters before the *", at + len(text))
        return Words(words, prefix)

    def _error(self, reason: str, position: int) -> QueryError:
        return QueryError(reason, self._text, position)
