"""A closer look at a node: pieces, statistics, uploads, logs."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TypeVar

import msgspec
from app_worlds import Api, OpenNode

from peerage.app.api import insight_models as models
from peerage.app.config import LogSettings
from peerage.app.insight import _percent
from peerage.app.logs import RecentLines, logging_to
from peerage.app.node import Node
from peerage.content.ledger import PieceState
from peerage.limits import LOGS_KEPT, MAX_LOG_CHARS, MIB

T = TypeVar("T")


async def asked(api: Api, route: str, kind: type[T]) -> T:
    response = await api.http.get(route)
    assert response.status_code == 200, response.text
    return msgspec.json.decode(response.content, type=kind)


def test_how_much_of_a_cell_is_here() -> None:
    have, missing, unwanted = PieceState.HAVE, PieceState.MISSING, PieceState.UNWANTED
    assert _percent(bytes([have, missing, missing])) == 33
    assert _percent(bytes([have, unwanted])) == 100
    assert _percent(bytes([unwanted])) == -1


async def test_pieces_and_uploads(api: Api, node: Node, open_node: OpenNode, tmp_path: Path) -> None:
    other = await open_node("other")
    (tmp_path / "film").write_bytes(bytes(8 * MIB))
    link = (await other.share(tmp_path / "film")).link
    await other.set_limits(up=2 * MIB)
    download = await node.get(link)
    async with asyncio.timeout(20):
        while not download.status().done:
            await asyncio.sleep(0)
    half = await asked(api, "transfers/film/pieces", models.PieceMap)
    assert half.pieces == len(half.cells) == 32
    assert 0 < half.here < 32
    assert half.cells.count(100) == half.here
    assert half.busy
    await other.set_limits(up=0)
    await download.wait()
    whole = await asked(api, "transfers/film/pieces?cells=5", models.PieceMap)
    assert (whole.cells, whole.busy, whole.here) == ([100] * 5, [], 32)
    (upload,) = other.exchange.given.all()
    assert upload.count == 8 * MIB
    statistics = await asked(api, "statistics", models.Statistics)
    assert statistics.down >= 8 * MIB
    assert statistics.counters
    assert await asked(api, "uploads", list[models.UploadEntry]) == []
    assert (await api.http.get("transfers/film/pieces?cells=0")).status_code == 400


async def test_pieces_of_what_has_not_begun(api: Api, node: Node) -> None:
    await node.get("peerage:" + "a" * 52 + "?name=x")
    assert (await asked(api, "transfers/x/pieces", models.PieceMap)).cells == []


async def test_uploads_are_told_over_http(api: Api, node: Node, open_node: OpenNode, files: Path) -> None:
    share = await node.share(files / "first song.mp3")
    other = await open_node("other")
    await (await other.get(share.link)).wait()
    (upload,) = await asked(api, "uploads", list[models.UploadEntry])
    assert (upload.peer_id, upload.content_id, upload.bytes) == (other.peer_id, share.content_id, share.size)


async def test_the_last_lines_of_the_log(api: Api, node: Node, tmp_path: Path) -> None:
    assert await asked(api, "logs", list[models.LogEntry]) == []
    log = logging.getLogger("peerage.test")
    with logging_to(tmp_path / "log", LogSettings()) as node.logs:
        log.info("one")
        log.warning("two %s", "x" * 2 * MAX_LOG_CHARS)
        log.debug("unseen")
        try:
            raise ValueError("three")
        except ValueError:
            log.exception("failed")
        lines = await asked(api, "logs?level=info", list[models.LogEntry])
        mine = [line for line in lines if line.logger == "peerage.test"]
        assert [line.message[:5] for line in mine] == ["one", "two x", "faile"]
        assert len(mine[1].message) == MAX_LOG_CHARS
        assert "ValueError: three" in mine[2].trace
        (last,) = await asked(api, "logs?level=warning&lines=1", list[models.LogEntry])
        assert last.level in {"warning", "error"}
    log.error("after")
    assert "after" not in {line.message for line in node.logs.last(10)}


def test_attack_logs_are_bounded() -> None:
    recent = RecentLines()
    for number in range(LOGS_KEPT + 5):
        recent.emit(logging.LogRecord("x", logging.INFO, "", 0, str(number), None, None))
    assert len(recent.last(2 * LOGS_KEPT)) == LOGS_KEPT
    assert recent.last(1)[0].message == str(LOGS_KEPT + 4)
