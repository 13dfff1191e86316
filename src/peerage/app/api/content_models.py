"""What the local API gives about the files of contents; what holds for `models.py` holds here, too."""

from __future__ import annotations

from peerage.app.api.models import Answer, LevelName


class ContentFile(Answer, frozen=True):
    """One file of a content that this node has, or is getting."""

    number: int
    path: str  # inside the folder, "" for a single file
    size: int
    done: int  # bytes of it that are here
    wanted: bool  # False: it is left out of the download
    mime: str
    level: LevelName = "normal"  # how much it is wanted
