"""What the local API takes and gives: one struct for each body, the same ones that OpenAPI is made from.

Invariant: these names are a promise to scripts; a field may be added, none is renamed or taken away. Ids are the 52
base32 characters of `format_id`, addresses are `host:port`, sizes are bytes, rates bytes a second, times seconds since
1970 by this computer's clock, durations seconds. Nothing here knows how an answer comes about.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from peerage.app.api.trust_models import Trust
from peerage.limits import MAX_ACTIVE_DOWNLOADS

MAX_TARGETS = 1000  # of one request: nobody types more paths
MAX_TEXT = 8192  # of a path, a link or a glob; a link with eight addresses is far below

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]
VisibilityName = Literal["public", "friends", "link"]
TransferState = Literal["queued", "finding", "checking", "running", "paused", "done", "failed", "cancelled"]
SearchReason = Literal["limit", "timeout", "budget", "complete"]
LevelName = Literal["skip", "low", "normal", "high"]
Rate = Annotated[int, msgspec.Meta(ge=0, le=2**40)]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything that the API sends."""


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything that the API takes; a misspelt field is an error, not a default."""


# --- the node ---------------------------------------------------------------------------------------------------


class OverlayLine(Answer, frozen=True):
    """What this node is in one of its overlays."""

    name: str  # flood, index, supernode, dht
    role: str  # neighbour, client, server, leaf, supernode
    peers: int  # neighbours in it: links, indexes that have this node's records, supernodes, contacts
    serves: bool = False  # whether it answers there for others
    about: str = ""


class Status(Answer, frozen=True):
    """The node at a glance."""

    peer_id: str
    listen: str  # the address others dial; "0.0.0.0:PORT" is every interface, "" is nowhere
    api: str
    network: str
    private: bool  # whether the network is one with a secret
    peers: int  # connected now
    known_peers: int
    shares: int
    transfers: int  # not yet done, failed or cancelled
    addresses: list[str]  # where others could dial this node, best first
    rate_down: float
    rate_up: float
    home: str
    pid: int
    version: str
    started: float
    role: str = "leaf"  # what it does for others, such as "dht server"; "leaf" for one that only takes part
    reachable: bool | None = None  # whether others can dial it; None while that is not known
    overlays: list[OverlayLine] = []  # how it finds things, the cheapest first
    remote: str = ""  # where other computers reach the API, "" is nowhere
    wishes: int = 0
    classic: str = ""  # where peers of 2007 reach this node, "" is nowhere
    old_peers: int = 0  # peers of 2007 that are known
    notices: list[str] = []  # sentences the owner should read: the usual port was taken, no LAN discovery, ...


class Identity(Answer, frozen=True):
    """Who this node is."""

    peer_id: str
    public_key: str  # hexadecimal Ed25519 key


class Problem(Answer, frozen=True):
    """The body of every answer that is not a success."""

    error: str  # one readable sentence
    kind: str  # the name of the error's class, such as "QueryError"
    position: int | None = None  # of a QueryError: the index of the character at fault


class StreamProblem(Answer, frozen=True, tag="problem", tag_field="event"):
    """The last line of a stream that broke off; the same as a `Problem`."""

    error: str
    kind: str


class Done(Answer, frozen=True):
    """It was done; nothing to tell."""

    done: bool = True


# --- sharing ----------------------------------------------------------------------------------------------------


class ShareBody(Body, frozen=True):
    """Share these files and folders (absolute paths)."""

    paths: Annotated[list[Text], msgspec.Meta(min_length=1, max_length=MAX_TARGETS)]
    visibility: VisibilityName = "public"


class UnshareBody(Body, frozen=True):
    """Take shares back; each target is a path, a content id or its beginning, or a name."""

    targets: Annotated[list[Text], msgspec.Meta(min_length=1, max_length=MAX_TARGETS)]


class Share(Answer, frozen=True):
    """A file or folder that this node shares."""

    link: str
    content_id: str
    name: str
    size: int
    path: str
    kind: Literal["file", "folder"]
    files: int
    visibility: VisibilityName
    available: bool = True  # False: it has vanished from the disk for now
    note: str = ""  # why it is not available, or what was left out


class ShareProgress(Answer, frozen=True, tag="progress", tag_field="event"):
    """Hashing goes on."""

    path: str
    files_done: int
    files: int
    bytes_done: int
    bytes: int


class Shared(Answer, frozen=True, tag="shared", tag_field="event"):
    """One of the paths is shared now."""

    share: Share
    skipped: list[str] = []  # "path: reason" of what was left out, at most a hundred


class ShareFailed(Answer, frozen=True, tag="failed", tag_field="event"):
    """One of the paths could not be shared; the others go on."""

    path: str
    error: str


ShareEvent = ShareProgress | Shared | ShareFailed | StreamProblem


class ContentLink(Answer, frozen=True):
    """A link to something that this node shares or downloads."""

    link: str
    content_id: str
    name: str
    size: int


# --- searching --------------------------------------------------------------------------------------------------


class Media(Answer, frozen=True):
    """What an audio or video file says about itself; `bitrate` in bits a second; 0 and "" are unknown."""

    title: str = ""
    artist: str = ""
    album: str = ""
    duration: float = 0.0
    bitrate: int = 0


class Holder(Answer, frozen=True):
    """A peer that holds a content."""

    peer_id: str
    addresses: list[str]
    name: str  # what it calls the content


class Hit(Answer, frozen=True):
    """Something that was found; equal content of several holders is one hit."""

    number: int  # its place in this search, from 1: `get` takes it for the last search
    link: str
    content_id: str
    name: str
    size: int
    sources: int  # how many peers hold it
    type: str  # audio, video, image, document, archive, folder, ...
    meta: Media | None
    mime: str
    path: str  # the folders that lead to it at the first holder, "/" between them
    holders: list[Holder]
    mine: bool = False  # this node shares it itself
    unverified: bool = False  # an old peer says so, and nothing proves it: no size, and `content_id` is only a handle
    trust: Trust | None = None  # what votes say of it, and whether its holders have it; None: nothing is known


class HitFound(Answer, frozen=True, tag="hit", tag_field="event"):
    """A new hit, or one that was sent before (same number) and has more holders now."""

    hit: Hit


class SearchStage(Answer, frozen=True):
    """What one overlay did in a search; times are seconds from its start, None where nothing of the kind happened."""

    name: str  # local, neighbours, index, supernode, dht, flood
    overlay: str  # the overlay that was asked: "neighbours" and "flood" are two stages of one
    asked: bool
    why: str  # it was asked, or was not
    peers: int  # whom this node asked itself
    hops: int  # how far away the farthest hit came from
    messages: int  # sent and received by this node
    bytes: int
    hits: int  # those that no stage had brought before; several of them can be about one content
    refused: int  # answers that were forged, off the question or repeated
    began: float | None
    ended: float | None
    first_hit: float | None


class SearchEnded(Answer, frozen=True, tag="end", tag_field="event"):
    """Nothing more will come; what the search cost this node, and how that came about."""

    hits: int
    messages: int
    bytes: int
    seconds: float
    reason: SearchReason
    ranking: list[int] = []  # the numbers of the hits, the best first
    stages: list[SearchStage] = []  # in order of price


SearchEvent = HitFound | SearchEnded | StreamProblem


# --- transfers --------------------------------------------------------------------------------------------------


class GetBody(Body, frozen=True):
    """Download `target`: a link, a content id or its beginning, or the number of a hit of the last search."""

    target: Text
    into: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] | None = None  # absolute path of a folder
    only: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] | None = None  # glob over the files of a folder


class Transfer(Answer, frozen=True):
    """A download as it stands."""

    content_id: str
    name: str
    link: str
    state: TransferState
    size: int | None  # None until the manifest has come
    wanted: int | None  # bytes of the files chosen
    done: int  # bytes verified and on disk
    rate_down: float
    sources: int
    eta: float | None  # seconds left, None when unknown
    path: str  # where the result is, or will be
    error: str = ""
    note: str = ""
    unverified: bool = False  # it comes from an old peer, and nobody knows what it should be
    place: int = 0  # in the queue: the lower, the sooner; gaps mean nothing
    added: float = 0.0
    finished: float | None = None
    limit: int = 0  # bytes a second of its own, 0: none
    priority: Literal["low", "normal", "high"] = "normal"
    files: int = 0  # in the content, 0 while that is not known
    kind: Literal["file", "folder"] = "file"


class TransferEvent(Answer, frozen=True, tag="transfer", tag_field="event"):
    """A transfer that is new or has changed."""

    transfer: Transfer


class TransferGone(Answer, frozen=True, tag="gone", tag_field="event"):
    """A transfer that is no longer listed."""

    content_id: str


TransferChange = TransferEvent | TransferGone | StreamProblem


class PriorityBody(Body, frozen=True):
    """Begin a transfer sooner or later; or, with `only`, its files that fit; "skip" leaves them out."""

    level: LevelName
    only: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] | None = None


# --- peers ------------------------------------------------------------------------------------------------------


class PeerEntry(Answer, frozen=True):
    """Another peer, connected or remembered."""

    peer_id: str
    name: str  # what the owner calls it, or ""
    connected: bool
    addresses: list[str]
    agent: str  # what it runs, as it says
    latency: float | None  # seconds of the last ping
    last_seen: float | None
    friend: bool
    banned: bool
    received: int  # bytes of content from it, ever
    sent: int
    roles: list[str] = []  # what it is to this node: friend, neighbour, supernode, leaf, index, dht, demo
    rate_down: float = 0.0  # over all links with it, small talk included
    rate_up: float = 0.0
    since: float | None = None  # when it was connected; None while it is not
    dialled: bool | None = None  # whether this node dialled, or the peer; None while it is not connected
    address: str = ""  # where it is, as seen from here; where it was last, while it is not connected


class BrowseEnded(Answer, frozen=True, tag="end", tag_field="event"):
    """Nothing more will come of a peer's shares."""

    entries: int
    more: bool  # there is more than this node looks at
    refused: int  # entries that were forged or out of place
    seconds: float


BrowseEvent = HitFound | BrowseEnded | StreamProblem


class ConnectBody(Body, frozen=True):
    """Connect to an address, which may be `PEER_ID@HOST:PORT` or a content link that names some."""

    address: Text


class OldPeer(Answer, frozen=True):
    """A peer of 2007, which is what it says to be, or not."""

    id: str
    address: str
    answered: bool  # it has answered at its address; otherwise it only said that it is there


class ConnectOldBody(Body, frozen=True):
    """Join a peer of 2007 at HOST:PORT, and those it knows, `hops` far."""

    address: Text
    hops: Annotated[int, msgspec.Meta(ge=1, le=8)] = 2


class PeerBody(Body, frozen=True):
    """Change what this node thinks of a peer; what is None stays."""

    friend: bool | None = None
    banned: bool | None = None
    name: Annotated[str, msgspec.Meta(max_length=64)] | None = None


# --- limits -----------------------------------------------------------------------------------------------------


class RateLimits(Answer, frozen=True):
    """Speed limits in bytes a second, 0: none; and how many uploads run at once."""

    down: int
    up: int
    upload_slots: int
    now_down: int = 0  # what holds now: these, or the slower ones of the schedule
    now_up: int = 0
    downloads_at_once: int = 0  # how many run, 0: as many as is sensible
    scheduled: bool = False  # whether the slower ones of the schedule hold now
    until: float | None = None  # when that changes; None: it does not


class LimitsBody(Body, frozen=True):
    """Change limits; what is None stays."""

    down: Rate | None = None
    up: Rate | None = None
    upload_slots: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    downloads_at_once: Annotated[int, msgspec.Meta(ge=0, le=MAX_ACTIVE_DOWNLOADS)] | None = None
