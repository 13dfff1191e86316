"""Records, keys and an executor for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from blake3 import blake3

from peerage.catalogue.hashing import FolderEntry, HashedContent
from peerage.catalogue.media_type import FOLDER_MIME, mime_of
from peerage.catalogue.record import Description, Kind, Meta, Record, Visibility
from peerage.identity.keys import PeerKey

KEYS = tuple(PeerKey.from_seed(bytes([number]) * 32) for number in range(1, 5))
ME = KEYS[0]


class InlineExecutor(Executor):
    """Runs everything at once, in the thread that asks."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def content_of(text: str) -> bytes:
    return blake3(text.encode(errors="surrogatepass")).digest()


def describe(name: str, **changes: Any) -> Description:
    fields: dict[str, Any] = {
        "content": content_of(name),
        "kind": Kind.FILE,
        "name": name,
        "size": 1000,
        "mime": mime_of(name),
    }
    fields |= changes
    if fields["kind"] is Kind.FOLDER:
        fields["mime"] = FOLDER_MIME
    return Description(**fields)


def record(name: str, key: PeerKey = KEYS[1], issued: int = 1_700_000_000, **changes: Any) -> Record:
    return Record.sign(key, describe(name, **changes), issued)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def time(self) -> float:
        return self.now


class Hasher:
    """A real hasher with the simplest manifests; `read` lists what it was asked to read."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.meanwhile: Callable[[Path], None] = lambda path: None

    def hash_file(self, path: Path, progress: Callable[[int], None]) -> HashedContent:
        self.read.append(path.name)
        data = path.read_bytes()
        self.meanwhile(path)
        progress(len(data))
        manifest = b"file" + blake3(data).digest()
        return HashedContent(blake3(manifest).digest(), len(data), manifest)

    def combine_folder(self, entries: Sequence[FolderEntry]) -> HashedContent:
        assert list(entries) == sorted(entries, key=lambda entry: entry.relative)
        manifest = b"folder" + b"".join(entry.relative.encode() + entry.content.manifest for entry in entries)
        return HashedContent(blake3(manifest).digest(), sum(entry.content.size for entry in entries), manifest)


def make_files(root: Path, *names: str) -> Path:
    """Make files whose bytes are their names."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


__all__ = [
    "KEYS",
    "ME",
    "Clock",
    "Hasher",
    "InlineExecutor",
    "Kind",
    "Meta",
    "Visibility",
    "content_of",
    "describe",
    "make_files",
    "record",
]
