"""What the doctor makes of this node's place among others: heard, reached, met, in time, found. Pure.

Invariant: from the same facts follows the same finding; what other peers say counts only where several of different
networks agree. How the facts are come by is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec

from peerage.app.api.doctor_models import Check
from peerage.app.cli.formats import count, duration
from peerage.limits import INDEX_SKEW

SETTLING: Final = 90.0
"""Seconds after its start in which a node may still be without peers."""

_CLOCK_OFF: Final = 60.0  # seconds: more is no delay on the way, and the clock of nobody who has the time from a server
_CLOCK_ENOUGH: Final = 2  # networks that must agree before a clock is called wrong: one peer may lie
_NAMED: Final = 3  # of a longer list, by name
_FEW: Final = 3  # peers: with fewer, those that leave may leave this node alone


class Ears(msgspec.Struct, frozen=True, kw_only=True):
    """Where a node should listen, where it does, and whether somebody really does at those places."""

    wanted: str  # HOST:PORT of the configuration, "" is nowhere
    places: tuple[str, ...]
    deaf: tuple[str, ...]  # those of them where nobody listens after all
    port: int
    moved: bool  # the usual port was taken
    local_only: bool  # others cannot dial any of these places


class Company(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a node has met."""

    connected: int
    known: int
    age: float  # seconds since its start
    alone: str  # why nobody can be there: "" or a reason such as that it looks for nobody


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the clock, in seconds; `offsets` are how far others are ahead, one for each network."""

    offsets: tuple[float, ...]
    jumped: float  # how far the time of day went on more than the time that has passed since the start
    future: float  # how far the newest file of the home folder is ahead of now


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """An index that the owner has named, and whether it has what this node shares."""

    name: str
    registered: bool


def check_listening(ears: Ears) -> Check:
    """Judge whether others could find an open ear."""
    if not ears.wanted:
        says = "This node does not listen, as the settings say: others cannot dial it, it can only dial them."
        remedy = 'To be of more use, set "listen" to ":7411" in the settings and restart.'
        return Check.of("warn", "listening.off", says, remedy)
    where = ", ".join(ears.places[:_NAMED])
    if ears.deaf or not ears.places:
        says = f"Nobody listens at {', '.join(ears.deaf[:_NAMED]) or ears.wanted}, where this node should."
        return Check.of("bad", "listening.deaf", says, "Restart the node: peerage down, then peerage up.", where=where)
    if ears.local_only:
        says = f"This node listens at {where}, where only this computer can dial it."
        remedy = 'For others to dial it, set "listen" to ":7411" in the settings and restart.'
        return Check.of("warn", "listening.local", says, remedy, where=where)
    if ears.moved:
        says = f"The usual port was taken, so this node listens at port {ears.port} instead."
        remedy = "Is another node running on this computer? If you open a port in your router, open this one."
        return Check.of("warn", "listening.moved", says, remedy, where=where, port=ears.port)
    return Check.of("good", "listening.good", f"This node listens at {where}.", where=where, port=ears.port)


def check_reachable(reachable: bool | None, ears: Ears, own: Sequence[str]) -> Check:  # noqa: FBT001 -- None is a third value
    """Judge whether strangers can dial this node, as they say who have tried."""
    here = own[0] if own else ""
    if reachable:
        return Check.of("good", "reachable.good", "Other peers have dialled this node: it can be reached.", at=here)
    if not ears.places or ears.local_only:
        says = "Other computers cannot dial this node, as it does not listen for them."
        return Check.of("warn", "reachable.closed", says, "See what is said about listening.")
    if reachable is None:
        says = "Whether others can dial this node is not known yet: nobody was there who could try."
        return Check.of("unknown", "reachable.unknown", says, "Wait until some peers are connected.", port=ears.port)
    says = "Others cannot dial this node. It works, but it can dial only those who can be dialled themselves."
    host = here.rpartition(":")[0]
    target = f" to {host}" if host else " to this computer"
    remedy = (
        f"Open TCP port {ears.port} in your router{target} (it is called port forwarding there), and in the firewall "
        "of this computer. In a network that is not yours, ask its owner; without it everything still works, slower."
    )
    return Check.of("warn", "reachable.no", says, remedy, port=ears.port, host=host)


def check_peers(company: Company) -> Check:
    """Judge whether this node has anybody to talk to."""
    connected, known = company.connected, company.known
    says = f"{count(connected, 'peer')} connected, {known} known."
    if connected >= min(_FEW, max(known, 1)):
        return Check.of("good", "peers.good", says, connected=connected, known=known)
    if company.age < SETTLING:
        says = f"{says} This node has only just begun to look."
        return Check.of("unknown", "peers.soon", says, connected=connected, known=known)
    if connected:
        remedy = "Nothing is wrong with that; connect to more, and more will be found."
        return Check.of("warn", "peers.few", says, remedy, connected=connected, known=known)
    if known:
        remedy = "Is this computer online? Otherwise ask a friend for an address or a link, and connect to it."
        return Check.of("bad", "peers.lost", f"None of {count(known, 'known peer')} answers.", remedy, known=known)
    remedy = (
        "Ask a friend for the address or a link of theirs and connect to it: peerage connect HOST:PORT. Or try the "
        f"demo network. {company.alone}".rstrip()
    )
    return Check.of("bad", "peers.none", "This node knows nobody yet.", remedy)


def check_lan(*, wanted: bool, problem: str, heard: int) -> Check:
    """Judge the search on the local network; `heard`: peers of which something was heard there."""
    if not wanted:
        says = "Peers on the local network are not looked for, as the settings say."
        return Check.of("good", "lan.off", says)
    if problem:
        remedy = (
            "A firewall that blocks UDP port 5353 (mDNS) does this, and so does a virtual network without multicast. "
            "Connect to peers by their address instead, or turn the search off in the settings."
        )
        return Check.of("warn", "lan.failed", f"{problem[:1].upper()}{problem[1:]}.", remedy, problem=problem)
    return Check.of("good", "lan.good", f"{count(heard, 'peer')} heard of on the local network.", heard=heard)


def check_clock(times: Times) -> Check:
    """Judge the clock: by those of others, where there are any, else by what this computer has seen of time."""
    remedy = "Let the system set its clock by itself: in its settings for date and time, or sudo timedatectl set-ntp 1"
    if times.offsets:
        ahead = median(times.offsets)
        off, direction = abs(ahead), "behind" if ahead > 0 else "ahead of"
        says = f"This computer's clock is {duration(off)} {direction} those of {count(len(times.offsets), 'peer')}."
        if off < _CLOCK_OFF:
            says = f"This computer's clock agrees with those of {count(len(times.offsets), 'peer')}."
            return Check.of("good", "clock.good", says, seconds=round(ahead), peers=len(times.offsets))
        sure = len(times.offsets) >= _CLOCK_ENOUGH and off >= INDEX_SKEW
        says += " What this node tells others about its files looks old or false to them." if sure else ""
        code = "clock.wrong" if sure else "clock.off"
        peers = len(times.offsets)
        return Check.of("bad" if sure else "warn", code, says, remedy, seconds=round(ahead), peers=peers)
    if times.future > _CLOCK_OFF:
        says = f"The clock has gone back: files of this node are {duration(times.future)} newer than now."
        return Check.of("warn", "clock.back", says, remedy, seconds=round(times.future))
    if abs(times.jumped) > _CLOCK_OFF:
        says = f"The clock was changed by {duration(abs(times.jumped))} while the node ran."
        return Check.of("warn", "clock.jumped", says, remedy, seconds=round(times.jumped))
    says = "Nobody is there to compare the clock with; nothing speaks against it."
    return Check.of("unknown", "clock.unknown", says)


def check_shares(missing: Sequence[str], listed: int) -> Check:
    """Judge whether what is shared is still there."""
    if missing:
        names = ", ".join(missing[:_NAMED]) + (f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else "")
        remedy = (
            "Connect the disk they are on, or put them back, and they are shared again; or take them off the list: "
            "peerage unshare PATH"
        )
        says = f"{count(len(missing), 'share')} cannot be found on the disk: {names}."
        return Check.of("warn", "shares.missing", says, remedy, shares=len(missing), names=names)
    if not listed:
        return Check.of("good", "shares.none", "Nothing is shared yet.", "Share a folder: peerage share PATH")
    return Check.of("good", "shares.good", f"{count(listed, 'share')}, all there.", shares=listed)


def check_catalogue(problem: str) -> Check:
    """Judge a list of shares that cannot be read."""
    says = f"The list of what is shared cannot be read: {problem}."
    return Check.of("bad", "shares.unreadable", says, "Look at the disk, then restart the node.", problem=problem)


def check_index(named: Sequence[Named], age: float) -> Check | None:
    """Judge the indexes that the owner has named; None without any."""
    silent = [each.name for each in named if not each.registered]
    if not named:
        return None
    if not silent:
        says = f"{count(len(named), 'named index', 'named indexes')} know what this node shares."
        return Check.of("good", "index.good", says, indexes=len(named))
    names = ", ".join(silent[:_NAMED])
    if age < SETTLING:
        return Check.of("unknown", "index.soon", f"Not registered yet with the index {names}.", names=names)
    says = f"The index {names} does not answer, so it does not know what this node shares."
    return Check.of("warn", "index.silent", says, 'Check its address in the settings ("index").', names=names)


def check_log(errors: int, last: str) -> Check:
    """Judge the errors that were logged in the last hour."""
    if not errors:
        return Check.of("good", "log.good", "No errors in the last hour.")
    says = f"{count(errors, 'error')} in the last hour, the last: {last}"
    return Check.of("warn", "log.errors", says, "Read more: peerage logs --level error", errors=errors, last=last)


def check_config(broken: str, restart: Sequence[str], unread: Sequence[str]) -> Check:
    """Judge config.toml: unreadable, or with settings that wait for a restart, or for being read again."""
    if broken:
        remedy = "Correct that line, or delete it to have the default; until then the settings before it hold."
        return Check.of("bad", "config.broken", f"The settings cannot be read: {broken}.", remedy, problem=broken)
    if unread:
        names = ", ".join(unread[:_NAMED])
        says = f"The file config.toml was changed ({names}), and the node has not read it since."
        return Check.of("warn", "config.unread", says, "Let it read the file: peerage reload", names=names)
    if restart:
        names = ", ".join(restart[:_NAMED])
        says = f"These settings were changed and wait for a restart: {names}."
        return Check.of("warn", "config.restart", says, "Restart: peerage down, then peerage up.", names=names)
    return Check.of("good", "config.good", "The settings can be read, and are in use.")
