"""Which thing a person means: by its id, by the beginning of its id, or by its name.

Invariant: what is found is what was meant, or nothing: two that fit are an error that says so, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeVar

from peerage.errors import LocalError

ItemT = TypeVar("ItemT")

_BEGINNING: Final = re.compile("[a-z2-7]{4,52}")  # fewer characters would fit too often to be told apart


class Named(NamedTuple):
    """What can be said to mean something."""

    id: str
    name: str = ""


class UnknownNameError(LocalError):
    """Nothing fits what was said."""


def find(said: str, items: Iterable[tuple[Named, ItemT]], what: str) -> ItemT:
    """Return the one item that `said` means; raises UnknownNameError for none, LocalError for several."""
    listed = list(items)
    for fitting in (_by_id(said, listed), _by_name(said, listed)):
        if len(fitting) == 1:
            return next(iter(fitting.values()))
        if fitting:
            raise LocalError(f"{len(fitting)} {what}s fit {_short(said)}: write more of the id")
    raise UnknownNameError(f"there is no {what} {_short(said)}")


def _by_id(said: str, items: list[tuple[Named, ItemT]]) -> dict[str, ItemT]:
    beginning = said.strip().lower()
    if not _BEGINNING.fullmatch(beginning):
        return {}
    return {named.id: item for named, item in items if named.id.startswith(beginning)}


def _by_name(said: str, items: list[tuple[Named, ItemT]]) -> dict[str, ItemT]:
    return {named.id: item for named, item in items if named.name and named.name == said}


def _short(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:97] + "...")
