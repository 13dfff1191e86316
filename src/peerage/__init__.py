"""Peerage: share, find, fetch and verify, with no server; the public API on one screen.

Invariant: `import peerage` loads nothing but this page; each name brings its module when it is first used. The errors
are in `peerage.errors`, the bounds in `peerage.limits`; everything else is not promised to stay where it is.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peerage.app.node import Node
    from peerage.errors import LimitError, LinkError, LocalError, PeerageError, RefusedError, RemoteError
    from peerage.identity.address import Address, parse_address
    from peerage.identity.keys import PeerId, PeerKey, format_id, parse_id
    from peerage.identity.network import Network
    from peerage.limits import Limits
    from peerage.peer.connection import PeerConnection
    from peerage.peer.handlers import Bulk, Handler, Later
    from peerage.peer.messages import LinkKind
    from peerage.peer.open import open_peer
    from peerage.peer.peer import Environment, Peer
    from peerage.peer.routers import NextHop, Router
    from peerage.peer.service import Service
    from peerage.peer.stabilizers import Stabilizer
    from peerage.wire.message import Done, Message, Request

_HOMES = {
    "app.node": ["Node"],  # a whole node: share, search, get
    "errors": ["LimitError", "LinkError", "LocalError", "PeerageError", "RefusedError", "RemoteError"],
    "identity.address": ["Address", "parse_address"],
    "identity.keys": ["PeerId", "PeerKey", "format_id", "parse_id"],
    "identity.network": ["Network"],
    "limits": ["Limits"],
    "peer.connection": ["PeerConnection"],
    "peer.handlers": ["Bulk", "Handler", "Later"],  # what answers, also with more than a message
    "peer.messages": ["LinkKind"],
    "peer.open": ["open_peer"],  # a peer of one's own in one line
    "peer.peer": ["Environment", "Peer"],
    "peer.routers": ["NextHop", "Router"],
    "peer.service": ["Service"],  # a feature to mount on a peer
    "peer.stabilizers": ["Stabilizer"],
    "wire.message": ["Done", "Message", "Request"],  # what peers say to each other
}
_HOME = {name: f"peerage.{home}" for home, names in _HOMES.items() for name in names}

# fmt: off
__all__ = [  # noqa: RUF022 -- in the order of the page
    "Node",
    "LimitError", "LinkError", "LocalError", "PeerageError", "RefusedError", "RemoteError",
    "Address", "parse_address", "PeerId", "PeerKey", "format_id", "parse_id", "Network", "Limits",
    "PeerConnection", "Bulk", "Handler", "Later", "LinkKind", "open_peer", "Environment", "Peer", "NextHop", "Router",
    "Service", "Stabilizer", "Done", "Message", "Request",
]
# fmt: on


if not TYPE_CHECKING:  # a type checker sees the names above, and an unknown one is an error to it

    def __getattr__(name: str) -> Any:
        """Load the module of a public name when it is first used."""
        if name not in _HOME:
            raise AttributeError(f"module 'peerage' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOME[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
