"""Who is at the door of the API: by the owner's token, by a key, or by the session of a page that was let in.

Invariant: whoever is let in has one role; a session ends after a while, and when its key is taken back. A link opens
once and soon; guesses at a password are few. What a role may do is in `api/permissions.py`.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from peerage.app.api.permissions import RoleName
from peerage.app.keys_book import Key, KeyBook
from peerage.app.tickets import SessionFile, Tickets
from peerage.errors import LimitError, LocalError
from peerage.limits import API_BURST, API_RATE, LOGIN_ATTEMPTS, LOGIN_PERIOD, MAX_CLIENTS, MAX_SESSIONS
from peerage.peer.limiter import TokenBucket

SESSION_SECONDS: Final = 7 * 86400.0
LINK_SECONDS: Final = 600.0
_MAX_LINKS: Final = 16
_EVERYBODY: Final = "*"  # all addresses together


class UnknownVisitorError(LocalError):
    """Nobody has that secret."""


class TooManyError(LimitError):
    """Somebody asks too often."""


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who was let in; `id` is the same for all requests with the same key, or as the owner."""

    id: str
    name: str
    role: RoleName
    by_cookie: bool = False


OWNER: Final = Visitor(id="owner", name="owner", role="owner")


class Access:
    """Lets in, or not; `token` is the owner's own. Times are seconds of any clock that only goes forward."""

    def __init__(self, token: str, book: KeyBook, now: Callable[[], float], kept: SessionFile | None = None) -> None:
        self._token = token.encode()
        self.book = book
        self._now = now
        self._kept = kept
        self._sessions: Tickets[Visitor] = Tickets(SESSION_SECONDS, MAX_SESSIONS)
        self._links: Tickets[Visitor] = Tickets(LINK_SECONDS, _MAX_LINKS)
        self._attempts: OrderedDict[str, TokenBucket] = OrderedDict()
        self._rates: OrderedDict[str, TokenBucket] = OrderedDict()
        if kept is not None:
            self._remember(kept)

    def by_token(self, said: str) -> Visitor | None:
        """Return who has this token or key."""
        if secrets.compare_digest(said.encode(), self._token):
            return OWNER
        key = self.book.find(said)
        return _with_key(key) if key is not None else None

    def by_session(self, said: str) -> Visitor | None:
        """Return whose session this is."""
        return self._sessions.get(said, self._now())

    def may_go_on(self, visitor: Visitor) -> bool:
        """Count one request; False when there were too many lately."""
        bucket = _of(self._rates, visitor.id, API_RATE, API_BURST, self._now())
        return bucket.take(1, self._now())

    def check_attempt(self, client: str) -> None:
        """Count one guess at a secret from an address; raises TooManyError."""
        now = self._now()
        for whose, rate in ((client, LOGIN_ATTEMPTS), (_EVERYBODY, 10 * LOGIN_ATTEMPTS)):
            if not _of(self._attempts, whose, rate / LOGIN_PERIOD, rate, now).take(1, now):
                raise TooManyError("LOGIN_ATTEMPTS", "theirs", "too many attempts; wait a minute, then try again")

    def login(self, visitor: Visitor | None) -> str:
        """Begin a session and return its secret; raises UnknownVisitorError for nobody."""
        if visitor is None:
            raise UnknownVisitorError("that is neither the password nor a key of this node")
        session = self._sessions.give(msgspec.structs.replace(visitor, by_cookie=True), self._now())
        self._keep()
        return session

    def leave(self, said: str) -> None:
        """End a session."""
        self._sessions.take(said, self._now())
        self._keep()

    def make_link(self, visitor: Visitor) -> str:
        """Return a code that lets a page in, once and soon."""
        return self._links.give(visitor, self._now())

    def enter(self, code: str) -> str | None:
        """Begin the session that a code stands for; None when it stands for nothing (any more)."""
        visitor = self._links.take(code, self._now())
        return self.login(visitor) if visitor is not None else None

    def forget(self, visitor_id: str) -> None:
        """End all sessions and links of a key that was taken back."""
        for tickets in (self._sessions, self._links):
            tickets.drop(lambda visitor: visitor.id == visitor_id)
        self._keep()

    def _remember(self, kept: SessionFile) -> None:
        """Let in those again who were let in before this process began; what a key may do is looked up anew."""
        visitors = {OWNER.id: OWNER} | {key.id: _with_key(key) for key in self.book.all()}
        for hashed, visitor_id, left in kept.load():
            if (visitor := visitors.get(visitor_id)) is not None:
                self._sessions.restore(hashed, msgspec.structs.replace(visitor, by_cookie=True), self._now() + left)

    def _keep(self) -> None:
        if self._kept is not None:
            held = self._sessions.held(self._now())
            self._kept.save([(hashed, visitor.id, left) for hashed, visitor, left in held])


def _with_key(key: Key) -> Visitor:
    return Visitor(id=key.id, name=key.name, role=key.role)


def _of(buckets: OrderedDict[str, TokenBucket], key: str, rate: float, burst: float, now: float) -> TokenBucket:
    """Return the bucket of a key; the one unused for longest gives way."""
    bucket = buckets.get(key)
    if bucket is None:
        bucket = buckets[key] = TokenBucket(rate, burst, now)
    buckets.move_to_end(key)
    while len(buckets) > MAX_CLIENTS:
        buckets.popitem(last=False)
    return bucket
