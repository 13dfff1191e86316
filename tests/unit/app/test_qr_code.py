"""Links as pictures for a phone."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
import segno
from app_worlds import Api

from peerage.app.qr_code import svg, terminal_lines
from peerage.errors import LocalError
from peerage.limits import MAX_QR_BYTES

LINK = "peerage:" + "a" * 52 + "?name=" + "x" * 500
FINDER = ["1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111"]


def dots(lines: list[str]) -> list[str]:
    """The modules that half blocks stand for, a row each."""
    rows = []
    for line in lines:
        rows.append("".join("1" if char in "▀█" else "0" for char in line))
        rows.append("".join("1" if char in "▄█" else "0" for char in line))
    return rows


def test_the_terminal_shows_the_code_with_its_quiet_zone() -> None:
    rows = dots(terminal_lines(LINK))
    size = len(rows[0])
    code = [row[4 : size - 4] for row in rows[4 : size - 4]]
    assert rows[0] == rows[3] == rows[size - 1] == "0" * size
    assert all(row.startswith("0000") and row.endswith("0000") for row in rows)
    assert [row[:7] for row in code[:7]] == [row[-7:] for row in code[:7]] == [row[:7] for row in code[-7:]] == FINDER
    assert code == ["".join(map(str, row)) for row in segno.make_qr(LINK, error="l").matrix]


def test_the_picture_holds_nothing_but_the_code() -> None:
    picture = ET.fromstring(svg("<script>alert(1)</script>"))
    assert {element.tag.rpartition("}")[2] for element in picture.iter()} == {"svg", "path"}
    assert "width" not in picture.attrib
    assert b"script" not in svg("<script>alert(1)</script>")
    assert svg("a") != svg("b")


def test_a_text_that_is_too_long_is_refused() -> None:
    svg("x" * MAX_QR_BYTES)
    for text in ("", "x" * (MAX_QR_BYTES + 1), "é" * (MAX_QR_BYTES // 2 + 1)):
        with pytest.raises(LocalError, match="holds 1 to"):
            svg(text)


async def test_over_the_api(api: Api) -> None:
    response = await api.http.get("qr", params={"text": LINK})
    assert response.status_code == 200
    assert response.content == svg(LINK)
    assert response.headers["content-type"].startswith("image/svg+xml")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    for text in ("", "x" * (MAX_QR_BYTES + 1), "é" * MAX_QR_BYTES):
        assert (await api.http.get("qr", params={"text": text})).status_code == 400
    assert (await api.http.get("qr")).status_code == 400
    assert (await api.http.get("qr?text=%ff%fe")).status_code == 200  # not UTF-8: read as replacement characters
    async with await api.as_role("guest") as guest:
        assert (await guest.get("qr", params={"text": "a"})).status_code == 200
