"""Pushes, pulls and deletes over HTTP: each file goes once, nothing goes that was not shown, everything comes back."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from hashmark.library.library import Library
from hashmark.search.items import item_id
from support.command import Shell
from support.datasets import STYLE, write_pairs
from support.stores import Store
from support.waiting import wait_for
from support.web.event_stream import Stream, fragments
from support.web.held_store import Between, behind, writes
from support.web.serving import Served, serving, truth, verdicts

DELETE = {"action": "delete", "where": "both", "items": [item_id("0002.png")]}


def pressed_together(served: Served, bodies: list[dict[str, Any]]) -> list[httpx.Response]:
    gate = threading.Barrier(len(bodies))
    answers: list[httpx.Response] = []

    def press(body: dict[str, Any]) -> None:
        gate.wait()
        answers.append(served.ask("POST", "/api/datasets/82/push", json=body))

    threads = [threading.Thread(target=press, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.parametrize("planned", [True, False])
def test_each_file_is_written_once_however_often_push_is_pressed(
    library: Library, seaweedfs: Store, planned: bool
) -> None:
    """Together, while it runs, and again by a plan that was shown before the first ran."""
    write_pairs(library.root, STYLE, 40)
    between = Between(seaweedfs)
    with behind(between, library) as held, serving(held) as served:
        plan = {"action": "push"}
        shown = [served.post("/api/datasets/82/plan", plan, 200)["plan"] for _ in range(5)]
        answers = pressed_together(served, [{"plan": name} if planned else {} for name in shown[:4]])
        begun = [answer.json()["job"] for answer in answers if answer.status_code == 202]
        assert begun
        assert {answer.status_code for answer in answers} <= {202, 409}
        for job in begun:
            assert served.job(job)["failures"] == []
        late = served.job(served.post("/api/datasets/82/push", {"plan": shown[4]}, 202)["job"])
        assert late["failures"] == []
        written = Counter(between.puts())
        assert written == Counter(f"{n:04d}.{suffix}" for n in range(3, 40) for suffix in ("png", "txt"))
        assert set(verdicts(served).values()) == {"synced"}


def test_what_is_edited_on_disk_after_the_plan_is_not_sent_as_something_else(served: Served, library: Library) -> None:
    path = library.root / STYLE / "0001.txt"
    plan = served.post("/api/datasets/82/plan", {"action": "push"}, 200)["plan"]
    path.write_text("edited once more, after the plan was shown\n")
    before = truth(served)[1]
    job = served.job(served.post("/api/datasets/82/push", {"plan": plan}, 202)["job"])
    assert (job["filesDone"], [failure["key"] for failure in job["failures"]]) == (0, ["0001.txt"])
    assert truth(served)[1] == before
    assert verdicts(served)["0001.txt"] == "local-changed"


def test_what_is_edited_on_disk_after_the_plan_is_not_overwritten_by_a_pull(served: Served, library: Library) -> None:
    path = library.root / STYLE / "0001.txt"
    shown = served.post("/api/datasets/82/plan", {"action": "pull", "take": "theirs"}, 200)
    assert [(a["action"], a["key"]) for a in shown["actions"]] == [("download", "0001.txt")]
    path.write_text("mine, and newer than the plan\n")
    job = served.job(served.post("/api/datasets/82/pull", {"plan": shown["plan"]}, 202)["job"])
    assert [failure["key"] for failure in job["failures"]] == ["0001.txt"]
    assert path.read_text() == "mine, and newer than the plan\n"


def test_a_pull_leaves_edits_alone_unless_it_is_told_and_what_it_replaces_comes_back(
    served: Served, library: Library, seaweedfs: Store
) -> None:
    path = library.root / STYLE / "0001.txt"
    mine = path.read_bytes()
    shown = served.post("/api/datasets/82/plan", {"action": "pull"}, 200)
    assert (shown["actions"], [row["key"] for row in shown["leftAlone"]]) == ([], ["0001.txt"])
    job = served.job(served.post("/api/datasets/82/pull", {"take": "theirs"}, 202)["job"])
    assert path.read_text() == "a stellar sketch, number 1\n"
    assert Shell(library.root, seaweedfs.environment())("trash", "restore", job["trash"]).status == 0
    assert path.read_bytes() == mine
    for action, side in (("push", "theirs"), ("pull", "mine")):
        answer = served.ask("POST", f"/api/datasets/82/{action}", json={"take": side})
        assert answer.status_code == 400
        assert answer.json()["error"]["hint"].startswith("Use take=")


def differing(library: Library) -> None:
    """Put three captions on both sides that differ without a common past."""
    dataset = library.dataset("82")
    for n in (7, 8, 9):
        (dataset.path / f"{n:04d}.txt").write_text(f"mine, number {n}\n")
        library.bucket.put(f"{dataset.prefix}{n:04d}.txt", f"theirs, number {n}\n".encode())


@pytest.mark.parametrize(
    ("accept", "replaced"),
    [([], []), ([item_id("0008.txt")], [8]), (["differs"], [7, 8, 9]), (["differs", item_id("0007.txt")], [7, 8, 9])],
)
def test_what_differs_is_offered_with_both_times_and_replaced_only_where_it_is_accepted(
    served: Served, library: Library, accept: list[str], replaced: list[int]
) -> None:
    differing(library)
    shown = served.post("/api/datasets/82/plan", {"action": "push"}, 200)
    assert [action["key"] for action in shown["actions"]] == ["0001.txt"]
    assert [offer["key"] for offer in shown["offered"]] == ["0007.txt", "0008.txt", "0009.txt"]
    assert all(offer["verdict"] == "differs" and offer["mtime"] and offer["lastModified"] for offer in shown["offered"])
    body = {"plan": shown["plan"], "accept": accept}
    job = served.job(served.post("/api/datasets/82/push", body, 202)["job"])
    assert (job["filesDone"], job["failures"]) == (1 + len(replaced), [])
    prefix = library.dataset("82").prefix
    mine = [n for n in (7, 8, 9) if library.bucket.get(f"{prefix}{n:04d}.txt").startswith(b"mine")]
    assert mine == replaced


def test_only_what_a_plan_offers_can_be_accepted_and_what_changed_since_is_not_replaced(
    served: Served, library: Library
) -> None:
    differing(library)
    shown = served.post("/api/datasets/82/plan", {"action": "push"}, 200)["plan"]
    for body in ({"plan": shown, "accept": [item_id("0001.txt")]}, {"plan": shown, "accept": ["conflict"]}):
        assert served.ask("POST", "/api/datasets/82/push", json=body).status_code == 400
    assert served.ask("POST", "/api/datasets/82/push", json={"accept": ["differs"]}).status_code == 400
    key = f"{library.dataset('82').prefix}0008.txt"
    library.bucket.put(key, b"theirs, and newer than the plan\n")
    job = served.job(served.post("/api/datasets/82/push", {"plan": shown, "accept": ["differs"]}, 202)["job"])
    assert [failure["key"] for failure in job["failures"]] == ["0008.txt"]
    assert library.bucket.get(key) == b"theirs, and newer than the plan\n"


@pytest.mark.parametrize("confirm", [0, 3, 5, -4, True, "4", 4.5, None, [4], 10**40])
def test_a_delete_is_done_for_its_number_and_for_nothing_that_looks_like_it(
    served_plan: tuple[Served, str], confirm: object
) -> None:
    served, plan = served_plan
    before = truth(served)
    answer = served.ask("POST", "/api/datasets/82/delete", json={"plan": plan, "confirm": confirm})
    assert answer.status_code == (409 if type(confirm) is int else 422), answer.text
    assert truth(served) == before


@pytest.fixture(scope="module")
def served_plan(served_once: Served) -> tuple[Served, str]:
    shown = served_once.post("/api/datasets/82/plan", DELETE, 200)
    assert len(shown["actions"]) == 4
    return served_once, shown["plan"]


@pytest.mark.parametrize(
    "body",
    [
        {"plan": "0" * 24, "confirm": 4},
        {"confirm": 4},
        {"plan": None, "confirm": 4},
        {"plan": "../../x", "confirm": 4},
        {"items": [item_id("0002.png")], "confirm": 4},
    ],
)
def test_a_delete_needs_a_plan_that_was_shown(served_once: Served, body: object) -> None:
    before = truth(served_once)
    assert served_once.ask("POST", "/api/datasets/82/delete", json=body).status_code in {404, 422}
    assert truth(served_once) == before


def test_a_plan_serves_only_its_own_dataset_and_its_own_deed(served: Served, library: Library) -> None:
    write_pairs(library.root, "9_another", 1)
    served.get("/api/datasets")
    plan = served.post("/api/datasets/82/plan", DELETE, 200)["plan"]
    before = truth(served)
    for address in ("9/delete", "9/push", "82/push", "82/pull"):
        body = {"plan": plan} | ({"confirm": 4} if address.endswith("delete") else {})
        assert served.ask("POST", f"/api/datasets/{address}", json=body).status_code == 404, address
    page = served.ask("GET", f"/d/9/plans/{plan}", headers=served.headers | {"accept": "text/html"})
    assert page.status_code == 404
    assert truth(served) == before


@pytest.mark.parametrize(("where", "lost"), [("disk", "disk"), ("bucket", "bucket"), ("both", "both")])
def test_a_delete_empties_the_side_that_was_named_and_all_of_it_comes_back(
    served: Served, library: Library, seaweedfs: Store, where: str, lost: str
) -> None:
    disk, bucket, _ = truth(served)
    shown = served.post("/api/datasets/82/plan", DELETE | {"where": where}, 200)
    body = {"plan": shown["plan"], "confirm": len(shown["actions"])}
    job = served.job(served.post("/api/datasets/82/delete", body, 202)["job"])
    assert job["failures"] == []
    folder, prefix = library.root / STYLE, library.dataset("82").prefix
    gone = {"0002.png", "0002.txt"}
    there = {row.key for row in library.bucket.objects(prefix)}
    assert {(folder / key).exists() for key in gone} == {lost == "bucket"}
    assert gone.isdisjoint(there) == (lost != "disk")
    assert served.ask("POST", "/api/datasets/82/delete", json=body).status_code == 404, "a plan runs once"
    assert Shell(library.root, seaweedfs.environment())("trash", "restore", job["trash"]).status == 0
    again = truth(served)
    assert {path: data for path, data in again[0].items() if ".hashmark" not in path} == disk
    assert {key: etag for key, etag in again[1].items() if ".hashmark" not in key} == bucket
    answer = served.ask("POST", f"/api/jobs/{job['job']}/retry", json={})
    assert answer.status_code == 400, "a delete is confirmed anew, not retried"


def test_a_delete_leaves_what_changed_after_the_plan(served: Served, library: Library) -> None:
    prefix = library.dataset("82").prefix
    shown = served.post("/api/datasets/82/plan", DELETE, 200)
    (library.root / STYLE / "0002.txt").write_text("edited after the plan was shown\n")
    library.bucket.put(f"{prefix}0002.png", b"another image")
    job = served.job(served.post("/api/datasets/82/delete", {"plan": shown["plan"], "confirm": 4}, 202)["job"])
    assert {failure["key"] for failure in job["failures"]} & {"0002.txt", "0002.png"}
    assert (library.root / STYLE / "0002.txt").read_text() == "edited after the plan was shown\n"
    assert library.bucket.get(f"{prefix}0002.png") == b"another image"


def test_a_verification_reads_the_bytes_and_finds_what_no_listing_tells(served: Served, library: Library) -> None:
    served.compared("82")  # the server's own first look must not come after the bytes
    job = served.job(served.post("/api/datasets/82/verify", {}, 202)["job"])
    assert (job["kind"], job["failures"]) == ("verify", [])
    assert served.get("/api/datasets/82")["checkKind"] == "bytes"
    found = {row["key"]: (row["verdict"], row["evidence"]) for row in served.get("/api/datasets/82/status")["files"]}
    assert found["0000.txt"] == ("synced", "body")
    assert found["0001.txt"][0] == "local-changed"


def test_what_is_edited_while_a_verification_runs_is_looked_at_when_it_ends(library: Library, seaweedfs: Store) -> None:
    between = Between(seaweedfs, lambda request: request.method == "GET" and "0002.txt" in request.path)
    with behind(between, library) as held, serving(held) as served:
        job = served.post("/api/datasets/82/verify", {}, 202)["job"]
        assert between.held.wait(30)
        (library.root / STYLE / "0000.txt").write_text("edited after its bytes were compared\n")
        wait_for(lambda: "0000.txt" in served.app.state.services.library.datasets["82"].dirty)
        between.go.set()
        served.job(job)
        wait_for(lambda: verdicts(served, fresh=False)["0000.txt"] == "local-changed")


def test_a_running_job_keeps_others_of_its_dataset_out_and_no_others(library: Library, seaweedfs: Store) -> None:
    write_pairs(library.root, "9_another", 1)
    between = Between(seaweedfs, lambda request: request.method == "PUT" and "0001.txt" in request.path)
    with behind(between, library) as held, serving(held) as served:
        plan = served.post("/api/datasets/82/plan", DELETE, 200)
        retried = served.post("/api/datasets/82/push", {"items": []}, 202)["job"]
        served.job(retried)
        job = served.post("/api/datasets/82/push", {"take": "mine"}, 202)["job"]
        assert between.held.wait(30)
        tried: dict[str, Callable[[], httpx.Response]] = {
            "push": lambda: served.ask("POST", "/api/datasets/82/push", json={}),
            "verify": lambda: served.ask("POST", "/api/datasets/82/verify", json={}),
            "retry": lambda: served.ask("POST", f"/api/jobs/{job}/retry", json={}),
            "delete": lambda: served.ask(
                "POST", "/api/datasets/82/delete", json={"plan": plan["plan"], "confirm": len(plan["actions"])}
            ),
        }
        for name, ask in tried.items():
            answer = ask()
            assert (answer.status_code, answer.json()["job"]) == (409, job), name
        served.job(served.post("/api/datasets/9/push", {}, 202)["job"])
        between.go.set()
        assert served.job(job)["failures"] == []
        assert served.get(f"/api/jobs/{job}")["filesDone"] == 1
        assert served.ask("DELETE", f"/api/jobs/{job}").status_code == 200
        assert served.ask("GET", f"/api/jobs/{job}").status_code == 404


def test_what_a_job_did_is_shown_of_its_dataset_though_that_has_another_id_by_now(
    library: Library, seaweedfs: Store
) -> None:
    """A folder with the same number appears while it runs: both go by their whole names from then on."""
    between = Between(seaweedfs, writes)
    with behind(between, library) as held, serving(held) as served:
        served.compared("82")
        page = Stream(served)
        page.has_begun()
        job = served.post("/api/datasets/82/push", {"take": "mine"}, 202)["job"]
        assert between.held.wait(60)
        write_pairs(library.root, "82_another", 1)
        wait_for(lambda: STYLE in {dataset["id"] for dataset in served.get("/api/datasets")["datasets"]})
        seen = len(page.all)
        between.go.set()
        served.job(job)
        wait_for(lambda: verdicts(served, STYLE, fresh=False)["0001.txt"] == "synced")
        # Either the row itself, or that everything is to be asked anew: the end of a job is followed by a look.
        page.wait(lambda events: {"rows", "structure"} & {event.name for event in events[seen:]})


def test_a_page_is_not_told_of_the_dataset_that_has_its_id_by_now(
    library: Library, seaweedfs: Store, tmp_path: Path
) -> None:
    folder = write_pairs(library.root, "9_only_here", 1)
    between = Between(seaweedfs, writes)
    with behind(between, library) as held, serving(held) as served:
        served.compared("9")
        page = Stream(served, "/events?dataset=9")
        page.has_begun()
        job = served.post("/api/datasets/9/push", {}, 202)["job"]
        assert between.held.wait(60)
        folder.rename(tmp_path / "away")
        write_pairs(library.root, "9_another", 7)
        wait_for(lambda: "9_another" in {d["name"] for d in served.get("/api/datasets")["datasets"] if d["id"] == "9"})
        between.go.set()
        served.job(job)
        page.wait(lambda events: 'data-ended="yes"' in fragments(events))
        assert "7 items" not in fragments(page.all), "those are the other's"
