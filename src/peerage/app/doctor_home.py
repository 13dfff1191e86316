"""The doctor for a home folder: what can be looked at whether its node runs or not.

Invariant: it needs no node and changes nothing; where the configuration cannot be read, it says so and looks at the
rest as if it had the defaults.
"""

from __future__ import annotations

import time
from pathlib import Path

from peerage.app import doctor_computer as computer
from peerage.app import doctor_facts as facts
from peerage.app.api.doctor_models import Check
from peerage.app.certificates import DoorCertificate
from peerage.app.config import DEFAULT_PORT, Config, RemoteSettings
from peerage.app.doctor_network import check_config
from peerage.app.doors import check_addresses
from peerage.app.home import Home
from peerage.app.known_supernodes import most_files
from peerage.errors import PeerageError
from peerage.identity.address import parse_address


def examine_computer(home: Home, config: Config, missing: int = 0) -> list[Check]:
    """Look at folders and disks; `missing` bytes are still to be downloaded. Blocks."""
    space = facts.look_at_folder(home.path)
    return [
        computer.check_home(space, private=facts.is_private(home.path)),
        computer.check_disk(space),
        computer.check_downloads(facts.look_at_folder(config.download_folder), missing),
    ]


def examine_certificate(remote: RemoteSettings, shown: DoorCertificate | None = None) -> list[Check]:
    """Look at the certificate for other computers, where the node is open to them. Blocks."""
    if not remote.listen or not remote.certificate:
        return []
    path = Path(remote.certificate).expanduser()
    left, problem = facts.certificate_left(path, time.time())
    outdated = shown is not None and shown.is_outdated
    return [computer.check_certificate(str(path), left, problem, outdated=outdated)]


def examine_stopped(home: Home, program: str = "peerage") -> list[Check]:
    """Look at a home folder whose node does not run: what would keep it from running well. Blocks."""
    if not home.path.is_dir():
        says = f"There is no node in {home.path} yet."
        return [Check.of("warn", "node.new", says, f"Make and start one: {program} up", path=str(home.path))]
    says = "The node is not running, so what concerns other peers cannot be looked at."
    config, broken = _config_of(home)
    return [
        Check.of("warn", "node.stopped", says, f"Start it: {program} up"),
        check_config(broken, (), ()),
        _port(config),
        *examine_computer(home, config),
        *examine_certificate(config.remote),
        *_limits(),
    ]


def examine_silent(home: Home, pid: int, problem: str) -> list[Check]:
    """Look at a home folder whose node runs, and does not answer. Blocks."""
    config, broken = _config_of(home)
    remedy = f"Look into {home.log_file}. If it stays so, end process {pid} and start the node again: peerage up"
    return [
        Check.of("bad", "node.silent", f"The node runs as process {pid}, and cannot be asked: {problem}.", remedy),
        check_config(broken, (), ()),
        *examine_computer(home, config),
    ]


def _limits() -> list[Check]:
    """Look at what the system would allow a node that is started from here."""
    checks = [computer.check_files(most_files(), None)]
    if (limit := facts.watch_limit()) is not None:
        checks.append(computer.check_watches(limit, None, 0))
    return checks


def _config_of(home: Home) -> tuple[Config, str]:
    """Return the configuration, and why it would be refused."""
    try:
        config = home.config()
    except PeerageError as error:
        return Config(), str(error)
    try:
        check_addresses(home, config)
        _ = parse_address(config.listen) if config.listen else None
    except PeerageError as error:
        return config, str(error)
    return config, ""


def _port(config: Config) -> Check:
    """Look at whether the port of a node that does not run is free."""
    try:
        place = parse_address(config.listen or ":0")
    except PeerageError:
        place = parse_address(":0")
    if not place.port:
        return Check.of("good", "port.any", "The node has no port of its own to take.")
    if not facts.is_heard(place):
        return Check.of("good", "port.free", f"Port {place.port} is free.", port=place.port)
    says = f"Another program listens at port {place.port}."
    if place.port == DEFAULT_PORT:
        remedy = "The node will take the next free one; if you opened a port in your router, end that program first."
        return Check.of("warn", "port.moved", says, remedy, port=place.port)
    remedy = 'End that program, or choose another port in config.toml ("listen"): the node will not start.'
    return Check.of("bad", "port.taken", says, remedy, port=place.port)
