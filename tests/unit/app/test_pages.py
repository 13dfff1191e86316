"""The page as it is handed out: names that last, a strict policy, whole words in each language, pinned libraries."""

import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from peerage.app.access import Access
from peerage.app.api.guard import Door, Guard
from peerage.app.keys_book import KeyBook
from peerage.app.web.pages import POLICY, VIEWS, page, serve_page

PAGE = Path(__file__).parents[3] / "src/peerage/app/web/page"
MODULES = sorted(PAGE.rglob("*.js"))
OWN = [path for path in MODULES if "vendor" not in path.parts]
MAX_FIRST_LOAD = 300_000  # bytes, as they are sent


async def ask(app: Any, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Ask an ASGI application; returns status, headers and body."""
    sent: list[dict[str, Any]] = []
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"host", b"127.0.0.1:1"))
    scope = {"type": "http", "path": path, "method": method, "headers": raw, "query_string": b""}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    await app(scope, None, send)
    said = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], said, b"".join(event.get("body", b"") for event in sent[1:])


async def test_every_view_has_a_frame_that_is_asked_for_again_each_time_and_names_what_the_view_needs() -> None:
    for view in VIEWS:
        _, _, body = await ask(serve_page, f"/{view}")
        early = set(re.findall(r'modulepreload" href="/page/[0-9a-f]+/([^"]+)"', body.decode()))
        assert {
            f"{view}/{view}.js",
            "app.js",
            "vendor/preact.js",
            "vendor/signals-core.js",
            "words/en/frame.js",
        } <= early
        assert not {"vendor/uplot.js", "words/de.js"} & early
    assert (await ask(serve_page, "/"))[2] == (await ask(serve_page, "/home"))[2]
    status, headers, body = await ask(serve_page, "/")
    assert (status, headers["cache-control"]) == (200, "no-cache")
    assert b"{root}" not in body
    assert b"{early}" not in body


async def test_all_that_the_frame_names_is_there_for_good_and_small_enough() -> None:
    _, _, frame = await ask(serve_page, "/")
    named = re.findall(r'(?:href|src)="(/page/[^"]+)"', frame.decode())
    assert len(named) > 20
    total = len(gzip.compress(frame))
    for name in named:
        status, headers, body = await ask(serve_page, name, accept_encoding="gzip, br")
        assert status == 200, name
        assert "immutable" in headers["cache-control"]
        total += len(body)
    assert total < MAX_FIRST_LOAD


async def test_every_file_comes_with_the_policy_and_its_type() -> None:
    for name in page().files:
        _, headers, _ = await ask(serve_page, name)
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-type"] != "application/octet-stream" or "LICENSE" in name, name
    assert "unsafe" not in POLICY


async def test_a_body_is_packed_only_for_who_takes_it_that_way() -> None:
    _, plain_headers, plain = await ask(serve_page, "/")
    _, headers, packed = await ask(serve_page, "/", accept_encoding="br;q=1, gzip;q=0.5")
    assert "content-encoding" not in plain_headers
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == plain
    assert len(packed) == int(headers["content-length"]) < len(plain)
    _, headers, nothing = await ask(serve_page, "/", method="HEAD")
    assert nothing == b""
    assert int(headers["content-length"]) == len(plain)


@pytest.mark.parametrize(
    "path",
    [
        "/page/",
        "/page/x/app.js",
        "/page/../pages.py",
        "/page/{v}/../../pages.py",
        "/page/{v}/index.html",
        "/etc/passwd",
        "/x",
        "//",
    ],
)
async def test_attack_no_other_file_is_ever_sent(path: str) -> None:
    status, _, body = await ask(serve_page, path.replace("{v}", page().version))
    assert status == 404
    assert b"import annotations" not in body


async def test_nothing_can_be_sent_to_the_page() -> None:
    assert (await ask(serve_page, "/", method="POST"))[0] == 405


async def test_the_page_is_open_and_answers_to_the_names_of_this_computer_only(tmp_path: Path) -> None:
    async def api(*_: Any) -> None:
        raise AssertionError("the API was reached")

    guard = Guard(api, serve_page, Access("t" * 43, KeyBook(tmp_path / "keys"), lambda: 0.0), Door())
    assert (await ask(guard, "/"))[0] == 200
    assert (await ask(guard, "/api/v1/status"))[0] == 401
    assert (await ask(guard, "/", origin="http://evil.example"))[0] == 403
    scope = {"type": "http", "path": "/", "method": "GET", "headers": [(b"host", b"evil.example")], "query_string": b""}
    sent: list[dict[str, Any]] = []

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    await guard(scope, None, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 403


# --- words ------------------------------------------------------------------------------------------------------


def words_of(language: str) -> dict[str, str]:
    """Return the sentences of a language by their keys, with the forms for numbers as they are written."""
    found: dict[str, str] = {}
    for path in sorted((PAGE / "words" / language).glob("*.js")):
        if path.name == "doctor.js":
            continue  # of the node itself, see below
        for key, text in re.findall(r'^  "([^"]+)":\s*(.+?),?$', path.read_text("utf-8"), re.MULTILINE):
            assert key not in found, f"{key} stands twice in {language}"
            found[key] = text
    return found


def test_both_languages_say_the_same_things_with_the_same_blanks() -> None:
    english, german = words_of("en"), words_of("de")
    assert english.keys() == german.keys()
    for key, text in english.items():
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", german[key])), key
        assert ("other:" in text) == ("other:" in german[key]), key


def test_every_sentence_that_the_page_uses_is_there_and_none_for_nothing() -> None:
    english = words_of("en")
    code = "\n".join(path.read_text("utf-8") for path in OWN if "words" not in path.parts)
    for key in re.findall(r'\bt\(\s*"([^"]+)"', code):
        assert key in english, key
    built = re.findall(r"`([\w.-]+?)[.]?\$\{", code)  # t(`state.${state}`): all that begins so is used
    prefixes = tuple(f"{start}." for start in built if start) + tuple(start for start in built if start)
    named = set(re.findall(r"""["'`]([\w.-]+)["'`]""", code))
    for key in english:
        used = key in named or key.startswith(prefixes) or key.rpartition(".")[0] in named  # `${words}.${option}`
        assert used, f"{key} is used nowhere"


def test_the_doctor_speaks_german_with_the_codes_and_values_of_the_node() -> None:
    source = "".join(path.read_text("utf-8") for path in (PAGE.parents[1]).glob("doctor_[cn]*.py"))
    codes = set(re.findall(r'"((?:[a-z]+)\.[a-z-]+)"', source))
    codes |= {"downloads.no-folder", "downloads.read-only"}  # made of what is wrong with the folder
    text = (PAGE / "words/de/doctor.js").read_text("utf-8")
    said = dict(re.findall(r'^  "([^"]+)": "(.+)",$', text, re.MULTILINE))
    assert {key for key in said if not key.endswith(".do")} == codes
    for key, sentence in said.items():
        for name in re.findall(r"\{(?:size:)?(\w+)\}", sentence):
            assert re.search(rf"\b{name}=", source), f"{key}: no check gives {name}"


def test_nothing_is_said_outside_the_words() -> None:
    """Text between tags stands in words/, but for marks, units and names."""
    for path in OWN:
        if "words" in path.parts:
            continue
        for text in re.findall(r">\s*([A-Z][a-z]{2,}[^<>${}`]*)<", path.read_text("utf-8")):
            assert text.strip() == "Peerage", f"{path.name}: {text}"


# --- libraries, sizes -------------------------------------------------------------------------------------------


def test_the_libraries_are_those_that_were_fetched() -> None:
    listed = json.loads((PAGE / "vendor/modules.json").read_text("utf-8"))
    assert {each["file"] for each in listed} == {
        path.name for path in (PAGE / "vendor").glob("*.[jc]s*") if path.suffix != ".json"
    }
    for each in listed:
        assert hashlib.sha256((PAGE / "vendor" / each["file"]).read_bytes()).hexdigest() == each["sha256"], each["file"]
        assert (PAGE / "vendor" / each["licence"]).stat().st_size > 500


@pytest.mark.parametrize("path", OWN, ids=lambda path: str(path.relative_to(PAGE)))
def test_a_module_is_short_says_what_it_is_for_and_imports_what_is_there(path: Path) -> None:
    text = path.read_text("utf-8")
    if path.parent.parent.name != "words":
        assert text.count("\n") <= 400
        assert text.startswith("// "), "the head says what a module is for"
    for name in re.findall(
        r"""^(?:import|export)\b[^;]*?from "([^"]+)";|^import "([^"]+)";|import\("([^"]+)"\)""", text, re.MULTILINE
    ):
        assert (path.parent / "".join(name)).is_file(), name
    assert "innerHTML" not in text
    assert "https://" not in text
