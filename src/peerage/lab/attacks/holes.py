"""Holes: defences of the real code that are taken out for one run, to see what they are good for.

Invariant: what was replaced is back when `with` ends, in every module that had it. Holes exist in the lab only; the
code of a node has no switch for them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def hole(original: Callable[..., Any], instead: Callable[..., Any]) -> Iterator[None]:
    """Put `instead` in the place of a function of the package, wherever it has been imported."""
    name = original.__name__
    places = [
        module
        for path, module in sorted(sys.modules.items())
        if path.startswith("peerage.") and getattr(module, name, None) is original
    ]
    for module in places:
        setattr(module, name, instead)
    try:
        yield
    finally:
        for module in places:
            setattr(module, name, original)
