"""Whether a record that came as an answer may be passed on, and whether it may be shown.

A relay checks what is cheap: that it is a record (bounds, showable text) and public. The signature costs twenty times
as much and tells a relay nothing that it could act upon, so only the asker checks it, together with all else.
Invariant: what `check_hit` lets pass was signed by its holder, answers the query, and was meant for this node. Pure.
"""

from __future__ import annotations

from enum import StrEnum

from peerage.catalogue.query import Query
from peerage.catalogue.record import Record, Visibility, decode
from peerage.errors import ForgedError, ProtocolError


class Refused(StrEnum):
    """Why a record is not shown; what the counters call it."""

    MALFORMED = "malformed"
    PRIVATE = "private"  # not for this node
    FOREIGN = "foreign"  # sent straight by a peer that does not hold it
    OFF_TOPIC = "off-topic"  # it does not answer the query
    FORGED = "forged"
    STALE = "stale"  # of a holder whose time is over
    REPEATED = "repeated"
    UNWANTED = "unwanted"  # this node's own, or of a peer that is banned here


def check_record(raw: bytes, sender: bytes | None) -> Record | Refused:
    """Check what a relay checks; `sender` is the public key of the answering peer when it sent this itself."""
    try:
        record = decode(raw)
    except ProtocolError:
        return Refused.MALFORMED
    if record.visibility is Visibility.LINK or (record.visibility is not Visibility.PUBLIC and sender is None):
        return Refused.PRIVATE
    if sender is not None and sender != record.holder:
        return Refused.FOREIGN
    return record


def check_hit(raw: bytes, sender: bytes | None, query: Query) -> Record | Refused:
    """Check all that the asker checks."""
    record = check_record(raw, sender)
    if isinstance(record, Refused):
        return record
    if not query.matches(record):
        return Refused.OFF_TOPIC
    try:
        record.verify()
    except ForgedError:
        return Refused.FORGED
    return record
