"""`python -m tools.wording` prints every text that users read, sorted, so that it can be reviewed in one go.

These are the string literals of the package that have a space and are no docstrings (messages, notes, labels), the help
of every command, the text and labels of the page's templates, and the strings of its scripts.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from hashmark.cli.commands import SUMMARIES
from hashmark.cli.overview import overview
from hashmark.cli.runner import parser_of

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "hashmark"
SAMPLE_CAPTIONS = PACKAGE / "demo" / "sketches"
"""Texts that are captions, not words of hashmark."""

_LABEL = re.compile(r'(?:title|aria-label|placeholder|alt|data-[a-z-]*label)="([^"]*)"')
_TEMPLATE_CODE = re.compile(r"{#.*?#}|{%.*?%}|{{.*?}}|<[^>]*>", re.DOTALL)
_SCRIPT_COMMENT = re.compile(r"/\*.*?\*/|(?<![:\"'`])//[^\n]*", re.DOTALL)
_SCRIPT_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`')


def texts() -> list[tuple[str, str]]:
    """Return every text with the file that holds it."""
    return sorted({(" ".join(text.split()), where) for text, where in _all() if " " in text.strip()})


def _all() -> Iterator[tuple[str, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if not path.is_relative_to(SAMPLE_CAPTIONS) and "node_modules" not in path.parts:
            yield from ((text, _relative(path)) for text in literals(ast.parse(path.read_text(encoding="utf-8"))))
    for command in SUMMARIES:
        yield from ((line, f"{command} --help") for line in parser_of(command).format_help().splitlines())
    yield from ((line, "--help") for line in overview().splitlines())
    for path in sorted(PACKAGE.rglob("*.html")):
        source = path.read_text(encoding="utf-8")
        found = [*_LABEL.findall(source), *_TEMPLATE_CODE.sub("\n", source).splitlines()]
        found += [first or second for code in re.findall(r"{[{%].*?[%}]}", source) for first, second in _strings(code)]
        yield from ((text, _relative(path)) for text in found)
    for path in sorted((PACKAGE / "web" / "frontend" / "src").rglob("*.ts")):
        source = _SCRIPT_COMMENT.sub("", path.read_text(encoding="utf-8"))
        yield from ((first or second, _relative(path)) for first, second in _strings(source))


def _strings(code: str) -> list[tuple[str, str]]:
    return _SCRIPT_STRING.findall(code)


def _relative(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def literals(tree: ast.AST) -> Iterator[str]:
    """Yield the strings of a module, with `{…}` for what is filled in; not its docstrings."""
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{…}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements | parts:
            yield node.value


if __name__ == "__main__":
    for text, where in texts():
        print(f"{text}  [{where}]")
