"""The door of the API: tokens, keys, roles, sessions, one-time links, and everybody who should not come in."""

from __future__ import annotations

import stat
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
from app_worlds import Api
from test_api import every_route

from peerage.app.access import (
    LINK_SECONDS,
    OWNER,
    SESSION_SECONDS,
    Access,
    TooManyError,
    UnknownVisitorError,
    Visitor,
)
from peerage.app.api import access_models as models
from peerage.app.api.guard import Door
from peerage.app.api.permissions import NEEDS, OPEN, PERMISSIONS, allowed
from peerage.app.api.routes import ROUTES
from peerage.app.keys_book import KeyBook
from peerage.app.node import Node
from peerage.app.tickets import SessionFile
from peerage.errors import ConfigError, LimitError, LocalError
from peerage.limits import API_BURST, LOGIN_ATTEMPTS, MAX_CLIENTS, MAX_KEYS, MAX_SESSIONS

GUEST = Visitor(id="g", name="guest", role="guest")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path: Path) -> KeyBook:
    return KeyBook(tmp_path / "api.keys")


@pytest.fixture
def access(book: KeyBook, clock: Clock) -> Access:
    return Access("t" * 43, book, clock)


# --- sessions outlive a restart -----------------------------------------------------------------------------------


def restarted(book: KeyBook, path: Path, wall: Clock) -> Access:
    return Access("t" * 43, book, Clock(), SessionFile(path, wall))


def test_a_session_outlives_a_restart_and_no_longer_than_it_would_have(book: KeyBook, tmp_path: Path) -> None:
    path, wall = tmp_path / "api.sessions", Clock()
    access = restarted(book, path, wall)
    session = access.enter(access.make_link(OWNER))
    assert session is not None
    assert session not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    wall.now = SESSION_SECONDS - 1
    again = restarted(book, path, wall).by_session(session)
    assert again is not None
    assert (again.id, again.role, again.by_cookie) == ("owner", "owner", True)
    wall.now = SESSION_SECONDS + 1
    assert restarted(book, path, wall).by_session(session) is None


def test_a_session_of_a_key_that_is_gone_or_of_one_who_left_is_not_restored(book: KeyBook, tmp_path: Path) -> None:
    path, wall = tmp_path / "api.sessions", Clock()
    access = restarted(book, path, wall)
    _, annas = book.add("anna", "guest", 0.0)
    _, berts = book.add("bert", "user", 0.0)
    anna, bert, owner = (access.login(access.by_token(said)) for said in (annas, berts, "t" * 43))
    access.leave(owner)
    book.remove("anna")
    again = restarted(book, path, wall)
    assert again.by_session(anna) is None
    assert again.by_session(owner) is None
    kept = again.by_session(bert)
    assert kept is not None
    assert kept.role == "user"


@pytest.mark.parametrize("damage", [b"{", b"\xff", b'[{"hash": 1}]', b""])
def test_a_damaged_file_of_sessions_lets_nobody_in(book: KeyBook, tmp_path: Path, damage: bytes) -> None:
    path, wall = tmp_path / "api.sessions", Clock()
    session = restarted(book, path, wall).login(OWNER)
    path.write_bytes(damage)
    assert restarted(book, path, wall).by_session(session) is None


def test_attack_a_file_of_sessions_that_others_can_write_is_not_believed(book: KeyBook, tmp_path: Path) -> None:
    path, wall = tmp_path / "api.sessions", Clock()
    session = restarted(book, path, wall).login(OWNER)
    path.chmod(0o666)
    assert restarted(book, path, wall).by_session(session) is None


# --- keys and the password --------------------------------------------------------------------------------------


def test_keys_are_kept_as_hashes_and_open_after_a_restart(book: KeyBook, tmp_path: Path) -> None:
    key, secret = book.add("anna", "guest", 7.0)
    _, other = book.add("bert", "user", 8.0)
    path = tmp_path / "api.keys"
    assert secret.partition(".")[2] not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = KeyBook(path)
    again.load()
    assert again.find(secret) == key
    assert again.find(other).name == "bert"
    for wrong in ("", "x", key.id, secret[:-1], secret + "x", f"{key.id}.", other.partition(".")[0] + secret[8:]):
        assert again.find(wrong) is None
    assert again.remove("anna") == key
    assert again.find(secret) is None
    with pytest.raises(LocalError):
        again.remove("anna")


def test_keys_that_are_made_at_once_are_all_there(book: KeyBook, tmp_path: Path) -> None:
    together = threading.Barrier(8)

    def make(number: int) -> str:
        together.wait()
        return book.add(f"key {number}", "guest", 1.0)[1]

    with ThreadPoolExecutor(8) as threads:
        secrets = list(threads.map(make, range(8)))
    again = KeyBook(tmp_path / "api.keys")
    again.load()
    assert all(again.find(secret) for secret in secrets)


def test_the_password(book: KeyBook, tmp_path: Path) -> None:
    assert not book.opens("")
    with pytest.raises(LocalError, match="10 to 200"):
        book.set_password("short")
    book.set_password("correct horse")
    assert book.has_password
    assert "correct horse" not in (tmp_path / "api.keys").read_text()
    assert "$argon2id$" in (tmp_path / "api.keys").read_text()
    assert book.opens("correct horse")
    assert not book.opens("correct hors")
    book.set_password("")
    assert not book.has_password
    assert not book.opens("correct horse")


def test_a_damaged_or_open_file_of_keys_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "api.keys"
    path.write_text("{")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="move the file away"):
        KeyBook(path).load()
    path.write_text("{}")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        KeyBook(path).load()


def test_attack_the_number_of_keys_is_bounded(book: KeyBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peerage.app.keys_book.MAX_KEYS", 3)
    assert MAX_KEYS > 3
    for number in range(3):
        book.add(str(number), "guest", 0.0)
    with pytest.raises(LimitError):
        book.add("one more", "guest", 0.0)


# --- sessions and links -----------------------------------------------------------------------------------------


def test_a_session_ends_by_time_and_by_leaving(access: Access, clock: Clock) -> None:
    session = access.login(GUEST)
    assert access.by_session(session).role == "guest"
    assert access.by_session(session).by_cookie
    access.leave(session)
    assert access.by_session(session) is None
    session = access.login(GUEST)
    clock.now = SESSION_SECONDS
    assert access.by_session(session) is None
    with pytest.raises(UnknownVisitorError):
        access.login(None)


def test_a_link_opens_once_and_soon(access: Access, clock: Clock) -> None:
    code = access.make_link(GUEST)
    session = access.enter(code)
    assert access.by_session(session).id == GUEST.id
    assert access.enter(code) is None
    late = access.make_link(GUEST)
    clock.now = LINK_SECONDS
    assert access.enter(late) is None
    assert access.enter("") is None


def test_a_key_that_is_taken_back_ends_its_sessions(access: Access) -> None:
    session, code = access.login(GUEST), access.make_link(GUEST)
    other = access.login(Visitor(id="x", name="", role="user"))
    access.forget(GUEST.id)
    assert access.by_session(session) is None
    assert access.enter(code) is None
    assert access.by_session(other) is not None


def test_attack_sessions_are_bounded(access: Access) -> None:
    sessions = [access.login(GUEST) for _ in range(MAX_SESSIONS + 5)]
    assert sum(access.by_session(each) is not None for each in sessions) == MAX_SESSIONS
    assert access.by_session(sessions[-1]) is not None


def test_attack_guessing(access: Access, clock: Clock) -> None:
    for _ in range(LOGIN_ATTEMPTS):
        access.check_attempt("192.0.2.1")
    with pytest.raises(TooManyError):
        access.check_attempt("192.0.2.1")
    access.check_attempt("192.0.2.2")
    for number in range(LOGIN_ATTEMPTS * 9 - 1):
        access.check_attempt(f"host {number}")
    with pytest.raises(TooManyError):  # from all addresses together
        access.check_attempt("another host")
    clock.now = 600.0
    access.check_attempt("192.0.2.1")


def test_attack_requests_without_end(access: Access, clock: Clock) -> None:
    assert all(access.may_go_on(GUEST) for _ in range(int(API_BURST)))
    assert not access.may_go_on(GUEST)
    assert access.may_go_on(Visitor(id="x", name="", role="user"))
    clock.now = 1.0
    assert access.may_go_on(GUEST)
    for number in range(2 * MAX_CLIENTS):
        access.may_go_on(Visitor(id=str(number), name="", role="user"))
    assert len(access._rates) == MAX_CLIENTS


# --- roles ------------------------------------------------------------------------------------------------------


def test_every_route_has_been_thought_about() -> None:
    names = {handler.handler_name for handler in ROUTES}
    assert names == NEEDS.keys() | OPEN
    assert not allowed("user", "a route nobody has thought about")


def test_a_guest_changes_nothing() -> None:
    changing = {handler.handler_name for handler in ROUTES if handler.http_methods - {"GET", "HEAD"}}
    assert {name for name in changing if allowed("guest", name)} == {"leave"}  # its own session
    assert PERMISSIONS["guest"] < PERMISSIONS["user"] < PERMISSIONS["owner"]


def door_to(api: Api, secret: str = "", **headers: str) -> httpx.AsyncClient:
    headers |= {"authorization": f"Bearer {secret}"} if secret else {}
    return httpx.AsyncClient(base_url=f"http://{api.address}/api/v1/", headers=headers, trust_env=False)


async def key_of(api: Api, role: str) -> models.NewKey:
    response = await api.http.post("keys", content=msgspec.json.encode({"name": f"a {role}", "role": role}))
    assert response.status_code == 201, response.text
    return msgspec.json.decode(response.content, type=models.NewKey)


async def test_attack_a_guest_or_user_does_what_only_others_may(api: Api) -> None:
    for role in ("guest", "user"):
        key = await key_of(api, role)
        async with door_to(api, key.secret) as http:
            me = msgspec.json.decode((await http.get("me")).content, type=models.Me)
            assert (me.role, set(me.permissions)) == (role, PERMISSIONS[role])
            assert (await http.get("status")).status_code == 200
            by_path = {
                (method, path): handler.handler_name
                for (method, path), handler in zip(every_route(), _handlers(), strict=True)
            }
            for (method, path), name in by_path.items():
                if name not in OPEN and not allowed(role, name):
                    response = await http.request(method, path, content=b"{}")
                    assert response.status_code == 403, (role, method, path, response.text)


def _handlers() -> list:
    return [handler for handler in ROUTES for _ in handler.paths for method in handler.http_methods if method != "HEAD"]


async def test_attack_a_user_reaches_for_other_folders(api: Api, node: Node, files: Path) -> None:
    downloads = node.config.download_folder
    downloads.mkdir(parents=True)
    (downloads / "way out").symlink_to(files)
    (downloads / "mine.txt").write_text("mine")
    async with door_to(api, (await key_of(api, "user")).secret) as http:
        for path in (str(files), "/etc/passwd", str(downloads / "way out"), str(downloads / ".." / "home"), "~"):
            response = await http.post("shares", content=msgspec.json.encode({"paths": [path]}))
            assert response.status_code == 403, path
            body = msgspec.json.encode({"target": "peerage:" + "a" * 52, "into": path})
            assert (await http.post("transfers", content=body)).status_code == 403
        body = msgspec.json.encode({"paths": [str(downloads / "mine.txt")]})
        assert (await http.post("shares", content=body)).status_code == 200


async def test_a_key_taken_back_opens_no_more(api: Api) -> None:
    key = await key_of(api, "user")
    async with door_to(api, key.secret) as http:
        assert (await http.get("status")).status_code == 200
        removed = await api.http.post("keys/remove", content=msgspec.json.encode({"key": key.key.id}))
        assert removed.status_code == 200
        assert (await http.get("status")).status_code == 401
    assert (await api.http.get("keys")).content == b"[]"


# --- browsers ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def entered(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that followed a one-time link."""
    link = msgspec.json.decode((await api.http.post("link")).content, type=models.EntranceLink)
    async with door_to(api) as browser, door_to(api) as thief:
        response = await browser.get(link.url)
        assert response.status_code == 303
        cookie = response.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert (await thief.get(link.url)).status_code == 401
        yield browser


async def test_a_page_enters_by_a_one_time_link(api: Api) -> None:
    async with entered(api) as browser:
        assert (await browser.get("status")).status_code == 200
        own = {"origin": f"http://{api.address}"}
        assert (await browser.post("transfers/x/pause", headers=own)).status_code == 404
        assert (await browser.post("leave", headers=own)).status_code == 200
        assert (await browser.get("status")).status_code == 401


async def test_attack_cross_site_requests(api: Api) -> None:
    async with entered(api) as browser:
        for headers in (
            {},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"origin": "http://evil.example"},
            {"origin": "http://127.0.0.1:1"},
            {"origin": "null"},
            {"sec-fetch-site": "none"},
        ):
            response = await browser.post("down", headers=headers)
            assert response.status_code == 403, headers
        for site in ("cross-site", "same-site"):
            assert (await browser.get("status", headers={"sec-fetch-site": site})).status_code == 403
        assert (await browser.get("status", headers={"sec-fetch-site": "none"})).status_code == 200
        assert not api.control._asked.is_set()


async def test_login_by_password_and_by_key(api: Api) -> None:
    set_it = await api.http.post("keys/password", content=b'{"password":"correct horse"}')
    assert set_it.status_code == 200
    async with door_to(api) as browser:
        assert (await browser.post("login", content=b'{"secret":"wrong horse"}')).status_code == 401
        assert (await browser.post("login", content=b'{"secret":"correct horse"}')).status_code == 200
        assert msgspec.json.decode((await browser.get("me")).content)["role"] == "owner"
        await api.http.post("keys/password", content=b'{"password":"another horse"}')
        assert (await browser.get("me")).status_code == 401  # a new password ends the sessions of the old one
    key = await key_of(api, "guest")
    async with door_to(api) as browser:
        body = msgspec.json.encode({"secret": key.secret})
        assert (await browser.post("login", content=body)).status_code == 200
        assert msgspec.json.decode((await browser.get("me")).content)["role"] == "guest"
        for _ in range(LOGIN_ATTEMPTS):
            own = {"origin": f"http://{api.address}"}
            response = await browser.post("login", content=b'{"secret":"a guess"}', headers=own)
        assert response.status_code == 429


def test_doors_and_their_names() -> None:
    near, far = Door(), Door(remote=True, names=frozenset({"node.example"}))
    assert near.is_here("127.0.0.1:1")
    assert not near.is_here("192.0.2.7")
    for host in ("192.0.2.7:7412", "[2001:db8::1]:7412", "node.example:7412", "NODE.example", "localhost"):
        assert far.is_here(host)
    for host in ("evil.example", "node.example.evil", "", "a@node.example", "192.0.2.7.evil"):
        assert not far.is_here(host)
