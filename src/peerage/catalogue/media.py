"""What audio and video files say about themselves, read with mutagen.

Invariant: whatever is in the file, the outcome is a Meta within its bounds or None; a broken tag never keeps a file
from being shared. Only files whose name says audio or video are opened.
"""

from __future__ import annotations

import logging
import math
import struct
from pathlib import Path
from typing import Any, Final

import mutagen

from peerage.catalogue.media_type import MediaType, media_type_of, mime_of
from peerage.catalogue.record import Meta
from peerage.catalogue.text import showable
from peerage.limits import MAX_META_CHARS

_log = logging.getLogger(__name__)

# mutagen reads files as they come, and broken ones make its parsers fail in any of these ways.
_UNREADABLE: Final = (
    mutagen.MutagenError,
    OSError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
# The same thing has another name in each format: `easy` settles most, the rest are of ASF and of ID3 in WAV and AIFF.
_TITLE: Final = ("title", "Title", "TIT2")
_ARTIST: Final = ("artist", "Author", "TPE1", "albumartist")
_ALBUM: Final = ("album", "WM/AlbumTitle", "TALB")
_MAX_DURATION: Final = 1e8
_MAX_BITRATE: Final = 2**40


def read_meta(path: Path) -> Meta | None:
    """Return title, artist, album, duration and bitrate of an audio or video file; None where there is nothing."""
    if media_type_of(mime_of(path.name)) not in {MediaType.AUDIO, MediaType.VIDEO}:
        return None
    try:
        file = mutagen.File(path, easy=True)
        meta = None if file is None else _meta_of(file)
    except _UNREADABLE as error:
        _log.debug("no metadata in %s: %s", path, error)
        return None
    return None if meta == Meta() else meta


def _meta_of(file: Any) -> Meta:
    tags = file.tags or {}
    return Meta(
        title=_first(tags, _TITLE),
        artist=_first(tags, _ARTIST),
        album=_first(tags, _ALBUM),
        duration=round(_number(file.info, "length", _MAX_DURATION), 3),
        bitrate=int(_number(file.info, "bitrate", _MAX_BITRATE)),
    )


def _first(tags: Any, names: tuple[str, ...]) -> str:
    """Return the first tag of these names that holds text."""
    for name in names:
        try:
            values = tags[name]
        except (KeyError, ValueError):  # some formats refuse to be asked for a name that they cannot have
            continue
        text = str(values[0] if isinstance(values, list) and values else values).strip()
        if text:
            return showable(text, 4 * MAX_META_CHARS)[:MAX_META_CHARS]
    return ""


def _number(info: Any, name: str, most: float) -> float:
    value = float(getattr(info, name, 0) or 0)
    return value if math.isfinite(value) and 0 <= value <= most else 0.0
