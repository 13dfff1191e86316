"""Every error that Peerage raises, in one tree.

Invariant: whoever catches `PeerageError` has caught all of them; each message is one readable sentence that says
what to do. This module knows nothing of how errors travel: `peer/` turns them into ERRO replies and back.
"""

from __future__ import annotations


class PeerageError(Exception):
    """Anything that Peerage itself reports."""


class LocalError(PeerageError):
    """This side asked for something that makes no sense: bad input, bad state, wrong usage."""


class QueryError(LocalError):
    """A search text cannot be parsed; `position` is the index of the character at fault."""

    def __init__(self, reason: str, text: str, position: int) -> None:
        super().__init__(f"{reason}\n  {text}\n  {' ' * position}^")
        self.reason = reason
        self.text = text
        self.position = position


class AddressError(LocalError):
    """A text is not an address, a peer id or a content link."""


class ConfigError(LocalError):
    """The configuration, the key or the home folder cannot be used as it is."""


class RemoteError(PeerageError):
    """The other peer broke the rules or refused; it never harms more than its own link."""


class ProtocolError(RemoteError):
    """Bytes from the other peer that no honest peer sends: the link is closed."""


class RefusedError(RemoteError):
    """The other peer answered with ERRO; `code` is one of `wire.message.ErrorCode`."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class ForgedError(RemoteError):
    """A signature or a hash does not fit what it is meant to prove."""


class LinkError(PeerageError):
    """A link could not be made or did not last."""


class DialError(LinkError):
    """Nobody answered at that address, or the handshake did not finish in time."""


class WrongNetworkError(LinkError):
    """The other side belongs to another network (another name or another secret)."""


class WrongPeerError(LinkError):
    """Somebody else answers at the address of the peer that was asked for."""


class LinkLostError(LinkError):
    """The link ended while something was under way."""


class RequestTimeoutError(LinkError):
    """No answer came before the deadline."""


class NoRouteError(LinkError):
    """No router knows a next hop towards that peer."""


class LimitError(PeerageError):
    """A bound was reached; `limit` names it as in limits.py, `whose` is "ours" or "theirs"."""

    def __init__(self, limit: str, whose: str, reason: str) -> None:
        super().__init__(reason)
        self.limit = limit
        self.whose = whose


class StoreError(PeerageError):
    """The disk or the database refused: full, forbidden, vanished or changed."""


class DiskFullError(StoreError):
    """No space is left; what was verified stays, and the download can be resumed."""


class TargetExistsError(StoreError):
    """A file that is not ours stands where the download should go."""


class UnsafeNameError(StoreError):
    """A name from elsewhere cannot become a file name here."""


class ChangedError(StoreError):
    """A shared file changed since it was hashed, so its old content is not served."""
