"""Files over HTTP: ranges, names, types, and a film that plays before it is here."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import httpx
import msgspec
import pytest
from app_worlds import Api, OpenNode
from hypothesis import given
from hypothesis import strategies as st

from peerage.app.api.content_http import disposition
from peerage.app.api.content_models import ContentFile
from peerage.app.api.ranges import Conditions, Span, UnsatisfiableError, is_known, span_of
from peerage.app.node import Node
from peerage.limits import MIB

TAG = '"x.0"'


# --- which bytes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("", (0, 100, False)),
        ("bytes=0-", (0, 100, True)),
        ("bytes=10-19", (10, 20, True)),
        ("Bytes=10-999", (10, 100, True)),
        ("bytes=-1", (99, 100, True)),
        ("bytes=-999", (0, 100, True)),
        ("bytes= 5 - 6 ", (5, 7, True)),
        ("bytes=0-1,5-6", (0, 100, False)),
        ("bytes=9-3", (0, 100, False)),
        ("bytes=-", (0, 100, False)),
        ("bytes=" + "9" * 40 + "-", (0, 100, False)),
        ("items=0-1", (0, 100, False)),
    ],
)
def test_ranges(header: str, span: tuple[int, int, bool]) -> None:
    assert span_of(Conditions(header), 100, TAG) == span


@pytest.mark.parametrize(("header", "size"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=0-", 0), ("bytes=-5", 0)])
def test_ranges_outside(header: str, size: int) -> None:
    with pytest.raises(UnsatisfiableError):
        span_of(Conditions(header), size, TAG)


def test_a_range_of_another_version_is_the_whole() -> None:
    assert span_of(Conditions("bytes=1-2", TAG), 100, TAG) == Span(1, 3)
    assert not span_of(Conditions("bytes=1-2", '"other"'), 100, TAG).partial
    assert not span_of(Conditions("bytes=1-2", f"W/{TAG}"), 100, TAG).partial
    assert is_known(Conditions(if_none_match=f'"a", W/{TAG}'), TAG)
    assert is_known(Conditions(if_none_match="*"), TAG)
    assert not is_known(Conditions(), TAG)


@given(st.text() | st.from_regex(r"bytes=[0-9]*-[0-9]*", fullmatch=True), st.integers(0, 1000))
def test_attack_any_range_header(header: str, size: int) -> None:
    try:
        span = span_of(Conditions(header), size, TAG)
    except UnsatisfiableError:
        return
    assert 0 <= span.start <= span.stop <= size
    assert span.start < span.stop or not span.partial


# --- names and types --------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_attack_no_name_breaks_the_header(name: str) -> None:
    header = disposition(name, "video/mp4", save=False)
    assert header.isascii()
    assert header.isprintable()
    quoted = header.partition('filename="')[2].partition('"')[0]
    assert not set(quoted) & set('\\/%;"')
    assert header.count('"') == 2


def test_what_could_carry_a_program_is_saved() -> None:
    for mime in ("text/html", "image/svg+xml", "application/javascript", "application/octet-stream", "text/xml"):
        assert disposition("x", mime, save=False).startswith("attachment")
    for mime in ("video/mp4", "audio/flac", "image/png", "text/plain", "application/pdf"):
        assert disposition("x", mime, save=False).startswith("inline")
        assert disposition("x", mime, save=True).startswith("attachment")


# --- over HTTP --------------------------------------------------------------------------------------------------


async def shared(node: Node, path: Path) -> str:
    return (await node.share(path)).content_id


async def test_a_shared_file_whole_and_in_parts(api: Api, node: Node, files: Path) -> None:
    data = (files / "first song.mp3").read_bytes()
    content = await shared(node, files / "first song.mp3")
    whole = await api.http.get(f"content/{content}")
    assert (whole.status_code, whole.content) == (200, data)
    assert whole.headers["content-type"] == "audio/mpeg"
    assert whole.headers["content-disposition"].startswith('inline; filename="first song.mp3"')
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    etag = whole.headers["etag"]
    assert content in etag
    part = await api.http.get(f"content/{content}", headers={"range": "bytes=100-299", "if-range": etag})
    assert (part.status_code, part.content) == (206, data[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(data)}"
    tail = await api.http.get(f"content/{content}", headers={"range": "bytes=-5"})
    assert (tail.status_code, tail.content) == (206, data[-5:])
    beyond = await api.http.get(f"content/{content}", headers={"range": f"bytes={len(data)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(data)}")
    head = await api.http.head(f"content/{content}", headers={"range": "bytes=1-2"})
    assert (head.status_code, head.content, head.headers["content-length"]) == (206, b"", "2")
    known = await api.http.get(f"content/{content}", headers={"if-none-match": etag})
    assert (known.status_code, known.content) == (304, b"")
    saved = await api.http.get(f"content/{content}", params={"save": "true"})
    assert saved.headers["content-disposition"].startswith("attachment")


async def test_files_of_a_folder(api: Api, node: Node, files: Path) -> None:
    (files / "page.html").write_text("<script>alert(1)</script>")
    (files / "100% true?#.txt").write_text("")
    content = await shared(node, files)
    listed = msgspec.json.decode((await api.http.get(f"files/{content}")).content, type=list[ContentFile])
    assert [each.path for each in listed] == sorted(
        ["100% true?#.txt", "deep/second song.ogg", "first song.mp3", "page.html", "words.txt"]
    )
    assert all(each.done == each.size and each.wanted for each in listed)
    deep = await api.http.get(f"content/{content}/deep/second%20song.ogg")
    assert (deep.status_code, deep.content) == (200, (files / "deep" / "second song.ogg").read_bytes())
    page = await api.http.get(f"content/{content}/page.html")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-disposition"].startswith("attachment")
    empty = await api.http.get(f"content/{content}/100%25%20true%3F%23.txt")
    assert (empty.status_code, empty.content) == (200, b"")
    assert (await api.http.get(f"content/{content}")).status_code == 409
    for wrong in ("nothing", "deep", "..%2f..%2fhome%2fapi.token", "%2fetc%2fpasswd", "deep/../words.txt%00"):
        assert (await api.http.get(f"content/{content}/{wrong}")).status_code == 404
    single = await shared(node, files / "words.txt")
    assert (await api.http.get(f"content/{single}/words.txt")).status_code == 404


async def test_what_is_not_here(api: Api) -> None:
    for said in ("a" * 52, "x", "nonsense", "%00"):
        assert (await api.http.get(f"content/{said}")).status_code == 404
        assert (await api.http.get(f"files/{said}")).status_code == 404


async def film(open_node: OpenNode, tmp_path: Path, size: int) -> tuple[Node, bytes, str]:
    """A node that sends slowly, and what it shares."""
    other = await open_node("other")
    data = random.Random(4).randbytes(size)
    (tmp_path / "film.mp4").write_bytes(data)
    share = await other.share(tmp_path / "film.mp4")
    return other, data, share.link


async def test_a_film_plays_while_it_is_downloaded_and_seeks(
    api: Api, node: Node, open_node: OpenNode, tmp_path: Path
) -> None:
    other, data, link = await film(open_node, tmp_path, 24 * MIB)
    await other.set_limits(up=3 * MIB)
    download = await node.get(link)
    route = f"content/{msgspec.json.decode(msgspec.json.encode(node.fetching.view(download)))['content_id']}"
    start = await api.http.get(route, headers={"range": "bytes=0-99"}, timeout=30)
    assert (start.status_code, start.content) == (206, data[:100])
    seek = await api.http.get(route, headers={"range": f"bytes={20 * MIB}-{21 * MIB - 1}"}, timeout=30)
    assert (seek.status_code, seek.content) == (206, data[20 * MIB : 21 * MIB])
    assert download.status().done < len(data)
    listed = msgspec.json.decode((await api.http.get(route.replace("content", "files"))).content)
    assert MIB <= listed[0]["done"] < len(data)
    async with api.http.stream("GET", route) as response:  # a player that is closed
        assert await anext(response.aiter_bytes(1000)) == data[:1000]
    async with asyncio.timeout(20):
        while node.contents.reading.readers:
            await asyncio.sleep(0)
    await other.set_limits(up=0)
    await download.wait()
    assert (await api.http.get(route)).content == data


async def test_a_download_that_rests_says_so(api: Api, node: Node, open_node: OpenNode, tmp_path: Path) -> None:
    other, _, link = await film(open_node, tmp_path, 4 * MIB)
    await other.set_limits(up=64 * 1024)
    download = await node.get(link)
    async with asyncio.timeout(20):
        while download.space is None:
            await asyncio.sleep(0)
    route = f"content/{link.partition(':')[2].partition('?')[0]}"
    async with api.http.stream("GET", route) as response:
        assert response.status_code == 200
        await node.fetching.pause(link)
        with pytest.raises(httpx.RemoteProtocolError):
            await response.aread()
    paused = await api.http.get(route, headers={"range": f"bytes={3 * MIB}-"})
    assert (paused.status_code, "resume" in paused.text) == (409, True)
