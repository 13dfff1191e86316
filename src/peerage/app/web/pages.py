"""Hands out the files of the page, which are open to whoever reaches this node's API: there is no secret in them.

Invariant: only files that were in the package at the start are ever sent, from memory, under the name of the page's
version; so a browser keeps them for good, and asks only for the frame again. Nothing here reads what a request says
but its path, its method and what encodings its browser takes.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import mimetypes
import posixpath
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

from peerage.app.api.guard import Receive, Scope, Send

VIEWS: Final = ("home", "search", "transfers", "library", "network", "settings")
ROOT: Final = "/page/"

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
_ALWAYS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_TYPES: Final = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".md": "text/plain"}
_ENTRY: Final = "app.js"
_IMPORT: Final = re.compile(r'\bfrom\s*"(\.[^"]+)"|^import\s*"(\.[^"]+)"', re.MULTILINE)
_VERSION_CHARS: Final = 16

Headers = list[tuple[bytes, bytes]]


class PageFile(NamedTuple):
    """One file as it is sent."""

    body: bytes
    packed: bytes  # the same through gzip; empty where that gains nothing
    headers: Headers


class Page(NamedTuple):
    """All that a browser can get."""

    version: str
    frames: dict[str, PageFile]  # by view; they differ in what is asked for early
    files: dict[str, PageFile]  # by path


async def serve_page(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request for the page or one of its files (an ASGI application)."""
    del receive
    found = _find(scope["path"])
    if scope["method"] not in ("GET", "HEAD"):
        await _send(send, 405, [(b"allow", b"GET, HEAD"), (b"content-length", b"0")], b"")
        return
    if found is None:
        await _send(send, 404, [(b"content-type", b"text/plain; charset=utf-8")], b"there is no such page")
        return
    packed = bool(found.packed) and _takes_gzip(scope)
    body = found.packed if packed else found.body
    headers = [*found.headers, (b"content-length", str(len(body)).encode())]
    if packed:
        headers.append((b"content-encoding", b"gzip"))
    await _send(send, 200, headers, b"" if scope["method"] == "HEAD" else body)


@functools.cache
def page() -> Page:
    """Read the page from the package, once."""
    found = dict(_walk(files(__package__) / "page", ""))
    version = hashlib.sha256(b"\0".join(name.encode() + b"\0" + body for name, body in sorted(found.items())))
    root = f"{ROOT}{version.hexdigest()[:_VERSION_CHARS]}/"
    frame = found.pop("index.html").decode().replace("{root}", root)
    for_good = (b"cache-control", b"public, max-age=31536000, immutable")
    return Page(
        version.hexdigest()[:_VERSION_CHARS],
        {view: _frame(frame.replace("{early}", _early(root, view, found))) for view in VIEWS},
        {f"{root}{name}": _page_file(name, body, for_good) for name, body in found.items()},
    )


# --- inside -----------------------------------------------------------------------------------------------------


def _find(path: str) -> PageFile | None:
    if path.startswith(ROOT):
        return page().files.get(path)
    return page().frames.get("home" if path == "/" else path[1:].rstrip("/"))


def _frame(text: str) -> PageFile:
    return _page_file("index.html", text.encode(), (b"cache-control", b"no-cache"))


def _walk(folder: Traversable, above: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        name = f"{above}{entry.name}"
        if entry.is_dir():
            yield from _walk(entry, f"{name}/")
        elif not entry.name.startswith("."):
            yield name, entry.read_bytes()


def _early(root: str, view: str, found: dict[str, bytes]) -> str:
    """Name all modules that a view needs, so that a browser asks for them at once instead of one after the other."""
    needed: set[str] = set()
    wanted = [_ENTRY, f"{view}/{view}.js"]
    while wanted:
        name = wanted.pop()
        if name not in needed:
            needed.add(name)
            wanted += _imports(name, found[name].decode())
    return "\n    ".join(f'<link rel="modulepreload" href="{root}{name}">' for name in sorted(needed))


def _imports(name: str, text: str) -> Iterator[str]:
    """Give what a module imports at once, by path within the page; what it imports later is not needed yet."""
    for said in _IMPORT.findall(text):
        yield posixpath.normpath(posixpath.join(posixpath.dirname(name), "".join(said)))


def _page_file(name: str, body: bytes, caching: tuple[bytes, bytes]) -> PageFile:
    suffix = name[name.rfind(".") :]
    kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind.endswith(("json", "xml"))
    packed = gzip.compress(body, 9, mtime=0) if text else b""
    said = f"{kind}; charset=utf-8" if text else kind
    headers = [(b"content-type", said.encode()), caching, (b"vary", b"accept-encoding"), *_ALWAYS]
    return PageFile(body, packed if len(packed) < len(body) else b"", headers)


def _takes_gzip(scope: Scope) -> bool:
    said = next((value for name, value in scope["headers"] if name == b"accept-encoding"), b"")
    return any(part.split(b";")[0].strip() == b"gzip" for part in said.split(b","))


async def _send(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
