"""What the doctor says; what holds for `models.py` holds here, too."""

from __future__ import annotations

from typing import Literal, Self

import msgspec

from peerage.app.api.models import Answer

CheckState = Literal["good", "warn", "bad", "unknown"]


class Check(Answer, frozen=True):
    """One thing that was looked at: how it is, and what to do about it."""

    name: str  # what was looked at: listening, reachable, peers, lan, clock, home, disk, downloads, shares, ...
    state: CheckState
    code: str  # what was found, for translation: the name, a dot, and a word, such as "disk.low"
    says: str  # the same as a sentence with the facts
    remedy: str = ""  # what to do, as sentences; "" where nothing is to be done
    # the facts in it, for translation; those that are no plain numbers end with _bytes, or are called seconds or days
    values: dict[str, str | int | float] = msgspec.field(default_factory=dict)

    @classmethod
    def of(cls, state: CheckState, code: str, says: str, remedy: str = "", **values: str | float) -> Self:
        """Return what was found."""
        return cls(name=code.partition(".")[0], state=state, code=code, says=says, remedy=remedy, values=values)
