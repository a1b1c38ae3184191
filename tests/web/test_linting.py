"""What trainers will make of a dataset, over HTTP: looked at in the background, named, and found by the search."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from hashmark.actions.lint import lint
from hashmark.core.lint.checks import CHECKS
from hashmark.core.lint.facts import Trainer
from hashmark.library.library import Library
from hashmark.search.items import item_id
from hashmark.search.query import parse
from support.datasets import STYLE
from support.lint_cases import clean
from support.waiting import wait_for
from support.web.serving import Served

AT = "/api/datasets/82"


@pytest.fixture
def odd(library: Library, serve: Callable[..., Served]) -> Served:
    """Six clean pairs, but the caption of one has two lines and that of another no bytes."""
    folder = library.root / STYLE
    for path in folder.iterdir():
        path.unlink()
    clean(folder)
    (folder / "0002.txt").write_text("a stellar sketch\nof a fox\n")
    (folder / "0003.txt").write_bytes(b"")
    served = serve(library)
    served.compared("82")
    return served


def linted(served: Served) -> Any:
    """What is found once a look has ended."""
    served.post(f"{AT}/lint", {}, 202)
    wait_for(lambda: served.get(f"{AT}/lint")["looking"] is None)
    return served.get(f"{AT}/lint")


def test_findings_are_named_by_trainer_and_found_by_their_search(odd: Served) -> None:
    before = odd.get(f"{AT}/lint")
    assert (before["at"], before["findings"]) == (None, [])
    found = linted(odd)
    lines = [one for one in found["findings"] if one["code"] == "several-lines"]
    assert {one["trainer"] for one in lines} >= {"kohya"}
    for one in found["findings"]:
        assert one["what"]
        assert one["why"]
        assert one["do"]
        assert one["source"]
    kohya = next(one for one in lines if one["trainer"] == "kohya")
    assert (kohya["count"], kohya["keys"], kohya["search"]) == (1, ["0002.txt"], "lint:kohya/several-lines")
    assert odd.get(f"{AT}/search?q=lint:kohya/several-lines")["ids"] == [item_id("0002.png")]
    assert item_id("0003.png") in odd.get(f"{AT}/search?q=lint:zero-byte-caption")["ids"]
    assert odd.get(f"{AT}/search?q=lint:nonsense")["ids"] == []


def test_a_search_by_findings_looks_where_nobody_has_looked_yet(odd: Served) -> None:
    assert odd.get(f"{AT}/search?q=lint:several-lines")["ids"] == [item_id("0002.png")]
    assert odd.get(f"{AT}/lint")["at"]


def test_a_look_that_runs_tells_how_far_it_is_and_is_not_begun_twice(
    odd: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, begun = threading.Event(), []

    def slow(_dataset: Any, _trainers: Any, on_image: Callable[[int, int], None], cancel: threading.Event) -> Any:
        begun.append(1)
        on_image(3, 6)
        assert go.wait(60)
        return lint(_dataset, _trainers, on_image, cancel)

    monkeypatch.setattr("hashmark.web.session.lint_runner.lint", slow)
    odd.post(f"{AT}/lint", {}, 202)
    wait_for(lambda: odd.get(f"{AT}/lint")["looking"] == {"images": 3, "of": 6})
    odd.post(f"{AT}/lint", {}, 202)
    go.set()
    wait_for(lambda: odd.get(f"{AT}/lint")["at"])
    assert begun == [1]


@pytest.mark.parametrize("code", sorted(CHECKS))
def test_each_finding_can_be_searched_for(code: str) -> None:
    for search in (f"lint:{code}", *(f"lint:{trainer}/{code}" for trainer in Trainer)):
        assert parse(search).needs_lint
