"""What the API gives to choose what to share; what holds for `models.py` holds here, too."""

from __future__ import annotations

from typing import Literal

from peerage.app.api.models import Answer


class FolderEntry(Answer, frozen=True):
    """A file or a folder of this computer; `path` is what to look into next, or to share."""

    name: str
    path: str
    kind: Literal["file", "folder"]
    size: int = 0  # of a file
    shared: bool = False  # by itself, or with the folder that it is in


class Folder(Answer, frozen=True):
    """What is in a folder: folders first, then files, each by name; hidden and temporary names are left out."""

    path: str  # "" for the list of folders that may be looked through
    parent: str | None  # "" for that list, None for the list itself
    entries: list[FolderEntry]
    more: bool = False  # there is more than is listed
