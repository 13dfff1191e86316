"""What this node does about each request of an old peer, but for files: believes little, answers in the old words.

Invariant: nothing here waits: what takes time runs as a task of OldPeers, of which there is a bounded number, and what
finds no place there is acknowledged and dropped. A claim counts only for the host that it comes from.
"""

from __future__ import annotations

import asyncio

from peerage.classic.file_names import is_sendable
from peerage.classic.offer import Offer
from peerage.classic.old_peers import OldPeers
from peerage.classic.peer_table import Joined
from peerage.classic.questions import OldHit, SeenQueries
from peerage.classic.whereabouts import address_of_id
from peerage.identity.address import Address, literal_ip
from peerage.limits import CLASSIC_HITS, CLASSIC_KEY_CHARS
from peerage.transport.clear import Channel
from peerage.wire import classic
from peerage.wire.classic import (
    Frame,
    JoinRequest,
    ListRequest,
    Malformed,
    NameRequest,
    Neighbour,
    QueryRequest,
    QueryResponse,
    QuitRequest,
    Request,
    Unknown,
)


class Hearing:
    """Hears requests for one node."""

    def __init__(self, old_peers: OldPeers, offer: Offer) -> None:
        self._old_peers = old_peers
        self._whereabouts = old_peers.whereabouts
        self._offer = offer
        self._seen = SeenQueries(asyncio.get_running_loop().time())

    def hear(self, request: Request | Malformed | Unknown, channel: Channel) -> list[Frame]:  # noqa: PLR0911 -- one line for each kind
        """Act upon a request and return the answers; none where the original gives none."""
        match request:
            case NameRequest():
                return [classic.reply(self._whereabouts.id_at(channel.local))]
            case ListRequest():
                return self._list()
            case JoinRequest():
                return [self._join(request, channel.remote.host)]
            case QueryRequest():
                self._query(request, channel)
                return [classic.query_acknowledged(request.key)]
            case QueryResponse():
                self._respond(request, channel.remote.host)
                return []
            case QuitRequest():
                return [self._quit(request, channel.remote.host)]
            case Malformed(answer=answer) if answer is not None:
                return [answer]
            case _:
                return []  # PING, which has no answer, and what the wire of 2007 does not know

    def _list(self) -> list[Frame]:
        known = self._old_peers.table.all()
        return classic.list_replies(Neighbour(each.peer_id, each.address.host, each.address.port) for each in known)

    def _join(self, request: JoinRequest, source: str) -> Frame:
        if request.port is None or not is_sendable(request.peer_id) or len(request.peer_id) > CLASSIC_KEY_CHARS:
            return classic.join_malformed()
        named = address_of_id(request.peer_id)
        address = Address(request.host, request.port)
        if not address.is_dialable or not self._whereabouts.is_from(request.host, source):
            return classic.failure("Join: host is not where this comes from")
        if self._whereabouts.is_me(address) or (named is not None and not self._is_same(named, address)):
            return classic.join_known(request.peer_id)
        outcome = self._old_peers.joined(request.peer_id, address)
        if outcome is Joined.FULL:
            return classic.join_full()
        return (classic.join_added if outcome is Joined.ADDED else classic.join_known)(request.peer_id)

    def _is_same(self, named: Address, address: Address) -> bool:
        """Whether an id in the form `host:port` names that place; one with a host's name is no more than a label."""
        if literal_ip(named.host) is None:
            return not self._whereabouts.is_me(named)
        return named.port == address.port and self._whereabouts.is_from(named.host, address.host)

    def _quit(self, request: QuitRequest, source: str) -> Frame:
        gone = self._old_peers.table.quit(request.peer_id, lambda host: self._whereabouts.is_from(host, source))
        return (classic.quit_removed if gone else classic.quit_unknown)(request.peer_id)

    def _query(self, query: QueryRequest, channel: Channel) -> None:
        """Search here, tell the asker, and pass the search on, where that harms nobody."""
        back = address_of_id(query.return_id)
        if back is None or self._whereabouts.is_me(back) or not is_sendable(query.key):
            return
        source = channel.remote.host
        for_itself = self._whereabouts.is_from(back.host, source)
        may_tell = for_itself or self._old_peers.table.at(back) is not None
        if not may_tell and not self._old_peers.knows_host(source):
            return  # somebody wants a third party to be dialled
        ttl = self._seen.ttl_of(query, asyncio.get_running_loop().time(), for_itself=for_itself)
        if ttl is None:
            return
        if may_tell:
            self._old_peers.spawn(self._tell(query.key, back, self._whereabouts.id_at(channel.local)))
        if ttl > 0:
            onward = QueryRequest(query.return_id, query.key, ttl - 1)
            self._old_peers.spawn(self._old_peers.forward(onward, back, source))

    async def _tell(self, key: str, back: Address, my_id: str) -> None:
        """Tell the asker of each match, one connection for each as the wire wants it; stops when nobody takes it."""
        for name in await self._offer.names(key, CLASSIC_HITS):
            if not await self._old_peers.asking.tell(back, QueryResponse(name, my_id).frame()):
                return

    def _respond(self, response: QueryResponse, source: str) -> None:
        """Take a hint to a question of our own: from who has the file, or from a peer that is known."""
        holder = address_of_id(response.holder)
        if holder is None or self._whereabouts.is_me(holder) or not is_sendable(response.name):
            return
        if self._whereabouts.is_from(holder.host, source) or self._old_peers.knows_host(source):
            self._old_peers.questions.offer(OldHit(response.name, holder), source)
