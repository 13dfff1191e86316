"""Fetches the modules of the page from the npm registry, at the versions below, into `app/web/page/vendor`.

    python contrib/vendor_modules.py

Run it by hand to update one; the page and its tests never fetch anything. Browsers have no package names, so those in
import lines become file names, which is the only thing that is changed. Needs npm.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

VENDOR: Final = Path(__file__).resolve().parents[1] / "src/peerage/app/web/page/vendor"


class Module(NamedTuple):
    """A file of a package, and what it is called here."""

    package: str
    version: str
    source: str
    name: str
    append: str = ""


MODULES: Final = (
    Module("preact", "11.2.0", "dist/preact.mjs", "preact.js"),
    Module("preact", "11.2.0", "hooks/dist/hooks.mjs", "hooks.js"),
    Module("htm", "3.1.1", "dist/htm.mjs", "htm.js"),
    Module("@preact/signals-core", "1.14.5", "dist/signals-core.mjs", "signals-core.js"),
    Module("@preact/signals", "2.11.4", "dist/signals.mjs", "signals.js"),
    # The module of uPlot is not minified; its script is, and one line makes a module of it.
    Module("uplot", "1.6.32", "dist/uPlot.iife.min.js", "uplot.js", "export default uPlot;\n"),
    Module("uplot", "1.6.32", "dist/uPlot.min.css", "uplot.css"),
)
_NAMES: Final = {
    "preact": "./preact.js",
    "preact/hooks": "./hooks.js",
    "@preact/signals-core": "./signals-core.js",
}


def main() -> None:
    """Fetch them all, and write down what they are."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    listed = []
    for module in MODULES:
        package, licence = _unpacked(module)
        text = _for_browsers(package) + module.append
        (VENDOR / module.name).write_text(text, "utf-8")
        licence_name = f"LICENSE.{module.package.rpartition('/')[2]}"
        (VENDOR / licence_name).write_text(licence, "utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        listed.append(
            {"file": module.name, "package": module.package, "version": module.version, "from": module.source}
            | {"licence": licence_name, "sha256": digest}
        )
    (VENDOR / "modules.json").write_text(json.dumps(listed, indent=2) + "\n", "utf-8")


def _unpacked(module: Module) -> tuple[str, str]:
    """Return the text of a file of a package, and its licence."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"{module.package}@{module.version}", "--pack-destination", folder]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 -- the names above
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as packed:
            return _member(packed, module.source), _member(packed, "LICENSE")


def _member(packed: tarfile.TarFile, name: str) -> str:
    file = packed.extractfile(f"package/{name}")
    if file is None:
        raise FileNotFoundError(name)
    return file.read().decode()


def _for_browsers(text: str) -> str:
    """Turn package names into file names, and leave out the line that points to a source map."""
    text = re.sub(r'(from\s*|import\s*)"([^".]+)"', lambda found: f'{found[1]}"{_NAMES[found[2]]}"', text)
    return re.sub(r"\n?//# sourceMappingURL=.*\n?", "\n", text)


if __name__ == "__main__":
    main()
