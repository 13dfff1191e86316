"""The known peers: who they are, where they were last reached, what they were good for; kept on disk.

Invariant: a peer whose id was proved on a link outranks hearsay, hearsay never displaces it, and only proved peers are
passed on to others. The table is bounded: the least useful peer gives way, friends and bans never do. A peer that was
set apart is never in it. No I/O but `load` and `save`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from peerage.errors import ConfigError, LimitError, LocalError, StoreError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, PeerIdField
from peerage.limits import MAX_ADDRESSES, MAX_APART
from peerage.whole_file import write_whole

_HEARSAY_SHARE: Final = 4  # at most one entry in four is somebody nobody here has met
_FORGET_FAILURES: Final = 8  # failed dials in a row after which an unproved or long unseen peer is dropped


class PeerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one peer; times are seconds since 1970."""

    peer_id: PeerIdField
    addresses: tuple[Address, ...] = ()
    last_seen: float = 0.0  # 0: never met, only heard of
    links: int = 0  # how often a link to it came up
    failures: int = 0  # dials in a row that failed
    bytes_from: int = 0  # content it gave
    bytes_to: int = 0  # content it took
    hits_from: int = 0  # search results it gave
    friend: bool = False
    banned: bool = False
    alias: str = ""  # what the owner of this node calls it

    @property
    def proved(self) -> bool:
        """Whether it was ever met."""
        return self.links > 0

    @property
    def kept(self) -> bool:
        """Whether the owner of this node said something about it."""
        return self.friend or self.banned or bool(self.alias)

    @property
    def useful(self) -> bool:
        """Whether it ever gave something."""
        return self.bytes_from > 0 or self.hits_from > 0

    def worth(self) -> tuple[bool, bool, int, bool, float]:
        """Order peers by how useful it is to remember and to dial them."""
        return (self.kept, self.proved, -self.failures, self.useful, self.last_seen)


class PeerTable:
    """Known peers by id, and the positional slots of the 2007 framework."""

    def __init__(self, maximum: int, own_id: PeerId) -> None:
        self._maximum = maximum
        self._own_id = own_id
        self._peers: dict[PeerId, PeerInfo] = {}
        self._slots: dict[int, PeerId] = {}
        self._apart: set[PeerId] = set()

    def __len__(self) -> int:
        return len(self._peers)

    def __iter__(self) -> Iterator[PeerInfo]:
        return iter(tuple(self._peers.values()))

    @property
    def full(self) -> bool:
        """Whether the maximum is reached."""
        return len(self._peers) >= self._maximum

    def get(self, peer_id: PeerId) -> PeerInfo | None:
        """Return what is known of a peer."""
        return self._peers.get(peer_id)

    def hear_of(self, peer_id: PeerId, addresses: tuple[Address, ...]) -> bool:
        """Remember a peer that somebody told of; False when it adds nothing or there is no room for hearsay."""
        known = self._peers.get(peer_id)
        fresh = tuple(address for address in addresses if address.is_dialable)
        if not self._may_know(peer_id) or not fresh or (known is not None and known.proved):
            return False
        if known is None:
            if not self._room_for_hearsay():
                return False
            known = PeerInfo(peer_id=peer_id)
        kept = known.addresses if known.kept else ()  # what the owner of this node said comes before hearsay
        merged = tuple(dict.fromkeys((*kept, *fresh)))[:MAX_ADDRESSES]
        self._peers[peer_id] = msgspec.structs.replace(known, addresses=merged)
        return merged != known.addresses

    def met(self, peer_id: PeerId, addresses: tuple[Address, ...], now: float) -> bool:
        """A link to this peer came up; its addresses, newest first. False when only friends and bans leave no room."""
        if peer_id not in self._peers and not self._room_for(peer_id):
            return False
        known = self._peers.get(peer_id) or PeerInfo(peer_id=peer_id)
        merged = tuple(dict.fromkeys((*addresses, *known.addresses)))[:MAX_ADDRESSES]
        self._put(msgspec.structs.replace(known, addresses=merged, last_seen=now, links=known.links + 1, failures=0))
        return True

    def failed(self, peer_id: PeerId) -> None:
        """A dial to this peer failed."""
        known = self._peers.get(peer_id)
        if known is None:
            return
        self._peers[peer_id] = msgspec.structs.replace(known, failures=known.failures + 1)
        if known.failures + 1 >= _FORGET_FAILURES and not known.kept:
            self.remove(peer_id)

    def update(self, peer_id: PeerId, **changes: object) -> PeerInfo:
        """Change fields of a peer, which becomes known if it was not."""
        known = self._peers.get(peer_id) or PeerInfo(peer_id=peer_id)
        changed = msgspec.structs.replace(known, **changes)
        self._put(changed)
        return changed

    def credit(self, peer_id: PeerId, *, bytes_from: int = 0, bytes_to: int = 0, hits_from: int = 0) -> None:
        """Note what a known peer was good for."""
        known = self._peers.get(peer_id)
        if known is not None:
            self._peers[peer_id] = msgspec.structs.replace(
                known,
                bytes_from=known.bytes_from + bytes_from,
                bytes_to=known.bytes_to + bytes_to,
                hits_from=known.hits_from + hits_from,
            )

    def remove(self, peer_id: PeerId) -> bool:
        """Forget a peer; False when it was not known."""
        self._slots = {slot: each for slot, each in self._slots.items() if each != peer_id}
        return self._peers.pop(peer_id, None) is not None

    def set_apart(self, peer_id: PeerId) -> None:
        """Forget a peer, and never know it again; LimitError when too many were set apart."""
        if len(self._apart) >= MAX_APART and peer_id not in self._apart:
            raise LimitError("MAX_APART", "ours", "too many peers were set apart since the start; start anew")
        self._apart.add(peer_id)
        self.remove(peer_id)

    def is_apart(self, peer_id: PeerId) -> bool:
        """Whether a peer was set apart."""
        return peer_id in self._apart

    def best(self) -> list[PeerInfo]:
        """Return the peers that may be dialled, the most useful first."""
        usable = (each for each in self._peers.values() if not each.banned and each.addresses)
        return sorted(usable, key=PeerInfo.worth, reverse=True)

    # --- the positional slots of the 2007 framework ---------------------------------------------------------------

    def put_at(self, slot: int, peer_id: PeerId) -> None:
        """Let `slot` name a known peer: a finger of a ring, say; LocalError when the peer is not known."""
        if peer_id not in self._peers:
            raise LocalError("only a known peer can take a slot: add it first")
        if slot not in self._slots and len(self._slots) >= self._maximum:
            raise LocalError(f"all {self._maximum} slots are taken")
        self._slots[slot] = peer_id

    def get_at(self, slot: int) -> PeerInfo | None:
        """Return the peer in a slot."""
        peer_id = self._slots.get(slot)
        return None if peer_id is None else self._peers.get(peer_id)

    def remove_at(self, slot: int) -> bool:
        """Free a slot; the peer stays known."""
        return self._slots.pop(slot, None) is not None

    # --- on disk --------------------------------------------------------------------------------------------------

    def load(self, path: Path) -> None:
        """Read what `save` wrote; a missing file is an empty table, a damaged one a ConfigError."""
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigError(f"the peer table {path} cannot be read: {error.strerror}") from error
        try:
            entries = msgspec.json.decode(raw, type=list[PeerInfo])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"the peer table {path} is damaged ({error}); delete it to start with an empty one"
            ) from error
        for entry in sorted(entries, key=PeerInfo.worth, reverse=True)[: self._maximum]:
            self._peers[entry.peer_id] = entry

    def save(self, path: Path) -> None:
        """Write the table, all or nothing; raises StoreError when the disk refuses."""
        try:
            write_whole(path, msgspec.json.encode(list(self._peers.values())))
        except OSError as error:
            raise StoreError(f"the peer table {path} cannot be written: {error.strerror}") from error

    # --- inside -----------------------------------------------------------------------------------------------

    def _put(self, info: PeerInfo) -> None:
        if info.peer_id == self._own_id:
            raise LocalError("a peer does not know itself")
        if info.peer_id in self._apart:
            raise LocalError("this peer is there for this node only, and nothing is kept about it")
        if info.peer_id not in self._peers and not self._room_for(info.peer_id):
            raise LocalError(f"all {self._maximum} known peers are friends or banned; remove one first")
        self._peers[info.peer_id] = info

    def _room_for(self, peer_id: PeerId) -> bool:
        """Make room for one more, at the cost of the least useful that nobody said anything about."""
        if not self._may_know(peer_id):
            return False
        if self.full:
            least = min(self._peers.values(), key=PeerInfo.worth)
            if least.kept:
                return False
            self.remove(least.peer_id)
        return True

    def _may_know(self, peer_id: PeerId) -> bool:
        return peer_id != self._own_id and peer_id not in self._apart

    def _room_for_hearsay(self) -> bool:
        hearsay = sum(not each.proved for each in self._peers.values())
        return not self.full and hearsay < max(1, self._maximum // _HEARSAY_SHARE)
