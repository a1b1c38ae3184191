"""Checks that one name has one meaning: `make check` runs it over the whole tree.

It reads sources and imports nothing of them. Each exception below has its reason; one that is no longer needed is
reported too.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path("src/hashmark")
OUTSIDE = ("bench", "support", "tests", "tools")
"""The folders of Python sources outside the package."""

SHARED_STEMS: dict[str, str] = {"undo": "the command, and its use case in trash/"}
"""Stems that modules of several packages may have, each with the reason. A command in `cli/` may always share the stem
of its use case in `actions/`."""

SHARED_CLASSES: dict[str, str] = {}
"""Names that several public classes may have, each with the reason."""

VAGUE_NAMES = frozenset({"Back", "Board", "Desk", "Ends", "FEW", "HANDFUL", "MANY", "MOMENT", "MOST", "Told"})
VAGUE_MODULES = frozenset({"journals", "landmarks", "local", "words"})
"""Names that hide what they stand for."""

LOOK = re.compile(r"(?:^|_)look(?:s|ed|ing)?(?:_|$)|(?:^|[a-z])Look(?:s|ed|ing)?(?:[A-Z]|$)")
"""`look` has meant a preview, a HEAD request, a walk, a callback, a check and a poll. Each has a name of its own."""


class Source:
    """A Python file: its path under the root, and its syntax tree."""

    def __init__(self, root: Path, path: Path) -> None:
        self.path = path.relative_to(root)
        self.tree = ast.parse(path.read_text(encoding="utf-8"))

    def at(self, node: ast.AST) -> str:
        """Where a node is, as editors and CI understand it."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"

    def definitions(self) -> Iterator[tuple[str, ast.AST]]:
        """Yield each name that the module defines at its top level."""
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield node.name, node
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    for name in ast.walk(target):
                        if isinstance(name, ast.Name):
                            yield name.id, name

    def identifiers(self) -> Iterator[tuple[str, ast.AST]]:
        """Yield each name that is defined anywhere in the module: functions, classes, parameters, fields, variables."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield node.name, node
            elif isinstance(node, ast.arg):
                yield node.arg, node
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id, node

    def imports(self) -> Iterator[tuple[str, ast.AST]]:
        """Yield the top-level package of each import; a relative import is one of the file's own."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name.partition(".")[0], node
            elif isinstance(node, ast.ImportFrom):
                yield self.path.parts[0] if node.level else (node.module or "").partition(".")[0], node


def sources(root: Path, folder: str | Path) -> list[Source]:
    """Parse every Python file below a folder of the root."""
    paths = sorted((root / folder).rglob("*.py"))
    return [Source(root, path) for path in paths if "node_modules" not in path.parts]


def problems(root: Path, stems: Mapping[str, str], classes: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each rule that the tree breaks; `stems` and `classes` may be shared."""
    package = sources(root, PACKAGE)
    outside = [source for folder in OUTSIDE for source in sources(root, folder)]
    yield from shared_stems(package, stems)
    yield from shared_classes(package, classes)
    yield from vague_names(package + [source for source in outside if source.path.parts[0] != "tests"])
    yield from looks(package)
    yield from imports_of_tests(outside)


def shared_stems(package: list[Source], allowed: Mapping[str, str]) -> Iterator[str]:
    """Find modules that share a stem."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for source in package:
        if not source.path.stem.startswith("__"):
            found[source.path.stem].append(source.path)
    shared = {stem: paths for stem, paths in found.items() if len(paths) > 1 and not _command_and_use_case(paths)}
    for stem, paths in shared.items():
        if stem not in allowed:
            yield f"{paths[0]}:1: these modules share the stem '{stem}': {', '.join(map(str, paths))}"
    for stem in allowed.keys() - shared.keys():
        yield f"{Path(__file__).name}: SHARED_STEMS lists '{stem}', which only one module has"


def _command_and_use_case(paths: list[Path]) -> bool:
    return sorted(path.relative_to(PACKAGE).parts[0] for path in paths) == ["actions", "cli"]


def shared_classes(package: list[Source], allowed: Mapping[str, str]) -> Iterator[str]:
    """Find public classes that share a name."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for source in package:
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(source.at(node))
    shared = {name: places for name, places in found.items() if len(places) > 1}
    for name, places in shared.items():
        if name not in allowed:
            yield f"{places[0]}: several classes are named '{name}': {', '.join(places)}"
    for name in allowed.keys() - shared.keys():
        yield f"{Path(__file__).name}: SHARED_CLASSES lists '{name}', which only one class has"


def vague_names(modules: list[Source]) -> Iterator[str]:
    """Find names that hide what they stand for."""
    for source in modules:
        if source.path.stem in VAGUE_MODULES:
            yield f"{source.path}:1: '{source.path.stem}' does not say what the module holds"
        for name, node in source.definitions():
            if name.lstrip("_") in VAGUE_NAMES:
                yield f"{source.at(node)}: '{name}' does not say what it stands for"


def looks(package: list[Source]) -> Iterator[str]:
    """Find public names with the word `look` in them."""
    for source in package:
        if LOOK.search(source.path.stem):
            yield f"{source.path}:1: '{source.path.stem}' has the word 'look' in it; say which kind is meant"
        for name, node in source.identifiers():
            if not name.startswith("_") and LOOK.search(name):
                yield f"{source.at(node)}: '{name}' has the word 'look' in it; say which kind is meant"


def imports_of_tests(modules: list[Source]) -> Iterator[str]:
    """Find imports of test modules and conftests. What several of them need is in `support/`."""
    for source in modules:
        for package, node in source.imports():
            if package in {"tests", "conftest"}:
                yield f"{source.at(node)}: imports a test module; move what is shared to support/"


def main() -> int:
    """Print what is wrong with this tree."""
    found = list(problems(ROOT, SHARED_STEMS, SHARED_CLASSES))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
