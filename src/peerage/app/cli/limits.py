"""`limits`: how fast this node goes, always and at certain hours."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import typer

from peerage.app.api.models import LimitsBody, RateLimits
from peerage.app.api.setting_models import SettingChange, SettingEntry, SettingsBody
from peerage.app.cli import formats
from peerage.app.cli.client import Client
from peerage.app.cli.command import Command, Json
from peerage.app.schedule import Hours
from peerage.errors import ConfigError, LocalError
from peerage.limits import MAX_ACTIVE_DOWNLOADS

_OFF: Final = "off"


def limits(  # each one is an option
    context: typer.Context,
    down: Annotated[
        str | None, typer.Option(metavar="SPEED", help='Download at most so fast: 5MB, 800kB, "off".')
    ] = None,
    up: Annotated[str | None, typer.Option(metavar="SPEED", help='Upload at most so fast: 5MB, 800kB, "off".')] = None,
    slots: Annotated[int | None, typer.Option(min=1, max=1000, help="Serve at most so many peers at once.")] = None,
    at_once: Annotated[
        int | None,
        typer.Option(
            min=0, max=MAX_ACTIVE_DOWNLOADS, help="Run at most so many downloads at once; 0: as many as is sensible."
        ),
    ] = None,
    schedule: Annotated[
        list[str] | None,
        typer.Option(metavar="HOURS", help='Be slower then: "mon-fri 08:00-18:00"; repeatable, "off" for never.'),
    ] = None,
    slow_down: Annotated[str | None, typer.Option(metavar="SPEED", help="Download so fast in those hours.")] = None,
    slow_up: Annotated[str | None, typer.Option(metavar="SPEED", help="Upload so fast in those hours.")] = None,
    as_json: Json = False,
) -> None:
    """Show or change speed limits; they hold at once and at the next start."""
    command = Command.of(context, as_json)
    body = LimitsBody(down=_rate(down, "--down"), up=_rate(up, "--up"), upload_slots=slots, downloads_at_once=at_once)
    changes = [
        *_hours(schedule),
        *_changes("schedule.down", _rate(slow_down, "--slow-down")),
        *_changes("schedule.up", _rate(slow_up, "--slow-up")),
    ]
    with command.node() as node:
        if changes:
            node.patch("settings", list[SettingEntry], SettingsBody(changes=changes))
        now = node.get("limits", RateLimits) if body == LimitsBody() else node.put("limits", RateLimits, body)
        if as_json:
            command.output.emit(now)
            return
        command.output.facts([*_facts(now), *_schedule(node)])


def _hours(said: Sequence[str] | None) -> Iterator[SettingChange]:
    """Return what turns the schedule on, with these hours, or off."""
    if not said:
        return
    if list(said) == [_OFF]:
        yield SettingChange(name="schedule.on", value=False)
        return
    try:
        Hours(said)
    except ConfigError as error:
        raise typer.BadParameter(str(error), param_hint="--schedule") from error
    yield SettingChange(name="schedule.on", value=True)
    yield SettingChange(name="schedule.hours", value=list(said))


def _changes(name: str, rate: int | None) -> Iterator[SettingChange]:
    if rate is not None:
        yield SettingChange(name=name, value=rate)


def _facts(now: RateLimits) -> Iterator[tuple[str, str]]:
    until = f" until {time.strftime('%a %H:%M', time.localtime(now.until))}" if now.until is not None else ""
    for name, always, there in (("download", now.down, now.now_down), ("upload", now.up, now.now_up)):
        slower = f", now {formats.limit(there)}{until}" if there != always else ""
        yield name, f"{formats.limit(always)}{slower}"
    yield "peers served at once", str(now.upload_slots)
    yield "downloads at once", str(now.downloads_at_once or "as many as is sensible")


def _schedule(node: Client) -> Iterator[tuple[str, str]]:
    settings = {entry.name: entry.value for entry in node.get("settings", list[SettingEntry])}
    hours, slow_down, slow_up = (settings[f"schedule.{name}"] for name in ("hours", "down", "up"))
    if settings["schedule.on"] and isinstance(hours, list) and isinstance(slow_down, int) and isinstance(slow_up, int):
        speeds = f"download {formats.limit(slow_down)}, upload {formats.limit(slow_up)}"
        yield "slower at certain hours", f"{speeds}: {'; '.join(hours) or 'never'}"


def _rate(text: str | None, option: str) -> int | None:
    if text is None:
        return None
    try:
        return formats.parse_rate(text)
    except LocalError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
