"""The shape of the house, read from the source: imports point down, pure modules are pure, nothing grows too large.

Each failure names the file, the line, what is wrong there and what to do instead. The order of the packages and the
list of the pure modules are in docs/architecture.md for people, and here for the machine.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "peerage"
EXAMPLES = Path(__file__).parents[2] / "examples"

# From the top down. A package may import what is on a line below its own, never what stands beside it.
STOREYS = (
    ("__init__", "__main__"),
    ("app",),
    ("lab", "classic"),
    ("overlay", "content", "anonymity", "live"),
    ("catalogue",),
    ("peer",),
    ("transport",),
    ("identity",),
    ("wire",),
    ("errors", "limits", "whole_file"),
)
HEIGHT = {name: -row for row, names in enumerate(STOREYS) for name in names}

# Modules that compute and decide, and do nothing else: they get the time and the random source as arguments.
PURE = (
    "app/demo/film.py",
    "app/demo/orders.py",
    "errors.py",
    "limits.py",
    "app/doctor_computer.py",
    "app/doctor_network.py",
    "app/link_measures.py",
    "app/schedule.py",
    "wire/*.py",
    "classic/patience.py",
    "peer/anchors.py",
    "peer/handlers.py",
    "peer/hyparview.py",
    "peer/limiter.py",
    "peer/lost_peers.py",
    "peer/messages.py",
    "peer/metrics.py",
    "peer/passive_view.py",
    "peer/reach_evidence.py",
    "peer/routers.py",
    "peer/subnet.py",
    "peer/ways_back.py",
    "catalogue/filters.py",
    "catalogue/locator.py",
    "catalogue/query.py",
    "catalogue/query_parser.py",
    "catalogue/query_sql.py",
    "catalogue/ranking.py",
    "catalogue/record.py",
    "catalogue/text.py",
    "classic/doorkeeper.py",
    "classic/file_names.py",
    "classic/peer_table.py",
    "classic/questions.py",
    "classic/whereabouts.py",
    "content/bitmap.py",
    "content/choice.py",
    "content/given.py",
    "content/ledger.py",
    "content/line.py",
    "content/manifest.py",
    "content/messages.py",
    "content/names.py",
    "content/pace.py",
    "content/picker.py",
    "content/rivalry.py",
    "content/scheduler.py",
    "content/turns.py",
    "content/upload_queue.py",
    "overlay/planner/experience.py",
    "overlay/planner/plan.py",
    "overlay/*/messages.py",
    "overlay/dht/book.py",
    "overlay/dht/contacts.py",
    "overlay/dht/keeping.py",
    "overlay/dht/limits.py",
    "overlay/dht/lookup.py",
    "overlay/dht/parcels.py",
    "overlay/dht/records.py",
    "overlay/dht/routing.py",
    "overlay/dht/rules.py",
    "overlay/dht/size.py",
    "overlay/dht/store.py",
    "overlay/dht/timing.py",
    "overlay/dht/words.py",
    "overlay/dynamic_query.py",
    "overlay/flood/audit.py",
    "overlay/flood/tables.py",
    "overlay/keywords.py",
    "overlay/*/state.py",
    "overlay/publish_gate.py",
    "overlay/reputation/ballots.py",
    "overlay/reputation/gossip.py",
    "overlay/reputation/proofs.py",
    "overlay/reputation/rules.py",
    "overlay/reputation/verdict.py",
    "overlay/reputation/vote.py",
    "overlay/reputation/weights.py",
    "overlay/stamps.py",
    "overlay/index/answers.py",
    "overlay/index/comparison.py",
    "overlay/index/gate.py",
    "overlay/index/known.py",
    "overlay/index/ledger.py",
    "overlay/index/messages.py",
    "overlay/index/rules.py",
    "overlay/index/signed.py",
    "overlay/supernode/backbone.py",
    "overlay/supernode/comparison.py",
    "overlay/supernode/election.py",
    "overlay/supernode/known.py",
    "overlay/supernode/leaves.py",
    "overlay/supernode/passing.py",
    "overlay/supernode/reading.py",
    "overlay/supernode/rules.py",
    "overlay/supernode/uplinks.py",
)
IMPURE_MODULES = {"asyncio", "socket", "time", "random", "os", "threading", "ssl", "selectors", "subprocess"}

# Who may touch the world outside; everyone else takes a clock, a random source or an executor as an argument.
OUTSIDE = ("app/*", "lab/*")
RESERVED = {
    "socket": (*OUTSIDE, "transport/tcp*.py"),
    "select": OUTSIDE,
    "selectors": OUTSIDE,
    "time": (*OUTSIDE, "transport/tcp*.py"),
    "secrets": OUTSIDE,
    "uuid": OUTSIDE,
    "tempfile": (*OUTSIDE, "transport/tls.py"),
    "subprocess": OUTSIDE,
    "multiprocessing": OUTSIDE,
    "ssl": (*OUTSIDE, "transport/tcp*.py", "transport/tls*.py"),
}
PUBLIC_PAGES = ("peerage.classic",)  # beside `peerage` itself
BUILDERS = (*OUTSIDE, "peer/open.py", "classic/engine.py")  # where real surroundings are put together
CLOCK_CALLS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("os", "urandom")}

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 40
HEAVY = ("litestar", "typer", "rich", "zeroconf", "mutagen", "uvicorn", "httpx", "watchfiles", "prometheus_client")


class Module(NamedTuple):
    """One file of the package."""

    path: str  # below src/peerage, with slashes
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.path.split("/")[0].removesuffix(".py")

    def matches(self, patterns: tuple[str, ...]) -> bool:
        return any(fnmatch(self.path, pattern) for pattern in patterns)

    def at(self, node: ast.AST, complaint: str) -> str:
        return f"src/peerage/{self.path}:{getattr(node, 'lineno', 1)}: {complaint}"


@cache
def modules() -> tuple[Module, ...]:
    return tuple(read(path) for path in sorted(SOURCE.rglob("*.py")))


def read(path: Path) -> Module:
    text = path.read_text("utf-8")
    return Module(path.relative_to(SOURCE).as_posix(), text, ast.parse(text))


def imports(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield each imported name in full; `from a import b` gives `a.b`, whether b is a module or not."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node, f"{node.module}.{alias.name}" if not node.level else f"relative.{alias.name}"


def complain(complaints: list[str]) -> None:
    if complaints:
        pytest.fail("\n  ".join([f"{len(complaints)} offence(s):", *sorted(complaints)]), pytrace=False)


def test_every_package_has_its_storey() -> None:
    unknown = {module.package for module in modules()} - HEIGHT.keys()
    complain([f"src/peerage/{name}: not in STOREYS of this test; say what it may import" for name in unknown])


def test_imports_point_down() -> None:
    complaints = []
    for module in modules():
        for node, name in imports(module):
            parts = name.split(".")
            if parts[0] == "relative":
                complaints.append(module.at(node, "write imports in full: from peerage... import"))
            if parts[0] != "peerage" or len(parts) < 2:
                continue
            target = parts[1] if parts[1] in HEIGHT else "__init__"
            here, there = HEIGHT[module.package], HEIGHT[target]
            if target == module.package or there < here:
                continue
            if target == "__init__":
                complaints.append(module.at(node, f"import {parts[1]} from its own module, not from the public page"))
                continue
            why = "lies above it" if there > here else "stands beside it"
            complaints.append(
                module.at(node, f"{module.package} imports {name}, which {why}; pass it in from app/node.py instead")
            )
    complain(complaints)


def test_pure_modules_are_pure() -> None:
    complaints = []
    for module in modules():
        if not module.matches(PURE):
            continue
        for node, name in imports(module):
            root = name.split(".")[0]
            if root == "random":
                continue  # as a type only: the next test sees to it
            if root in IMPURE_MODULES:
                complaints.append(module.at(node, f"a pure module imports {root}; take what it gives as an argument"))
    complain(complaints)


def test_the_list_of_pure_modules_is_true() -> None:
    names = [module.path for module in modules()]
    for pattern in PURE:
        if "*" not in pattern:
            assert pattern in names, f"{pattern} is listed as pure, but there is no such module (any more)"


def test_only_the_edges_touch_sockets_and_the_time_of_day() -> None:
    complaints = []
    for module in modules():
        for node, name in imports(module):
            allowed = RESERVED.get(name.split(".")[0])
            if allowed is not None and not module.matches(allowed):
                where = ", ".join(allowed)
                complaints.append(module.at(node, f"imports {name.split('.')[0]}; only {where} may"))
        if not module.matches(OUTSIDE):
            complaints += [module.at(node, complaint) for node, complaint in clock_calls(module)]
    complain(complaints)


def clock_calls(module: Module) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
            if (name, node.func.attr) in CLOCK_CALLS:
                yield node, f"{name}.{node.func.attr}() asks the computer; take a clock or a random source instead"


def test_randomness_is_passed_in() -> None:
    complaints = []
    for module in modules():
        if module.matches(BUILDERS):
            continue
        complaints += [module.at(node, complaint) for node, complaint in random_uses(module)]
    complain(complaints)


def random_uses(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield every use of the random module but `random.Random` as a type."""
    called = {id(node.func) for node in ast.walk(module.tree) if isinstance(node, ast.Call)}
    for node in ast.walk(module.tree):
        names: set[str] = set()
        if isinstance(node, ast.ImportFrom) and node.module == "random":
            names = {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random":
            names = {node.attr}
        for name in names - {"Random"}:
            yield node, f"random.{name} is global; take rng: random.Random as an argument"
        if id(node) in called and getattr(node, "attr", getattr(node, "id", "")) == "Random":
            yield node, "makes a random source of its own; take rng: random.Random as an argument"


def test_tasks_are_structured() -> None:
    advice = "use a TaskScope or a TaskGroup: whoever starts a task stops it"
    complaints = []
    for module in modules():
        loose = (
            node for node in ast.walk(module.tree) if isinstance(node, ast.Attribute) and node.attr == "ensure_future"
        )
        complaints += [module.at(node, advice) for node in loose]
    complain(complaints)


def test_modules_stay_small() -> None:
    complaints = []
    for module in modules():
        lines = module.text.count("\n")
        if lines > MAX_MODULE_LINES:
            complaints.append(f"src/peerage/{module.path}: {lines} lines, more than {MAX_MODULE_LINES}; split it")
    complain(complaints)


def test_functions_stay_small() -> None:
    complaints = []
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    complaints.append(module.at(node, f"{node.name} has {lines} lines, more than {MAX_FUNCTION_LINES}"))
    complain(complaints)


def test_every_module_says_what_it_is_for() -> None:
    silent = [module.at(module.tree, "no docstring") for module in modules() if not ast.get_docstring(module.tree)]
    complain(silent)


def test_there_is_no_print_outside_the_command_line() -> None:
    complaints = []
    for module in modules():
        if not module.matches(("app/cli/*",)):
            calls = (node.func for node in ast.walk(module.tree) if isinstance(node, ast.Call))
            prints = (name for name in calls if isinstance(name, ast.Name) and name.id == "print")
            complaints += [module.at(node, "print; use logging, or return it") for node in prints]
    complain(complaints)


def test_examples_use_the_public_page_only() -> None:
    complaints = []
    for path in sorted(EXAMPLES.glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        froms = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
        deep = (node for node in froms if "peerage." in str(node.module) and node.module not in PUBLIC_PAGES)
        complaints += [
            f"examples/{path.name}:{node.lineno}: imports {node.module}; export what it needs" for node in deep
        ]
    complain(complaints)


def test_importing_the_package_is_light() -> None:
    probe = "import sys, peerage; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    heavy = set(done.stdout.split()) & set(HEAVY)
    assert not heavy, f"import peerage loads {', '.join(sorted(heavy))}; load it only with the part that needs it"


def test_the_public_page_keeps_its_promises() -> None:
    probe = "import peerage as p; print([getattr(p, n) for n in p.__all__], {*p.__all__} == {*p._HOME} <= {*dir(p)})"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("True\n")


def test_the_public_page_fits_on_a_screen() -> None:
    [page] = [module for module in modules() if module.path == "__init__.py"]
    assert page.text.count("\n") <= 80
