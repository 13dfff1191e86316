"""What the node knows, as the structs of the local API say it: ids as base32, visibilities as words, links in full.

Invariant: these functions only translate; they ask nobody and change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from peerage.app.api import models
from peerage.app.api.trust_models import Trust
from peerage.app.link_measures import Measure
from peerage.catalogue.record import Kind, Meta, Visibility
from peerage.catalogue.shares import Shared, ShareState
from peerage.content.download import Download
from peerage.identity.address import Address, parse_address
from peerage.identity.keys import PeerId, format_id, parse_id
from peerage.identity.link import ContentLink, LinkSource
from peerage.limits import MAX_LINK_SOURCES, MAX_SKIPPED_LISTED
from peerage.overlay.hits import MergedHit
from peerage.overlay.planner import Stage
from peerage.peer.connection import PeerConnection
from peerage.peer.table import PeerInfo

_LINK_ADDRESSES = 4  # of one peer in a link: two networks in two families; a link should still fit a chat message
_LISTED_SKIPPED = min(100, MAX_SKIPPED_LISTED)


def visibility_of(name: models.VisibilityName) -> Visibility:
    """Return the visibility that a word names."""
    return Visibility[name.upper()]


def sources_of(peers: Iterable[tuple[PeerId, tuple[Address, ...]]]) -> tuple[LinkSource, ...]:
    """Return what a link names of these peers."""
    named = [LinkSource(peer_id, place) for peer_id, places in peers for place in places[:_LINK_ADDRESSES]]
    return tuple(named[:MAX_LINK_SOURCES])


def share_view(shared: Shared, sources: tuple[LinkSource, ...]) -> models.Share:
    """Show a share; `sources` is this node itself."""
    missing = shared.state is ShareState.MISSING
    skipped = f"{shared.skipped_count} left out" if shared.skipped_count else ""
    content = shared.content
    link = ContentLink(content=content, name=shared.name, size=shared.size, sources=sources) if content else ""
    return models.Share(
        link=str(link),
        content_id=format_id(content) if content else "",
        name=shared.name,
        size=shared.size,
        path=shared.path,
        kind="folder" if shared.kind is Kind.FOLDER else "file",
        files=shared.files,
        visibility=cast(models.VisibilityName, shared.visibility.name.lower()),
        available=not missing,
        note=shared.skipped[0].reason if missing and shared.skipped else skipped,
    )


def skipped_view(shared: Shared) -> list[str]:
    """List what was left out of a share, the first of it."""
    return [f"{each.path}: {each.reason}" for each in shared.skipped[:_LISTED_SKIPPED]]


def media_view(meta: Meta | None) -> models.Media | None:
    """Show what an audio or video file says about itself."""
    if meta is None:
        return None
    return models.Media(
        title=meta.title, artist=meta.artist, album=meta.album, duration=meta.duration, bitrate=meta.bitrate
    )


def hit_view(merged: MergedHit, number: int, trust: Trust | None = None) -> models.Hit:
    """Show a content that was found, and what is known of it."""
    record = merged.record
    holders = [
        models.Holder(
            peer_id=format_id(each.peer_id), addresses=[str(place) for place in each.addresses], name=each.name
        )
        for each in merged.holders
    ]
    content_id = format_id(record.content)
    return models.Hit(
        number=number,
        link=str(link_of(content_id, record.name, record.size, holders)),
        content_id=content_id,
        name=record.name,
        size=record.size,
        sources=len(holders),
        type=record.media_type.value,
        meta=media_view(record.meta),
        mime=record.mime,
        path="/".join(record.path),
        holders=holders,
        mine=merged.mine,
        trust=trust,
    )


def stage_view(stage: Stage) -> models.SearchStage:
    """Show what one overlay did in a search."""
    return models.SearchStage(
        name=stage.name,
        overlay=stage.overlay,
        asked=stage.asked,
        why=stage.why,
        peers=stage.peers_asked,
        hops=stage.hops,
        messages=stage.messages,
        bytes=stage.bytes,
        hits=stage.found,
        refused=stage.refused,
        began=stage.began,
        ended=stage.ended,
        first_hit=stage.first_found,
    )


def transfer_view(download: Download, own: tuple[LinkSource, ...]) -> models.Transfer:
    """Show a download; `own` is this node itself, which serves what it has."""
    status = download.status()
    others = sources_of((source.peer_id, source.addresses) for source in download.swarm.sources)
    named = (*own, *others) if status.done else others
    link = ContentLink(content=status.content, name=status.name, size=status.size, sources=named[:MAX_LINK_SOURCES])
    return models.Transfer(
        content_id=format_id(status.content),
        name=status.name,
        link=str(link),
        state=status.state.value,
        size=status.size,
        wanted=status.wanted,
        done=status.done,
        rate_down=status.rate,
        sources=status.sources,
        eta=status.eta,
        path=str(status.path),
        error=status.error,
        note=status.note,
        place=status.terms.place,
        added=status.terms.added,
        finished=status.finished,
        limit=status.terms.limit,
        priority="high" if status.terms.level > 0 else "low" if status.terms.level < 0 else "normal",
        files=status.shape.files,
        kind="folder" if status.shape.folder else "file",
    )


def peer_view(
    info: PeerInfo, connection: PeerConnection | None, measure: Measure, ties: Sequence[str]
) -> models.PeerEntry:
    """Show another peer: how its links do, and what it is to this node."""
    return models.PeerEntry(
        peer_id=format_id(info.peer_id),
        name=info.alias,
        connected=connection is not None,
        addresses=[str(address) for address in info.addresses],
        agent=connection.hello.agent if connection is not None else "",
        latency=measure.latency,
        last_seen=info.last_seen or None,
        friend=info.friend,
        banned=info.banned,
        received=info.bytes_from,
        sent=info.bytes_to,
        roles=[*(["friend"] if info.friend else []), *ties],
        rate_down=measure.rate_down,
        rate_up=measure.rate_up,
        since=measure.since,
        dialled=connection.outgoing if connection is not None else None,
        address=str(connection.remote if connection is not None else next(iter(info.addresses), "")),
    )


def link_of(content_id: str, name: str, size: int, holders: Iterable[models.Holder]) -> ContentLink:
    """Return the link that names these holders, each with its first addresses."""
    named = ((PeerId(parse_id(each.peer_id)), tuple(map(parse_address, each.addresses))) for each in holders)
    return ContentLink(content=parse_id(content_id), name=name, size=size, sources=sources_of(named))
