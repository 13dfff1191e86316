"""Contents as a person opens them: by content id, and a path inside a folder; shared, downloaded, or coming in.

Invariant: a path is looked up in the manifest, never on the disk, so there is no way out of a content. Names are for
show; what a file is called on this disk is not told.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

import msgspec

from peerage.app.api.content_models import ContentFile as FileView
from peerage.app.naming import UnknownNameError
from peerage.catalogue.library import Library
from peerage.catalogue.media_type import mime_of
from peerage.content.bitmap import Bitmap
from peerage.content.manifest import FolderManifest, PieceSpace
from peerage.content.reading import Reading, Stretch
from peerage.content.transfers import Transfers
from peerage.errors import AddressError, LocalError
from peerage.identity.keys import parse_id


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
        """List the files of a content, and how much of each is here."""
        content = _parsed(content_id)
        space = await self._space(content)
        here = await self.reading.pieces(content)
        download = self._transfers.listed(content)
        kept = download.kept_files() if download is not None and download.space is not None else range(space.file_count)
        paths = [file.path for file in space.manifest.files] if isinstance(space.manifest, FolderManifest) else [""]
        return [
            FileView(
                number=number,
                path=path,
                size=space.file_size(number),
                done=sum(_lengths_here(space, number, here)),
                wanted=number in kept,
                mime=mime_of(path or await self._name(content)),
            )
            for number, path in enumerate(paths)
        ]

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


def _lengths_here(space: PieceSpace, number: int, here: Bitmap | None) -> Iterator[int]:
    """Yield the lengths of the pieces of a file that are here; None means all."""
    for index in space.pieces_of(number):
        if here is None or index in here:
            yield space.length_of(index)
