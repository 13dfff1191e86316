"""Records, keys and an executor for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from blake3 import blake3

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


__all__ = ["KEYS", "ME", "InlineExecutor", "Kind", "Meta", "Visibility", "content_of", "describe", "record"]
