"""The records that an index keeps for others, in SQLite. Runs in the database's thread and blocks.

Besides public records an index keeps *claims*: that somebody has the content of a locator, without saying what it is.
Both are rows of the same tables, by locator instead of content id; a claim has no words and counts as for link holders
only, so that no search finds it.
Invariant: besides that of record_rows.py, whoever has a row here is a tenant, with addresses, an end and a digest of
all its rows; no tenant has more rows than its bound, nor have all together: what exceeds that is refused, so that
nobody can push others out. Signatures are checked by whoever brings a record. Transactions are opened by the caller.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from blake3 import blake3

from peerage.catalogue.locator import locator_of
from peerage.catalogue.query import Query
from peerage.catalogue.record import Record, Visibility
from peerage.catalogue.record_finder import Audience, Match, RecordFinder, check_limit
from peerage.catalogue.record_rows import RecordRows, Row, row_of
from peerage.catalogue.record_table import Added
from peerage.catalogue.schema import HAS_CONTENT
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.limits import MAX_INDEX_RECORDS, MAX_RECORDS_PER_HOLDER

_NOBODY: Final = -1  # the row of this node in `holders`: an index has nothing of its own


class IndexBounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much an index takes, in rows: of one holder, and in all."""

    per_holder: int = MAX_RECORDS_PER_HOLDER
    total: int = MAX_INDEX_RECORDS


class Key(NamedTuple):
    """Which row of a holder: the locator of the content, and what the holder calls it where (`Record.slot`)."""

    locator: bytes
    slot: int


class Claim(msgspec.Struct, frozen=True):
    """That somebody has the content of a locator; `body` is what proves it, as it came."""

    locator: bytes
    issued: int
    body: bytes


class Tenant(msgspec.Struct, frozen=True):
    """A holder as an index knows it; `proof` is what the holder signed about the rest, where there is such a thing."""

    peer_id: PeerId
    addresses: tuple[Address, ...]
    expires: float  # time of day in seconds
    proof: bytes = b""


class Indexed(msgspec.Struct, frozen=True):
    """One answer: the encoded record (or the body of a claim), and who holds it."""

    body: bytes
    tenant: Tenant


class Held(msgspec.Struct, frozen=True):
    """What an index has of one holder: how many rows, and the XOR of their `fingerprint`s."""

    count: int = 0
    digest: int = 0


def key_of(record: Record) -> Key:
    """Return the key that a record has in an index."""
    return Key(locator_of(record.content), record.slot())


def claim_key(holder: PeerId, locator: bytes) -> Key:
    """Return the key that a claim has in an index: a holder has one for each locator."""
    return Key(locator, int.from_bytes(holder[:8], "big") >> 1)


def fingerprint(key: Key, issued: int) -> int:
    """Return a 63-bit number of one row, by which both sides can tell whether they mean the same rows."""
    told = key.locator + key.slot.to_bytes(8, "big") + issued.to_bytes(8, "big")
    return int.from_bytes(blake3(told).digest(8), "big") >> 1


class IndexTable(RecordRows):
    """The rows of one open index."""

    def __init__(self, connection: sqlite3.Connection, bounds: IndexBounds) -> None:
        super().__init__(connection)
        self._bounds = bounds
        self.total = 0
        self.recount()

    def recount(self) -> None:
        """Read again what is kept in memory."""
        self.total = self._db.execute("SELECT ifnull(sum(records), 0) FROM holders").fetchone()[0]

    def put(self, tenant: Tenant, records: Sequence[Record], claims: Sequence[Claim] = ()) -> Added:
        """Store checked public records and claims of one tenant, who is known from now on until `expires`."""
        holder = self.holder_row(tenant.peer_id)
        rows = [
            row_of(each, each.slot(), holder, locator_of(each.content))
            for each in records
            if each.visibility is Visibility.PUBLIC
        ]
        rows += [_claim_row(each, tenant.peer_id, holder) for each in claims]
        self._enter(holder, tenant)
        added = self._put(holder, rows)
        self.tally(Counter({holder: 0}))  # who brought nothing that is kept is not kept
        return added + Added(refused=len(records) + len(claims) - len(rows))

    def remove(self, holder: PeerId, keys: Iterable[Key]) -> int:
        """Remove these rows of one holder; returns how many there were."""
        row = self.known_row(holder)
        sql = f"SELECT id FROM records WHERE {HAS_CONTENT} AND slot = ?2 AND holder = ?3"  # noqa: S608
        found = [each[0] for key in set(keys) for each in self._db.execute(sql, (key.locator, key.slot, row))]
        return self._drop(found)

    def renew(self, tenant: Tenant) -> Held:
        """Let all that a tenant has here end at `expires`; returns what that is."""
        holder = self.known_row(tenant.peer_id)
        if holder is None:
            return Held()
        self._enter(holder, tenant)
        return self.held(tenant.peer_id)

    def held(self, holder: PeerId) -> Held:
        """Return what is here of one holder."""
        sql = "SELECT records, digest FROM holders JOIN tenants USING (id) WHERE peer_id = ?"
        found = self._db.execute(sql, (holder,)).fetchone()
        return Held(*found) if found else Held()

    def drop_some(self, holder: PeerId, most: int) -> int:
        """Forget what one holder has here, at most so many rows at a time; returns how many that were."""
        return self._drop_rows_of(self.known_row(holder), most)

    def expire_some(self, now: float, most: int) -> int:
        """Forget rows whose tenant's time is over, at most so many at a time, of one tenant."""
        found = self._db.execute(
            "SELECT id FROM tenants WHERE expires <= ? ORDER BY expires LIMIT 1", (now,)
        ).fetchone()
        return self._drop_rows_of(found[0], most) if found else 0

    def forget_empty(self, holders: Iterable[int]) -> None:
        """Forget holders without any row: they are no tenants."""
        rows = tuple(holders)
        sql = "DELETE FROM tenants WHERE id IN (SELECT id FROM holders WHERE id = ? AND records <= 0)"
        self._db.executemany(sql, [(row,) for row in rows])
        super().forget_empty(rows)

    def tally(self, holders: Counter[int]) -> None:
        """Book what was added or taken."""
        super().tally(holders)
        self.total += sum(holders.values())

    def _enter(self, holder: int, tenant: Tenant) -> None:
        sql = (
            "INSERT INTO tenants VALUES (?, ?, ?, ?, 0) ON CONFLICT (id) DO UPDATE"
            " SET addresses = excluded.addresses, expires = excluded.expires, proof = excluded.proof"
        )
        self._db.execute(sql, (holder, msgspec.msgpack.encode(tenant.addresses), tenant.expires, tenant.proof))

    def _put(self, holder: int, rows: Iterable[Row]) -> Added:
        room = min(self._bounds.per_holder - self.count(holder), self._bounds.total - self.total)
        fresh: dict[Key, Row] = {}
        stale: list[int] = []
        known = refused = digest = 0
        for row in sorted(rows, key=lambda row: -row.issued):
            key = Key(row.content, row.slot)
            found = self.find(*key)
            if key in fresh or any(issued >= row.issued for _, issued in found):
                known += 1
            elif len(fresh) - len(stale) >= room and not found:
                refused += 1
            else:
                fresh[key] = row
                stale += [number for number, _ in found]
                digest ^= fingerprint(key, row.issued)
        self._db.executemany(
            "UPDATE tenants SET digest = (digest | ?1) - (digest & ?1) WHERE id = ?2", [(digest, holder)]
        )
        self.insert(list(fresh.values()))
        self._drop(stale)
        return Added(len(fresh), known, refused)

    def _drop_rows_of(self, holder: int | None, most: int) -> int:
        sql = "SELECT id FROM records WHERE holder = ? LIMIT ?"
        return self._drop([each[0] for each in self._db.execute(sql, (holder, most))])

    def _drop(self, numbers: Sequence[int]) -> int:
        """Delete rows and take them out of their holders' digests."""
        digests: Counter[int] = Counter()
        for number in numbers:
            sql = "SELECT holder, content, slot, issued FROM records WHERE id = ?"
            holder, locator, slot, issued = self._db.execute(sql, (number,)).fetchone()
            digests[holder] ^= fingerprint(Key(locator, slot), issued)
        self._db.executemany(
            "UPDATE tenants SET digest = (digest | ?1) - (digest & ?1) WHERE id = ?2",
            [(digest, holder) for holder, digest in digests.items()],
        )
        self.delete(numbers)
        return len(numbers)


class IndexFinder:
    """Reads one open index; there may be several, each with a connection of its own."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._records = RecordFinder(connection, _NOBODY)

    @property
    def work(self) -> int:
        """What all searches have cost so far, in WORK_STEPS instructions of the database."""
        return self._records.work

    def search(self, query: Query, limit: int) -> list[Indexed]:
        """Return up to `limit` records that answer the query, those with the fewest words first."""
        check_limit(limit)
        return self._with_tenants(self._records.matches(query, limit, Audience.ANYONE))

    def holders(self, locator: bytes, limit: int) -> list[Indexed]:
        """Return up to `limit` holders of a content, each once, the latest first."""
        check_limit(limit)
        sql = (
            f"SELECT records.holder, bodies.body, max(records.id) AS newest FROM records JOIN bodies USING (id)"  # noqa: S608
            f" WHERE {HAS_CONTENT} GROUP BY records.holder ORDER BY newest DESC LIMIT ?2"
        )
        return self._with_tenants([Match(holder, body) for holder, body, _ in self._db.execute(sql, (locator, limit))])

    def _with_tenants(self, matches: Sequence[Match]) -> list[Indexed]:
        tenants = self._tenants({match.holder for match in matches})
        return [Indexed(match.body, tenants[match.holder]) for match in matches if match.holder in tenants]

    def _tenants(self, holders: Iterable[int]) -> Mapping[int, Tenant]:
        sql = "SELECT peer_id, addresses, expires, proof FROM holders JOIN tenants USING (id) WHERE id = ?"
        found = ((holder, self._db.execute(sql, (holder,)).fetchone()) for holder in holders)
        return {
            holder: Tenant(PeerId(row[0]), _addresses.decode(row[1]), row[2], row[3]) for holder, row in found if row
        }


_addresses: Final = msgspec.msgpack.Decoder(tuple[Address, ...])


def _claim_row(claim: Claim, holder_id: PeerId, holder: int) -> Row:
    slot = claim_key(holder_id, claim.locator).slot
    return Row(claim.locator, slot, holder, Visibility.LINK.value, 0, "", "", "", 0.0, claim.issued, [], claim.body)
