"""What a person reads is the same with rich and without it, in a pipe and, but for colours, on a terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from hashmark.cli.output import TEXTS_PER_WRITE, Output, Text, write_texts
from hashmark.cli.renderers.comparison import status_line
from hashmark.core.report import Summary
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library

WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"], include_characters="\n[]"), max_size=40)
STYLES = st.sampled_from(["", "red", "bold", "dim green", "default"])


@st.composite
def texts(draw: st.DrawFn) -> Text:
    text = Text(draw(WORDS), draw(STYLES))
    for part, style in draw(st.lists(st.tuples(WORDS, STYLES), max_size=4)):
        text.append(part, style)
    other = Text(draw(WORDS), draw(STYLES))
    other.append(draw(WORDS), draw(STYLES))
    text.append_text(other)
    return text


def plain(text: Text | str, end: str = "\n") -> str:
    stream = io.StringIO()
    Output(stream).print(text, end=end)
    return stream.getvalue()


@given(texts(), st.sampled_from(["", "\n"]))
def test_a_pipe_gets_what_rich_would_have_written(text: Text, end: str) -> None:
    stream = io.StringIO()
    Console(file=stream, force_terminal=False, highlight=False, soft_wrap=True).print(text.for_rich(), end=end)
    assert plain(text, end) == stream.getvalue()


def test_a_text_is_no_markup_and_is_not_wrapped() -> None:
    assert plain("[red]a[/red] :smile: " + "long " * 100) == "[red]a[/red] :smile: " + "long " * 100 + "\n"


@pytest.mark.parametrize("variable", [("FORCE_COLOR", "1"), ("TTY_COMPATIBLE", "1")])
def test_colours_can_be_had_in_a_pipe(monkeypatch: pytest.MonkeyPatch, variable: tuple[str, str]) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv(*variable)
    said = Text("a", "red")
    other = Text("b", "bold")
    other.append("c", "green")
    said.append_text(other)
    assert plain(said) == "\x1b[31ma\x1b[0m\x1b[1;31mb\x1b[0m\x1b[1;32mc\x1b[0m\n"


def test_a_table_is_the_same_with_colours_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    seen = []
    for forced in ("", "1"):
        monkeypatch.setenv("FORCE_COLOR", forced)
        stream = io.StringIO()
        Output(stream).table(("batch", "files"), [("20260101-[x]", "2"), ("b", "10")])
        seen.append(re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue()))
    assert seen == ["batch         files\n20260101-[x]  2    \nb             10   \n"] * 2


def test_a_table_in_a_pipe_has_a_line_for_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script reads it, on a terminal of whatever width."""
    monkeypatch.setenv("COLUMNS", "40")
    stream = io.StringIO()
    Output(stream).table(("batch", "what"), [("20260101-[x]", "undo of " + "a name " * 20), ("b", "c")])
    head, first, second, end = stream.getvalue().split("\n")
    assert (head.split(), first.split(), second.split(), end) == (
        ["batch", "what"],
        ["20260101-[x]", "undo", "of", *["a", "name"] * 20],
        ["b", "c"],
        "",
    )


@pytest.mark.parametrize("count", [0, 1, TEXTS_PER_WRITE, 2 * TEXTS_PER_WRITE + 1])
def test_what_is_poured_arrives_whole_in_few_pieces(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    pieces: list[str] = []
    monkeypatch.setattr("sys.stdout.write", pieces.append)
    write_texts(iter([f"{n}," for n in range(count)]))
    monkeypatch.undo()
    assert "".join(pieces) == "".join(f"{n}," for n in range(count))
    assert len(pieces) == -(-count // TEXTS_PER_WRITE)


def test_wide_letters_keep_the_columns_of_a_status_aligned(tmp_path: Path) -> None:
    """A CJK letter and an emoji take two cells of a terminal, a combining accent none."""
    (tmp_path / "hashmark.toml").write_text('[remote]\nurl = "s3://styles"\n')
    starts = set()
    with Library.open(tmp_path) as library:
        for name in ("82_stellar_sketch", "10_水彩画の少女", "5_🎨 paint", "7_cafe\u0301", "3_한국어"):
            line = str(status_line(Dataset(library, name, name), Summary()))
            starts.add(cell_len(line[: line.index("·")]))
    assert starts == {25}


def test_wide_letters_keep_the_columns_of_a_table_aligned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stream = io.StringIO()
    Output(stream).table(
        ("batch", "dataset", "files"), [("a", "10_水彩画", "2"), ("b", "82_sketch", "2"), ("c", "🎨", "2")]
    )
    assert {cell_len(line[: line.rindex("2")]) for line in stream.getvalue().splitlines()[1:]} == {18}
