"""The configuration: `config.toml` in the home folder, with an explanation beside every setting.

Invariant: a `Config` that exists is complete and in bounds; a file with a setting nobody knows, or a value that makes
no sense, is refused with its line, never half used. The file belongs to its owner: it is written once, at first start,
and after that only single values are changed in place, with all comments left alone. Flags go before it.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from peerage.app.config_template import template
from peerage.app.schedule import Hours
from peerage.errors import ConfigError
from peerage.identity.network import PUBLIC_NETWORK
from peerage.limits import MAX_ACTIVE_DOWNLOADS, UPLOAD_SLOTS
from peerage.whole_file import write_whole

DEFAULT_PORT: Final = 7411
DEFAULT_API_PORT: Final = 7412
MAX_CONFIG_BYTES: Final = 256 * 1024

Value = bool | int | str | list[str]
"""What a setting can be."""

RateSetting = Annotated[int, msgspec.Meta(ge=0, le=2**40)]


BrowseName = Literal["everyone", "friends", "nobody"]
OverlayName = Literal["auto", "index", "flood", "supernode", "dht"]


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Speeds in bytes a second, 0 for no limit, and how many uploads run at once."""

    down: RateSetting = 0
    up: RateSetting = 0
    upload_slots: Annotated[int, msgspec.Meta(ge=1, le=1000)] = UPLOAD_SLOTS
    downloads_at_once: Annotated[int, msgspec.Meta(ge=0, le=MAX_ACTIVE_DOWNLOADS)] = 0


class ScheduleSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Slower speeds in bytes a second (0: as always), and the hours of the week in which they hold: see `schedule`."""

    on: bool = False
    down: RateSetting = 0
    up: RateSetting = 0
    hours: list[str] = []


class RemoteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The API for other computers: where, with which certificate and key (PEM files), and under which names."""

    listen: str = ""
    certificate: str = ""
    key: str = ""
    names: list[str] = []


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much the daemon writes to its log file, in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set; texts as they stand in the file."""

    listen: str = f":{DEFAULT_PORT}"
    api: str = f"127.0.0.1:{DEFAULT_API_PORT}"
    network: str = PUBLIC_NETWORK
    secret_file: str = ""
    lan: bool = True
    connect: list[str] = []
    overlay: OverlayName = "auto"
    serve_index: bool = False
    index: list[str] = []
    browse: BrowseName = "everyone"
    downloads: str = "~/Downloads/peerage"
    folders: list[str] = msgspec.field(default_factory=lambda: ["~"])
    classic: str = ""
    classic_connect: list[str] = []
    limits: LimitSettings = LimitSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    remote: RemoteSettings = RemoteSettings()
    log: LogSettings = LogSettings()

    @property
    def download_folder(self) -> Path:
        """Where finished downloads go."""
        return Path(self.downloads).expanduser()


TEMPLATE: Final = template(DEFAULT_PORT, DEFAULT_API_PORT)


def write_default(path: Path) -> None:
    """Write the commented file, unless there is one."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        return
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


def load(path: Path) -> Config:
    """Read the file, all defaults when there is none; raises ConfigError that names the line at fault."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
        if len(raw) > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes; that is no configuration")
        return parse(raw.decode(), str(path))
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text") from error


def parse(text: str, source: str = "config.toml") -> Config:
    """Read a configuration from TOML; `source` is what messages call it."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source} is not TOML: {error}") from error
    for section, kind in _SECTIONS.items():
        _check_names(data, section, kind, _Source(text, source))
    try:
        config = msgspec.convert(data, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(str(error), _Source(text, source))) from error
    _check_values(config, _Source(text, source))
    return config


def changed(path: Path, values: Sequence[tuple[str, Value]]) -> tuple[str, Config]:
    """Return the text of the file with these settings changed ("limits.down", "lan"), and what it says then.

    Raises ConfigError for a setting that there is not, a value that makes no sense, or a file that is written in a way
    in which single values cannot be changed.
    """
    write_default(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    for name, value in values:
        section, _, key = name.rpartition(".")
        if section not in _SECTIONS or key not in _SECTIONS[section].__struct_fields__ or key in _SECTIONS:
            raise ConfigError(f"there is no setting {name!r}")
        text = _with_value(text, section, key, _written(value))
    try:
        config = parse(text, str(path))
    except ConfigError as error:
        if "is not TOML" in str(error):
            raise ConfigError(_by_hand(path, values)) from error
        raise
    if any(value_of(config, name) != value for name, value in values):
        raise ConfigError(_by_hand(path, values))
    return text, config


def write_values(path: Path, values: Sequence[tuple[str, Value]]) -> Config:
    """Change single settings in the file and leave every other line as it is; raises what `changed` does."""
    text, config = changed(path, values)
    _replace(path, text)
    return config


def names() -> list[str]:
    """Return the names of all settings, in the order of the file."""
    return [
        f"{section}.{key}" if section else key
        for section, kind in _SECTIONS.items()
        for key in kind.__struct_fields__
        if key not in _SECTIONS
    ]


def value_of(config: Config, name: str) -> Value:
    """Return one setting by its name."""
    section, _, key = name.rpartition(".")
    value: Value = getattr(getattr(config, section) if section else config, key)
    return value


def with_value(config: Config, name: str, value: Value) -> Config:
    """Return the configuration with one setting changed."""
    section, _, key = name.rpartition(".")
    if not section:
        return msgspec.structs.replace(config, **{key: value})
    return msgspec.structs.replace(
        config, **{section: msgspec.structs.replace(getattr(config, section), **{key: value})}
    )


# --- inside -----------------------------------------------------------------------------------------------------

_SECTIONS: Final[dict[str, type[msgspec.Struct]]] = {
    "": Config,
    "limits": LimitSettings,
    "schedule": ScheduleSettings,
    "remote": RemoteSettings,
    "log": LogSettings,
}


class _Source(msgspec.Struct, frozen=True):
    """A text and what to call it."""

    text: str
    name: str

    def place(self, section: str, key: str) -> str:
        """Say where a setting stands: file and line, or at least the file."""
        current = ""
        for number, line in enumerate(self.text.splitlines(), 1):
            if (header := _HEADER.match(line)) is not None:
                current = header[1]
            if (current == section and _key_line(key).match(line)) or (current == key and header is not None):
                return f"{self.name}, line {number}"
        return self.name


_HEADER: Final = re.compile(r"\s*\[\s*([^\]]*?)\s*\]")


def _key_line(key: str, comment: str = "") -> re.Pattern[str]:
    return re.compile(rf"\s*{comment}\s*[\"']?{re.escape(key)}[\"']?\s*=")


def _check_names(data: dict[str, Any], section: str, kind: type[msgspec.Struct], source: _Source) -> None:
    table = data.get(section, {}) if section else data
    if not isinstance(table, dict):
        return  # the types are checked later
    for key in table:
        if key not in kind.__struct_fields__:
            close = difflib.get_close_matches(key, kind.__struct_fields__, 1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; known are: {', '.join(kind.__struct_fields__)}"
            raise ConfigError(f"{source.place(section, key)}: there is no setting {key!r}{hint}")


def _check_values(config: Config, source: _Source) -> None:
    """Raise ConfigError for hours that are none, and for a path that begins with the home of nobody."""
    try:
        Hours(config.schedule.hours)
    except ConfigError as error:
        raise ConfigError(f"{source.place('schedule', 'hours')}: {error}") from error
    for name in ("downloads", "secret_file", "remote.certificate", "remote.key"):
        section, _, key = name.rpartition(".")
        try:
            Path(str(value_of(config, name))).expanduser()
        except (RuntimeError, ValueError) as error:  # no such user; a name that none can have
            raise ConfigError(f"{source.place(section, key)}: {key} = ... is not right: {error}") from error


def _explain(message: str, source: _Source) -> str:
    """Turn what msgspec says ("Expected `int`, got `str` - at `$.limits.down`") into file, line and setting."""
    reason, _, where = message.partition(" - at `$.")
    section, _, key = re.sub(r"\[\.*\d*\]", "", where.rstrip("`")).rpartition(".")
    return f"{source.place(section, key)}: {key} = ... is not right: {reason}".replace("`", "")


def _with_value(text: str, section: str, key: str, value: str) -> str:
    """Return the text with one setting of one section changed: in its line, in its commented line, or in a new one."""
    lines = text.splitlines()
    headers = ((n, found[1]) for n, line in enumerate(lines) if (found := _HEADER.match(line)) is not None)
    start = next((n for n, name in headers if name == section), None) if section else -1
    if start is None:
        return "\n".join([*lines, "", f"[{section}]", f"{key} = {value}", ""])
    end = next((n for n in range(start + 1, len(lines)) if _HEADER.match(lines[n])), len(lines))
    for pattern in (_key_line(key), _key_line(key, "#")):
        for number in range(start + 1, end):
            if pattern.match(lines[number]):
                lines[number] = f"{key} = {value}"
                return "\n".join([*lines, ""])
    return "\n".join([*lines[: start + 1], f"{key} = {value}", *lines[start + 1 :], ""])


def _written(value: Value) -> str:
    """Return a value as TOML has it."""
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, str):
        return f'"{"".join(map(_escaped, value))}"'
    return str(value).lower()


def _escaped(char: str) -> str:
    """Return a character as it stands in a text: nothing that ends the text, or a line."""
    return char if char.isprintable() and char not in '"\\' else f"\\U{ord(char):08x}"


def _by_hand(path: Path, values: Sequence[tuple[str, Value]]) -> str:
    said = ", ".join(name for name, _ in values)
    return f"{path} is written in a way that cannot be changed by itself; set {said} by hand"


def _replace(path: Path, text: str) -> None:
    try:
        write_whole(path.resolve(), text.encode())  # a link to a file kept elsewhere stays a link
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
