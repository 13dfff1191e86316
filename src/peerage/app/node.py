"""The node: a peer with every feature mounted; the only place that builds everything.

Invariant: what `open` builds is taken down again in the opposite order, however the block is left, and nothing of it
runs on; one process at a time runs the node of a home folder. Each feature keeps to itself; here they are only put
together, and offered under the names a person would use.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from peerage.app.api import models
from peerage.app.arrivals import Arrivals
from peerage.app.browsing import ADMITS, PeerShares, Shown, own_page
from peerage.app.certificates import DoorCertificate
from peerage.app.classic_port import ClassicPort, settings_of
from peerage.app.config import Config, LimitSettings
from peerage.app.contents import Contents
from peerage.app.demo.network import DemoNetwork, mount_demo
from peerage.app.doctor import Doctor
from peerage.app.dropping import Drops
from peerage.app.events import EventHub
from peerage.app.feeds import Feeds
from peerage.app.fetching import AnyDownload, Fetching, FetchParts, Locator
from peerage.app.following import mount_feeds
from peerage.app.glance import status_of
from peerage.app.home import Home
from peerage.app.lan import Lan
from peerage.app.link_watch import LinkWatch
from peerage.app.listening import open_network
from peerage.app.logs import RecentLines
from peerage.app.neighbours import Neighbours
from peerage.app.opinions import Opinions
from peerage.app.ordering import Ordering
from peerage.app.overlays import OverlayParts, Overlays, links_of
from peerage.app.publication import Publication
from peerage.app.recent import RecentHits
from peerage.app.searching import DEFAULT_LIMIT, SearchParts, SearchRun, Wish
from peerage.app.settings import Settings
from peerage.app.sharing import Sharing
from peerage.app.starting import overridden
from peerage.app.stores import Opening, Stores, open_stores
from peerage.app.throttle import Throttle
from peerage.app.upkeep import Upkeep
from peerage.app.using import Using
from peerage.app.whereabouts import Places, Whereabouts
from peerage.app.wish_book import WishBook
from peerage.app.wishes import Wishes
from peerage.catalogue.hash_pool import ProgressCallback
from peerage.catalogue.library import Library
from peerage.content.exchange import ContentExchange
from peerage.content.holding import LibraryHoldings
from peerage.content.reading import Reading
from peerage.content.transfers import Transfers
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, PeerKey, format_id
from peerage.identity.network import Network
from peerage.limits import SEARCH_SECONDS
from peerage.overlay.base import Budget
from peerage.overlay.browse import Browsing
from peerage.overlay.reputation import Reputation
from peerage.overlay.shelf import CatalogueShelf
from peerage.peer.membership import Membership
from peerage.peer.peer import Environment, Peer
from peerage.peer.reachability import Reachability
from peerage.transport.tcp import SystemClock, TcpTransport

_THREADS: Final = max(8, 2 * (os.cpu_count() or 1))  # for disk and hashing: most of them wait for the disk


class Node:
    """A running node; made by `open`.

    `sharing`, `fetching` and `neighbours` have more than the methods here; the local API is built on them.
    """

    def __init__(self, home: Home, config: Config, network: Network) -> None:
        self.home = home
        self.config = config
        self.network = network
        self.api = ""  # where the local API listens; set by who serves it
        self.logs = RecentLines()  # empty, unless somebody keeps a log
        self.remote = ""  # and where it does for other computers
        self.certificate: DoorCertificate | None = None  # which is shown there
        self.notices: list[str] = []
        self.started = time.time()
        self.events = EventHub(f"{self.started:.0f}")
        self.feeds: Feeds
        self.demo: DemoNetwork
        self.doctor = Doctor(self)
        self.settings: Settings
        self.throttle: Throttle
        self.links: LinkWatch
        self.peer: Peer
        self.sharing: Sharing
        self.drops: Drops
        self.fetching: Fetching
        self.ordering: Ordering
        self.neighbours: Neighbours
        self.shelves: PeerShares
        self.wishes: Wishes
        self.opinions: Opinions
        self.transfers: Transfers
        self.exchange: ContentExchange
        self.contents: Contents
        self.membership: Membership
        self.reachability: Reachability
        self.overlays: Overlays
        self._searching: SearchParts
        self._recent: RecentHits
        self._publication: Publication
        self._upkeep: Upkeep
        self._here: Whereabouts
        self.classic = ClassicPort(settings_of(config.classic, config.classic_connect))
        self.lan: Lan | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        home: str | Path | Home | None = None,
        *,
        config: Config | None = None,
        listen: str | None = None,
        network: str | Network | None = None,
        lan: bool | None = None,
    ) -> AsyncIterator[Node]:
        """Run the node of a home folder (None: the usual one) for the duration of the block.

        `config` replaces the configuration file; `listen` (HOST:PORT, "" for nowhere), `network` (a name, or a Network)
        and `lan` go before either. Raises ConfigError when another process runs it already, and AddressError or
        DialError when it cannot listen there.
        """
        place = home if isinstance(home, Home) else Home.at(home)
        async with AsyncExitStack() as stack:
            stack.enter_context(place.lock())
            chosen = overridden(config or place.config(), listen, network, lan)
            given = network if isinstance(network, Network) else await asyncio.to_thread(open_network, chosen)
            node = cls(place, chosen, given)
            await node._build(stack)
            yield node

    # --- what it does -------------------------------------------------------------------------------------------

    @property
    def traffic(self) -> Upkeep:
        """How fast content goes, in and out."""
        return self._upkeep

    @property
    def places(self) -> Places:
        """Where this node listens, and how others are told to dial it."""
        return self._here.places

    def all_notices(self) -> list[str]:
        """Return what the owner of this node should read now."""
        lan = self.lan.notice if self.lan is not None else ""
        return [*self.notices, *filter(None, (lan, self.classic.notice, self.settings.notice)), *self.wishes.notices]

    @property
    def peer_id(self) -> str:
        """What others know this node by."""
        return format_id(self.peer.peer_id)

    async def share(
        self, path: str | Path, visibility: models.VisibilityName = "public", progress: ProgressCallback | None = None
    ) -> models.Share:
        """Share a file or a folder; "friends" find and get it only as friends, "link" is found by nobody.

        Raises StoreError when it cannot be read, LocalError when it must not be shared.
        """
        return await self.sharing.share(path, visibility, progress)

    async def unshare(self, target: str | Path) -> models.Share:
        """Stop sharing a path, a content id or a name; raises LocalError when nothing of the kind is shared."""
        return await self.sharing.unshare(str(target))

    async def library(self) -> list[models.Share]:
        """Return what is shared."""
        return await self.sharing.shares()

    async def link(self, target: str | Path) -> models.ContentLink:
        """Return a link to a share, or to a file inside one."""
        return await self.sharing.link(str(target))

    def search(
        self, text: str, limit: int = DEFAULT_LIMIT, seconds: float = SEARCH_SECONDS, budget: Budget | None = None
    ) -> SearchRun:
        """Search for at most `limit` contents and `seconds`; iterate over the answer to have each hit as it comes.

        Raises QueryError, which points at the character at fault.
        """
        wish = Wish(text=text, limit=limit, seconds=seconds, budget=budget or Budget())
        return SearchRun(self._searching, wish, self._recent)

    async def browse(self, peer: str, path: str = "") -> Shown:
        """Look through what a peer shares, below a folder ("music/old") or all of it; see PeerShares.look."""
        return await self.shelves.look(peer, path)

    async def get(
        self, target: str | models.Hit, into: str | Path | None = None, *, only: str | None = None
    ) -> AnyDownload:
        """Begin to download a link, a hit, the number of a hit of the last search, or a content id.

        `into` is a folder, `only` a pattern for the files of a shared folder. `await download.wait()` gives the path;
        the same call later goes on with what was paused or failed. What is complete is served as long as it is listed.
        """
        return await self.fetching.get(target, into, only)

    async def connect(self, address: str) -> models.PeerEntry:
        """Connect to HOST:PORT, PEER_ID@HOST:PORT or the sources of a link; raises a LinkError when that fails."""
        return await self.neighbours.connect(address)

    async def peers(self) -> list[models.PeerEntry]:
        """Return known peers, connected ones first."""
        return await self.neighbours.peers()

    def friend(self, peer: str, *, friend: bool = True) -> models.PeerEntry:
        """Make a peer a friend, or no longer one."""
        return self.neighbours.change(peer, models.PeerBody(friend=friend))

    def ban(self, peer: str, *, banned: bool = True) -> models.PeerEntry:
        """Have nothing to do with a peer, or again."""
        return self.neighbours.change(peer, models.PeerBody(banned=banned))

    def limits(self) -> models.RateLimits:
        """Return the speed limits."""
        return self.throttle.view()

    async def set_limits(
        self,
        down: int | None = None,
        up: int | None = None,
        upload_slots: int | None = None,
        downloads_at_once: int | None = None,
    ) -> models.RateLimits:
        """Change speed limits (bytes a second, 0: none) at once and for later starts; what is None stays."""
        given = {"down": down, "up": up, "upload_slots": upload_slots, "downloads_at_once": downloads_at_once}
        await self.settings.set_limits({name: value for name, value in given.items() if value is not None})
        return self.limits()

    async def status(self) -> models.Status:
        """Return the node at a glance."""
        return await status_of(self)

    @property
    def is_settled(self) -> bool:
        """Whether the shares were compared with the disk once since the start."""
        return self._publication.settled.is_set()

    async def settled(self) -> None:
        """Wait until that is so."""
        await self._publication.settled.wait()

    # --- how it is put together ---------------------------------------------------------------------------------

    async def _build(self, stack: AsyncExitStack) -> None:
        key = self.home.identity()
        executor = ThreadPoolExecutor(_THREADS, "node")
        stack.callback(executor.shutdown, wait=True, cancel_futures=True)
        clock = SystemClock()
        stores = await open_stores(Opening(self.home, key, clock, executor, self.config.serve_index), stack)
        self.notices += [stores.database.notice] if stores.database.notice else []
        self.peer = await stack.enter_async_context(self._make_peer(key, clock, executor))
        self.throttle = Throttle(self.config.limits, self.config.schedule, self._apply)
        using = Using(self)
        self.settings = Settings(self.home, self.peer, using)
        await self._mount(stores)
        await using.begin()

    def _make_peer(self, key: PeerKey, clock: SystemClock, executor: ThreadPoolExecutor) -> Peer:
        environment = Environment(clock, random.SystemRandom(), executor)
        return Peer(key, TcpTransport(self.network, key), environment)

    async def _mount(self, stores: Stores) -> None:
        peer, recent = self.peer, RecentHits(self.home.hits_file)
        arrivals = Arrivals(expected=self.config.lan or bool(self.config.connect))
        self._recent = recent
        self._find_with(stores)
        planner = self.overlays.planner
        self.fetching = self._fetching_with(stores.library)
        self.ordering = Ordering(peer, self.fetching, self.transfers, self.classic)
        reputation = Reputation(stores.votes, links=links_of(peer, self.membership))
        self.opinions = Opinions(peer, reputation, recent, self.fetching.named)
        self._searching = SearchParts(peer, planner, self.overlays.local, arrivals, self.opinions, self.classic)
        self._upkeep = Upkeep(
            self.home.peers_file, lambda: self.transfers.rate.total, lambda: self.exchange.rate.total, self.notices
        )
        self.sharing = Sharing(stores.library, stores.database, lambda: self._here.myself)
        self.drops = Drops(peer, self.sharing, lambda: self.config.download_folder)
        self.links = LinkWatch(lambda: self.events.followed("peers"))
        self.neighbours = Neighbours(peer, self.links, self.overlays.ties)
        self.neighbours.watchers.append(self.overlays.friends_changed)
        browsing = Browsing(partial(own_page, stores.database), ADMITS[self.config.browse])
        self.shelves = PeerShares(peer, browsing, self.neighbours, recent)
        self.wishes = Wishes(WishBook(self.home.wishes_file), self._search_quietly, self.get, recent)
        self._publication = Publication(stores.library, stores.database, self.exchange, planner)
        watching = self._upkeep, self.links
        for service in (*watching, self.exchange, *self.overlays.services, reputation, browsing, arrivals):
            await peer.mount(service)
        self.notices += filter(None, [await self._here.listen(self.config)])
        meeting = self.membership, self.reachability
        for later in (self.transfers, self.throttle, *meeting, self._publication, self.wishes):
            await peer.mount(later)
        rates = self.transfers.rate.spend, self.exchange.rate.spend
        await self.classic.mount(peer, stores.database, stores.reader, *rates)
        self.feeds = await mount_feeds(self)
        self.demo = await mount_demo(self)
        await self._begin(recent)

    def _find_with(self, stores: Stores) -> None:
        """Make what finds things, and what fetches what was found."""
        shared = LibraryHoldings(stores.library, stores.reader)
        self.exchange = ContentExchange([shared.find])
        self.membership = Membership()
        self.reachability = Reachability()
        self._here = Whereabouts(self.peer, self.reachability.addresses_changed)
        shelf = CatalogueShelf(stores.database, self.peer.peer_id, lambda: self.transfers.served)
        self.overlays = Overlays(
            OverlayParts(
                self.peer,
                self.config,
                stores.database,
                shelf,
                self.membership,
                self.reachability,
                stores.served_index,
                self.home.supernodes_file,
            )
        )
        locator = Locator(self.peer, self.overlays.planner)
        self.transfers = Transfers(self.exchange, self.home.transfers_folder, locator)
        self.contents = Contents(Reading(self.peer, self.transfers, shared.find), self.transfers, stores.library)
        self.classic = ClassicPort(settings_of(self.config.classic, self.config.classic_connect))

    def _fetching_with(self, library: Library) -> Fetching:
        return Fetching(
            FetchParts(
                self.peer,
                self.transfers,
                library,
                self._recent,
                lambda: self.config.download_folder,
                lambda: self._here.myself,
                self.found,
                self.classic,
                self.events,
            )
        )

    async def _begin(self, recent: RecentHits) -> None:
        await self.peer.in_thread(recent.load)
        self.peer.start_pings()

    def _apply(self, limits: LimitSettings) -> None:
        self.transfers.set_limits(limits.down, limits.up)
        self.transfers.at_once = limits.downloads_at_once
        self.exchange.slots = limits.upload_slots

    def _search_quietly(self, wish: Wish) -> SearchRun:
        """Search without making this the last search."""
        return SearchRun(self._searching, wish)

    def found(self, peer_id: PeerId, places: tuple[Address, ...]) -> None:
        """Take note of a peer that somebody told of, and where it should be."""
        self.membership.heard_of(peer_id, *places)
