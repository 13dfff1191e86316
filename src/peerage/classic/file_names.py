"""The names under which files of this node are known to old peers.

Invariant: the mapping loses nothing and no two files share a name. Fields of the wire of 2007 end at a blank, ids are
split at colons, and the GUI writes what it fetches under the name it was told; so a name on the wire has neither blanks
nor colons nor anything that leads out of a folder: such characters are written as `%XX`, one for each byte of UTF-8.
Of several contents with one name each gets its id put before the ending: `notes%=abcdefghijklmnop.txt`; as `%` itself
is written `%25`, no real name looks like that.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from peerage.identity.keys import format_id
from peerage.limits import CLASSIC_KEY_CHARS, MAX_NAME_BYTES

_RESERVED: Final = frozenset('%:/\\<>"|?*')  # the last six: what Windows does not take in a file name
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_ID_CHARS: Final = 16  # 80 bits of a content id: nobody has two files that agree in them
_QUALIFIER: Final = re.compile(rf"%=([a-z2-7]{{{_ID_CHARS}}})")
MAX_WIRE_NAME: Final = 3 * MAX_NAME_BYTES + _ID_CHARS + 2


class WireName(NamedTuple):
    """What a name on the wire means: a file name, and the beginning of a content id, "" where it says none."""

    name: str
    content: str = ""


def to_wire(name: str) -> str:
    """Return a file name as old peers get it; ordinary names stay as they are."""
    return "".join(
        each if each.isprintable() and each != " " and each not in _RESERVED else _escaped(each) for each in name
    )


def to_wire_with_id(name: str, content: bytes) -> str:
    """Return a file name that names its content, too, because another file has the same name."""
    stem, dot, ending = to_wire(name).rpartition(".")
    qualifier = f"%={short_id(content)}"
    return f"{stem}{qualifier}.{ending}" if dot and stem else f"{ending if not dot else dot + ending}{qualifier}"


def from_wire(wire: str) -> WireName:
    """Return what a name on the wire means, also one that somebody wrote without escapes."""
    found = _QUALIFIER.search(wire)
    plain = wire[: found.start()] + wire[found.end() :] if found else wire
    raw = _ESCAPE.sub(lambda each: bytes([int(each[1], 16)]), plain.encode("utf-8", "surrogateescape"))
    return WireName(raw.decode("utf-8", "surrogateescape"), found[1] if found else "")


def short_id(content: bytes) -> str:
    """Return the part of a content id that stands in a name."""
    return format_id(content)[:_ID_CHARS]


def is_sendable(field: str) -> bool:
    """Whether a text can be one field of a message: not empty, no white space in it, not too long."""
    return 0 < len(field) <= max(MAX_WIRE_NAME, CLASSIC_KEY_CHARS) and not any(each.isspace() for each in field)


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
