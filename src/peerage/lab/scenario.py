"""Scenarios: experiments written down in a TOML file, so that others can run the very same.

    title = "A classroom"
    overlays = "index-1999, flood"     # or "all"
    seeds = 3
    attack = "massfailure"             # if there is to be one; then only the first overlay counts
    share = 0.5                        # of the peers that it takes

    [world]                            # experiment.Spec, field by field
    peers = 30
    nat = 0.5

    [stock]                            # holdings.Stock
    rare = 10

Invariant: a file with a word in it that means nothing is refused with the place, never half understood.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from peerage.errors import LocalError
from peerage.lab.experiment import Spec
from peerage.lab.generations import chosen
from peerage.lab.holdings import Stock

_SUFFIX: Final = ".toml"
_MAX_BYTES: Final = 64 * 1024  # of a file; a hundred times what a scenario needs
_OURS: Final = ("generation", "stock")  # fields of Spec that are said elsewhere in the file


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file, as it is written; `spec` puts its parts together."""

    title: str
    about: str = ""
    overlays: str = "all"
    seeds: int = 1
    attack: str | None = None
    share: float | None = None
    world: dict[str, object] = {}
    stock: Stock = Stock()

    @property
    def spec(self) -> Spec:
        """Return the specification of its experiments; raises LocalError when something in it makes no sense."""
        unknown = self.world.keys() - {*Spec.__struct_fields__} | self.world.keys() & {*_OURS}
        if unknown:
            known = ", ".join(name for name in Spec.__struct_fields__ if name not in _OURS)
            raise LocalError(f"[world] has no {min(unknown)!r}; it can have: {known}")
        names = chosen(self.overlays)
        try:
            return msgspec.convert({**self.world, "generation": names[0], "stock": self.stock}, Spec)
        except msgspec.ValidationError as error:
            raise LocalError(f"[world]: {error}") from error


def builtin() -> dict[str, Scenario]:
    """Return the scenarios that come with the package, by name."""
    folder = resources.files("peerage.lab") / "scenarios"
    files = sorted((each for each in folder.iterdir() if each.name.endswith(_SUFFIX)), key=lambda each: each.name)
    return {each.name.removesuffix(_SUFFIX): read(each.read_bytes(), each.name) for each in files}


def load(name: str) -> Scenario:
    """Return the scenario of a file, or the built-in one of that name; LocalError says what is wrong with it."""
    path = Path(name)
    if path.suffix == _SUFFIX or path.is_file():
        try:
            with path.open("rb") as file:
                return read(file.read(_MAX_BYTES + 1), name)
        except OSError as error:
            raise LocalError(f"{name} cannot be read: {error.strerror}") from error
    found = builtin()
    if name not in found:
        raise LocalError(f"there is no scenario {name!r}: name a .toml file, or one of: {', '.join(found)}")
    return found[name]


def read(data: bytes, name: str) -> Scenario:
    """Read a scenario; `name` is for the errors."""
    if len(data) > _MAX_BYTES:
        raise LocalError(f"{name} is no scenario: it has more than {_MAX_BYTES} bytes")
    try:
        scenario = msgspec.toml.decode(data, type=Scenario)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LocalError(f"{name}: {error}") from error
    if not 1 <= scenario.seeds <= 100:
        raise LocalError(f"{name}: seeds go from 1 to 100")
    try:
        scenario.spec  # noqa: B018 -- complains about what is wrong in it
    except LocalError as error:
        raise LocalError(f"{name}: {error}") from error
    return scenario
