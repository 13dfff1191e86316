"""Which names in a shared folder are left out: hidden and temporary files, and what `.peerageignore` says.

Invariant: the patterns of a `.peerageignore` count for its own folder and those below; where several speak about a
name, the innermost decides, and within one file the last line, as with .gitignore. A pattern that cannot be read is
left out, and the rest still counts. This module reads ignore files and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

from peerage.limits import MAX_IGNORE_BYTES

IGNORE_FILE: Final = ".peerageignore"

_TEMPORARY: Final = re.compile(
    r".*(~|\.(tmp|temp|part|partial|crdownload|download|opdownload|aria2|!ut|!qb|swp|swo|swx|peerage(-part)?))|~\$.*|#.*#"
    r"|thumbs\.db|ehthumbs\.db|desktop\.ini|icon\r|lost\+found|\$recycle\.bin|system volume information|__macosx"
    r"|hiberfil\.sys|pagefile\.sys",
    re.IGNORECASE | re.DOTALL,
)


def is_hidden_or_temporary(name: str) -> bool:
    """Whether people do not mean this name when they share the folder it is in."""
    return name.startswith(".") or _TEMPORARY.fullmatch(name) is not None


class IgnoreRules(msgspec.Struct, frozen=True):
    """The patterns that count in one folder; `depth` is how many parts the folder's relative path has."""

    outer: IgnoreRules | None = None
    depth: int = 0
    spec: GitIgnoreSpec | None = None

    def ignores(self, parts: tuple[str, ...], *, folder: bool) -> bool:
        """Whether the name with this path (relative to the share, in parts) is left out."""
        rules: IgnoreRules | None = self
        while rules is not None:
            if rules.spec is not None:
                relative = "/".join(parts[rules.depth :]) + ("/" if folder else "")
                verdict = rules.spec.check_file(relative).include
                if verdict is not None:
                    return bool(verdict)
            rules = rules.outer
        return False


def rules_in(folder: Path, depth: int, outer: IgnoreRules, complain: Callable[[Path, str], None]) -> IgnoreRules:
    """Return the rules inside a folder: those from outside, and its own `.peerageignore` if there is one."""
    path = folder / IGNORE_FILE
    try:
        with path.open("rb") as file:
            data = file.read(MAX_IGNORE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return outer
    except OSError as error:
        complain(path, f"its patterns cannot be read: {error.strerror or error}")
        return outer
    if len(data) > MAX_IGNORE_BYTES:
        complain(path, f"only the first {MAX_IGNORE_BYTES} bytes of patterns count")
    lines = data[:MAX_IGNORE_BYTES].decode("utf-8-sig", errors="replace").splitlines()
    good = [line for line in lines if _is_pattern(line, path, complain)]
    return IgnoreRules(outer, depth, GitIgnoreSpec.from_lines(good))


def _is_pattern(line: str, path: Path, complain: Callable[[Path, str], None]) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except GitIgnorePatternError:
        complain(path, f"not a pattern: {line[:100]!r}")
        return False
    return True
