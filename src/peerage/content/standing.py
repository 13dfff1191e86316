"""How a download stands, as a person sees it.

Invariant: it looks and changes nothing but what the download remembers of its own amount.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerage.content.manifest import FolderManifest, PieceSpace
from peerage.content.status import DownloadState, DownloadStatus, Shape

if TYPE_CHECKING:
    from peerage.content.download import Download


def shape_of(space: PieceSpace) -> Shape:
    """Return what a content consists of."""
    return Shape(space.file_count, isinstance(space.manifest, FolderManifest))


def status_of(download: Download, now: float) -> DownloadStatus:
    """Return how a download stands at `now`, a time of its own loop."""
    wanted, done = download.measure()
    scheduler, state, swarm = download.scheduler, download.state, download.swarm
    live = scheduler is not None and state is DownloadState.RUNNING
    rate = sum(scheduler.rates(now).values()) if live and scheduler is not None else 0.0
    return DownloadStatus(
        content=download.content_id,
        name=download.wanted.target.name,
        path=download.wanted.target,
        state=state,
        size=download.space.size if download.space else download.wanted.size,
        wanted=wanted,
        done=done,
        rate=rate,
        sources=swarm.attached,
        eta=(wanted - done) / rate if wanted is not None and rate > 0 else None,
        error=str(download.error) if download.error and state is DownloadState.FAILED else "",
        note=swarm.note() if state in {DownloadState.FINDING, DownloadState.RUNNING} else "",
        terms=download.terms,
        shape=download.shape,
        finished=download.finished,
    )
