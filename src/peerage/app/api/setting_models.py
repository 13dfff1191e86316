"""What the API takes and gives about settings; what holds for `models.py` holds here, too."""

from __future__ import annotations

from typing import Annotated

import msgspec

from peerage.app.api.models import MAX_TEXT, Answer, Body

MAX_CHANGES = 100

Item = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
SettingValue = bool | int | Item | Annotated[list[Item], msgspec.Meta(max_length=1000)]


class SettingEntry(Answer, frozen=True):
    """One setting as the configuration file has it; its name is that of the section, a dot, and its own."""

    name: str
    value: bool | int | str | list[str]
    default: bool | int | str | list[str]
    at_once: bool  # whether a change is used at once
    restart: bool  # whether it was changed, and is used after the next start only


class SettingChange(Body, frozen=True):
    """A new value for a setting."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    value: SettingValue


class Reloaded(Answer, frozen=True):
    """What was found when the configuration file was read again."""

    changed: list[str]  # settings that are other now, and used
    restart: list[str]  # settings that wait for the next start


class SettingsBody(Body, frozen=True):
    """Change these, all or none."""

    changes: Annotated[list[SettingChange], msgspec.Meta(min_length=1, max_length=MAX_CHANGES)]
