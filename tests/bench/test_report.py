"""The benchmark page: values that were not measured, and cases kept from another run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench import report
from bench.cases import Case
from bench.inputs import PAIRS, Input
from bench.measure import PEAK_SLACK_BYTES, Cost, Row

DOCS = Path(__file__).parents[2] / "docs"


def case(title: str, *rows: Row, item: Input = PAIRS) -> Case:
    return Case(title, item, list(rows))


def row(program: str, *, peak: int = 50_000_000, floor: int = 0) -> Row:
    return Row(program, "", [Cost(1.0, 0.5, peak, floor)], requests=7)


def described(*cases: Case, notes: tuple[str, ...] = (), **known: str) -> dict[str, Any]:
    return report.describe(cases, server="SeaweedFS 4.48", notes=notes) | known


def cells(page: str, program: str) -> list[str]:
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {program} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_peak_that_was_not_measured_is_marked() -> None:
    found = described(
        case(
            "List",
            row("ours"),
            row("small", floor=50_000_000),
            row("near", floor=50_000_000 - PEAK_SLACK_BYTES + 1),
        )
    )
    page = report.markdown(found)
    assert [cells(page, name)[5] for name in ("ours", "small", "near")] == ["50", "≤ 50", "≤ 50"]
    assert "a ≤ marks such values" in " ".join(page.split())


def test_what_is_not_the_same_work_is_not_divided() -> None:
    found = described(Case("Memory", PAIRS, [row("ours, 2 files"), row("ours, 10 files")], in_turn=False))
    page = report.markdown(found)
    assert cells(page, "program") == ["program", "seconds", "runs", "CPU s", "peak MB"]
    assert cells(page, "ours, 10 files") == ["ours, 10 files", "1.00", "1", "0.50", "50"]
    both = report.markdown(described(case("List", row("ours"), row("theirs"))))
    assert cells(both, "theirs") == ["theirs", "1.00", "1", "1.00 (1.00–1.00)", "0.50", "50", "7"]


def test_a_case_that_is_kept_says_when_and_where_it_was_measured(tmp_path: Path) -> None:
    first = described(case("Push", row("a")), notes=("A quick run.",), date="2025-01-01", machine="another machine")
    report.write(first, tmp_path)
    second = described(case("Pull", row("b")), date="2025-02-02", machine="a third machine")
    report.write(second, tmp_path, kept=report.cases_in(tmp_path))
    report.write(described(case("List", row("c"))), tmp_path, kept=report.cases_in(tmp_path))
    page = (tmp_path / "benchmarks.md").read_text()
    head, push, pull, listed = page.split("\n## ")
    assert "A quick run." not in head + pull + listed
    assert "Measured in another run: another machine; 2025-01-01. A quick run.\n" in push
    assert "Measured in another run: a third machine; 2025-02-02.\n" in pull
    assert "another run" not in listed, "the page's own run"
    assert report.machine() in head


def test_notes_alone_are_said_where_a_run_differs_in_nothing_else(tmp_path: Path) -> None:
    report.write(described(case("Push", row("a")), notes=("Of both.", "Of one.")), tmp_path)
    report.write(described(case("Pull", row("b")), notes=("Of both.",)), tmp_path, kept=report.cases_in(tmp_path))
    head, push, pull = (tmp_path / "benchmarks.md").read_text().split("\n## ")
    assert "\n- Of both.\n" in head
    assert "\nMeasured in another run. Of one.\n" in push
    assert "another run" not in pull


def test_a_case_that_is_measured_again_replaces_the_one_that_was_kept(tmp_path: Path) -> None:
    both = (case("Push", row("a")), case("Pull", row("a")))
    report.write(described(*both, machine="another machine"), tmp_path)
    report.write(described(both[1]), tmp_path, kept=report.cases_in(tmp_path))
    report.write(described(case("Push", row("b"))), tmp_path, kept=report.cases_in(tmp_path))
    page = (tmp_path / "benchmarks.md").read_text()
    assert (page.count("## Push"), page.count("another machine")) == (1, 0), "in its place, before the other"
    assert page.index("## Push") < page.index("## Pull")


def test_cases_of_one_run_that_was_begun_twice_need_no_line_of_their_own(tmp_path: Path) -> None:
    report.write(described(case("Push", row("a"))), tmp_path)
    report.write(described(case("Pull", row("b"))), tmp_path, kept=report.cases_in(tmp_path))
    assert (tmp_path / "benchmarks.md").read_text().count("SeaweedFS") == 1


def test_docs_benchmarks_md_is_rendered_from_its_json() -> None:
    assert (DOCS / "benchmarks.md").read_text() == report.markdown(json.loads((DOCS / "benchmarks.json").read_text()))
