"""The framework of 2007: its interface for old programs, and its wire for old peers.

Invariant: importing the package loads neither; each name is fetched from its module when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peerage.classic.btpeer import BTPeer, BTPeerConnection

__all__ = ["BTPeer", "BTPeerConnection"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("peerage.classic.btpeer"), name)
