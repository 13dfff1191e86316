"""What a peer that looks through another one's shares says, and what it hears.

Invariant: every length is checked while a message is decoded; an answer is one page, and whoever wants the next asks
for it, so nobody is sent more than was asked for.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from peerage.limits import ANSWER_RECORDS, MAX_NAME_BYTES, MAX_RECORD_BYTES, MAX_RECORD_PATH
from peerage.wire.message import Message, Request

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_BYTES)]
_RecordBytes = Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_RECORD_BYTES)]
_Place = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class Shelved(Message, frozen=True):
    """Some records of the answering peer; `after` in the last part is where the next page begins, 0 at the end."""

    code: ClassVar[bytes] = b"SHLV"
    records: Annotated[tuple[_RecordBytes, ...], msgspec.Meta(max_length=ANSWER_RECORDS)]
    after: _Place = 0


class Browse(Request[Shelved], frozen=True):
    """What do you share below this folder? Answered in parts, one page at a time, from `after` on."""

    code: ClassVar[bytes] = b"BRWS"
    path: Annotated[tuple[_Name, ...], msgspec.Meta(max_length=MAX_RECORD_PATH)] = ()
    after: _Place = 0
