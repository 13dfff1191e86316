"""Contents as a person opens them: by content id, and a path inside a folder; shared, downloaded, or coming in.

Invariant: a path is looked up in the manifest, never on the disk, so there is no way out of a content. Names are for
show; what a file is called on this disk is not told.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Final

import msgspec

from peerage.app.api.content_models import ContentFile as FileView
from peerage.app.api.models import LevelName
from peerage.app.naming import UnknownNameError
from peerage.catalogue.library import Library
from peerage.catalogue.media_type import mime_of
from peerage.content.ledger import PieceState
from peerage.content.manifest import FolderManifest, PieceSpace
from peerage.content.picker import Priority
from peerage.content.reading import Reading, Stretch
from peerage.content.resting import bytes_here
from peerage.content.transfers import Transfers
from peerage.errors import AddressError, LocalError
from peerage.identity.keys import parse_id

_HAVE: Final = bytes([PieceState.HAVE])
_LEVELS: Final[dict[Priority, LevelName]] = {
    Priority.SKIP: "skip",
    Priority.LOW: "low",
    Priority.NORMAL: "normal",
    Priority.HIGH: "high",
    Priority.NOW: "high",
}


class ContentFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file that can be read; `tag` differs between any two contents."""

    content: bytes
    number: int
    name: str
    size: int
    mime: str
    tag: str

    def stretch(self, start: int, stop: int) -> Stretch:
        """Return some of its bytes, as `Reading` takes them."""
        return Stretch(content=self.content, file=self.number, offset=start, length=stop - start)


class Contents:
    """The contents that this node has or is getting."""

    def __init__(self, reading: Reading, transfers: Transfers, library: Library) -> None:
        self.reading = reading
        self._transfers = transfers
        self._library = library

    async def open(self, content_id: str, path: str = "") -> ContentFile:
        """Find a file; `path` only for one in a folder. Raises UnknownNameError, or LocalError when nobody has it."""
        content = _parsed(content_id)
        space = await self._space(content)
        manifest = space.manifest
        if isinstance(manifest, FolderManifest):
            if not path:
                raise LocalError("this is a folder: name a file of it, with its path behind the content id")
            number = next((n for n, file in enumerate(manifest.files) if file.path == path), None)
            if number is None:
                raise UnknownNameError(f"there is no file {path[:200]!r} in this folder")
            name = path.rpartition("/")[2]
        elif path:
            raise UnknownNameError("this is a single file, so there is nothing inside it")
        else:
            number, name = 0, await self._name(content)
        return ContentFile(
            content=content,
            number=number,
            name=name,
            size=space.file_size(number),
            mime=mime_of(name),
            tag=f"{content_id.lower()}.{number}",
        )

    async def files(self, content_id: str) -> list[FileView]:
        """List the files of a content, and how much of each is here; also of a download that rests."""
        content = _parsed(content_id)
        if self._transfers.listed(content) is not None:
            inside = await self._transfers.look_inside(content)
            if inside is not None:
                levels = inside.plan.choice.levels(inside.rules)
                return _listed(inside.plan.space, inside.states, levels, await self._name(content))
        space = await self._space(content)
        here = await self.reading.pieces(content)
        states = bytearray(_HAVE * space.count if here is None else bytes(space.count))
        for index in here or ():
            states[index] = PieceState.HAVE
        levels = dict.fromkeys(range(space.file_count), Priority.NORMAL)
        return _listed(space, bytes(states), levels, await self._name(content))

    async def _space(self, content: bytes) -> PieceSpace:
        space = await self.reading.space(content)
        if space is None:
            raise UnknownNameError("this content is neither shared nor downloaded here")
        return space

    async def _name(self, content: bytes) -> str:
        shared = await self._library.locate(content)
        if shared is not None and shared.files:
            return PurePath(shared.files[0].path).name
        download = self._transfers.listed(content)
        return download.wanted.target.name if download is not None else ""


def _parsed(content_id: str) -> bytes:
    try:
        return parse_id(content_id)
    except AddressError as error:
        raise UnknownNameError("a content is named by its id, of 52 characters") from error


def _listed(space: PieceSpace, states: bytes, levels: Mapping[int, Priority], name: str) -> list[FileView]:
    """Return the files of a content, by the states of its pieces; a file without a level is left out."""
    paths = [file.path for file in space.manifest.files] if isinstance(space.manifest, FolderManifest) else [""]
    return [
        FileView(
            number=number,
            path=path,
            size=space.file_size(number),
            done=bytes_here(space, number, states),
            wanted=levels.get(number, Priority.SKIP) is not Priority.SKIP,
            mime=mime_of(path or name),
            level=_LEVELS[levels.get(number, Priority.SKIP)],
        )
        for number, path in enumerate(paths)
    ]
