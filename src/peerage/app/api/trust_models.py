"""What the local API says about how far a hit is to be trusted; what holds for `models.py` holds here, too."""

from __future__ import annotations

from typing import Literal

import msgspec


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a content beyond its record; votes count as far as their voters agree with the owner."""

    standing: Literal["show", "warn", "hide"]
    score: float  # -1 known to be bad, 0 nothing known, 1 known to be good
    votes_for: int  # all that are known, those that weigh nothing included
    votes_against: int
    weight_for: float
    weight_against: float
    malware: int  # of the votes against
    own: str  # what the owner said: good, fake, malware, or ""
    proved: bool | None  # whether a holder has shown that it has it; None: not known
    why: list[str]  # short phrases with numbers, the weightiest first
