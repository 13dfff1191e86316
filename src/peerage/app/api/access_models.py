"""What the API takes and gives about keys and sessions; what holds for `models.py` holds here, too."""

from __future__ import annotations

from typing import Annotated

import msgspec

from peerage.app.api.models import Answer, Body
from peerage.app.api.permissions import Permission, RoleName


class KeyBody(Body, frozen=True):
    """Make a key for somebody."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    role: RoleName = "user"


class KeyEntry(Answer, frozen=True):
    """A key that was given to somebody."""

    id: str
    name: str
    role: RoleName
    created: float


class NewKey(Answer, frozen=True):
    """A key that was just made; what opens is told this once."""

    key: KeyEntry
    secret: str


class RemoveKeyBody(Body, frozen=True):
    """Take a key back, by its id or its name; its sessions end."""

    key: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class PasswordBody(Body, frozen=True):
    """Set the owner's password; "" takes it away."""

    password: Annotated[str, msgspec.Meta(max_length=200)]


class LoginBody(Body, frozen=True):
    """Begin a session with the owner's password, or with a key."""

    secret: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class EntranceLink(Answer, frozen=True):
    """A link that lets a browser in, once, and within `seconds`."""

    url: str
    seconds: float


class Me(Answer, frozen=True):
    """Who asks, and what he may do."""

    name: str
    role: RoleName
    permissions: list[Permission]
