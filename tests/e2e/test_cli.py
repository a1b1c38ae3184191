"""The installed command against a real store: what it prints, and with which status it ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from hashmark import __version__
from hashmark.cli.exits import Exit
from hashmark.embedded.embedded_bucket import read_credentials
from hashmark.native.kernel import BY_HASHLIB, describe
from support.command import Shell, library
from support.datasets import write_pairs
from support.faults import Reply, listing, scripted
from support.peer_uploads import put_by_boto3
from support.stores import SCRIPTS, Store, free_port


@pytest.fixture
def shell(seaweedfs: Store, tmp_path: Path, prefix: str) -> Shell:
    """A library with one dataset of three pairs, nothing pushed yet."""
    made = library(seaweedfs, tmp_path / "styles", prefix)
    write_pairs(made.cwd, "82_stellar_sketch", 3)
    return made


def test_a_day_with_hashmark(shell: Shell) -> None:
    ran = shell("status")
    assert (ran.status, "6 local-only" in ran.out) == (1, True)
    ran = shell("push", "82")
    assert ran.status == 0, ran.err
    assert "uploaded 6" in ran.out
    ran = shell("status", "82")
    assert (ran.status, "6 synced" in ran.out, "etag-md5" in ran.out) == (0, True, True)

    caption = shell.cwd / "82_stellar_sketch" / "0001.txt"
    facts = caption.stat()
    caption.write_text("a stellar sketch, number 7\n")
    os.utime(caption, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    ran = shell("status", "82")
    assert ran.status == 1
    assert re.search(r"✗ 0001\.txt", ran.out)
    assert "0000" not in ran.out
    ran = shell("diff", "82")
    assert ran.status == 1
    assert "a stellar sketch, number [-1-]{+7+}" in ran.out
    ran = shell("push", "82", "--dry-run")
    assert (ran.status, "upload 0001.txt (replaces)" in ran.out) == (0, True)
    assert shell("push", "82").status == 0
    assert shell("status").status == 0
    assert shell("diff", "82").out == ""
    assert shell("verify", "82").status == 0


def test_status_json_has_the_documented_shape(shell: Shell) -> None:
    shell("push", "82")
    (shell.cwd / "82_stellar_sketch" / "0002.txt").unlink()
    (shell.cwd / "82_stellar_sketch" / "alone.txt").write_text("no image\n")
    document = shell("status", "82", "--json").json
    assert list(document) == ["library", "remote", "inSync", "datasets"]
    (dataset,) = document["datasets"]
    head = ["id", "name", "complete", "inSync", "counts", "captionHealth"]
    assert list(dataset) == [*head, "files", "pairs", "problems", "ignored"]
    assert (dataset["id"], dataset["name"], dataset["complete"]) == ("82", "82_stellar_sketch", True)
    assert dataset["counts"] == {"synced": 5, "deleted-locally": 1, "local-only": 1}
    first = dataset["files"][0]
    assert list(first) == ["key", "kind", "verdict", "evidence", "detail", "grade", "reason", "local", "remote"]
    assert (first["key"], first["kind"], first["verdict"], first["evidence"]) == (
        "0000.png", "image", "synced", "etag-md5",
    )  # fmt: skip
    assert first["local"]["md5"] == first["remote"]["etag"]
    assert list(first["remote"]) == ["size", "etag", "lastModified"]
    assert dataset["pairs"][2] == {"image": "0002.png", "caption": "0002.txt", "isInS3": True, "captionInS3": True}
    assert [(p["key"], p["code"]) for p in dataset["problems"]] == [("alone.txt", "orphan-caption")]


def test_pairing_problems_are_in_the_json(shell: Shell) -> None:
    folder = shell.cwd / "82_stellar_sketch"
    (folder / "0000.txt").unlink()
    (folder / "0001.jpg").write_bytes(b"another image of the same stem")
    shell("push", "82")
    (folder / "0002.txt").unlink()
    (folder / "nobody.txt").write_text("a caption without an image")
    (dataset,) = shell("status", "82", "--json").json["datasets"]
    assert dataset["pairs"] == [
        {"image": "0000.png", "caption": None, "isInS3": True, "captionInS3": False},
        {"image": "0001.jpg", "caption": "0001.txt", "isInS3": True, "captionInS3": True},
        {"image": "0001.png", "caption": "0001.txt", "isInS3": True, "captionInS3": True},
        {"image": "0002.png", "caption": "0002.txt", "isInS3": True, "captionInS3": True},
    ]
    verdicts = {row["key"]: row["verdict"] for row in dataset["files"]}
    assert verdicts["0002.txt"] == "deleted-locally", "a caption that only the bucket has"
    problems = {(problem["key"], problem["code"]) for problem in dataset["problems"]}
    assert problems == {("0001.png", "shared-caption"), ("nobody.txt", "orphan-caption")}
    out = shell("status", "82").out
    assert "nobody.txt: is a caption without an image" in out
    assert "0001.png: shares the caption '0001.txt'" in out


def test_ls_remote_json_speaks_the_shape_of_the_original_page(shell: Shell) -> None:
    shell("push", "82")
    document = shell("ls-remote", "82", "--json").json
    assert list(document) == ["files", "fileMap", "count"]
    assert document["count"] == len(document["files"]) == 6
    entry = document["fileMap"]["0000.txt"]
    assert list(entry) == ["etag", "size", "lastModified"]
    assert re.fullmatch(r"[0-9a-f]{32}", entry["etag"])


@pytest.mark.parametrize("with_map", [True, False])
def test_status_against_a_saved_listing(with_map: bool, shell: Shell, tmp_path: Path) -> None:
    shell("push", "82")
    document = shell("ls-remote", "82", "--json").json
    if not with_map:
        del document["fileMap"]
    saved = tmp_path / "saved.json"
    saved.write_text(json.dumps(document))
    (shell.cwd / "82_stellar_sketch" / "0001.txt").write_text("cleaned\n")
    ran = shell("status", "82", "--against", saved, "--json")
    assert ran.status == 1
    counts = ran.json["datasets"][0]["counts"]
    assert counts == ({"synced": 5, "differs": 1} if with_map else {"unverified": 6})
    assert ran.json["against"]["source"] == "a listing saved in a file"
    assert "Against a listing saved in a file of 20" in shell("status", "82", "--against", saved).out


def test_pull_into_an_empty_library(shell: Shell, seaweedfs: Store, tmp_path: Path, prefix: str) -> None:
    shell("push", "82")
    other = library(seaweedfs, tmp_path / "other", prefix)
    ran = other("status")
    assert (ran.status, "6 remote-only" in ran.out) == (1, True)
    assert other("pull", "82").status == 0
    for path in (shell.cwd / "82_stellar_sketch").iterdir():
        assert (other.cwd / "82_stellar_sketch" / path.name).read_bytes() == path.read_bytes()


def test_a_dataset_goes_by_number_name_or_path(shell: Shell) -> None:
    path = shell.cwd / "82_stellar_sketch"
    for name in ("82", "82_stellar_sketch", "82_stellar_sketch/", path):
        assert "82_stellar_sketch" in shell("status", name).out
    inside = Shell(path, shell.environment)
    assert "6 local-only" in inside("status", "82").out


def test_deletes_need_the_number(shell: Shell) -> None:
    shell("push", "82")
    for n in range(2):
        (shell.cwd / "82_stellar_sketch" / f"{n:04d}.txt").unlink()
    ran = shell("push", "82", "--delete")
    assert ran.status == 4
    assert "--max-delete 2" in ran.err
    ran = shell("push", "82", "--delete", "--max-delete", 2)
    assert ran.status == 0, ran.err
    batch = re.search(r"trash restore (\S+)", ran.out)
    assert batch
    assert batch.group(1) in shell("trash", "list").out
    assert "2 restored" in shell("trash", "restore", batch.group(1)).out
    assert shell("pull", "82").status == 0
    assert shell("status").status == 0
    assert shell("delete", "82", "--select", "0002.txt", "--from", "disk", "--yes", 1).status == 0
    assert shell("trash", "empty").status == 4, "nobody is there to confirm it"
    assert shell("trash", "empty", "--yes").status == 0


def test_doctor_leaves_the_bucket_as_it_was(shell: Shell, seaweedfs: Store, prefix: str) -> None:
    ran = shell("doctor", "--json")
    assert ran.status == 1, "it works with limits"
    checks = {check["name"]: check["ok"] for check in ran.json["checks"] if check["name"] != "hashing"}
    reached = "library state files reach credentials listing write"
    able = "etag-md5 create-only replace-only content-md5 copy etag-multipart checksum start-after conditional-delete"
    able += " exact-listing conditional-complete etag-changes"
    assert checks == dict.fromkeys(f"{reached} {able} uploads".split(), True) | {"etag-part-copy": False}
    assert list(seaweedfs.bucket().objects(f"{prefix}/")) == []


def test_the_report_of_a_store_has_nothing_of_the_user(shell: Shell, seaweedfs: Store, prefix: str) -> None:
    ran = shell("doctor", "--report")
    assert ran.status == 1
    assert ran.json["service"] is None
    assert ran.json["software"].startswith("SeaweedFS")
    assert ran.json["capabilities"]["replace-only"] == "yes"
    assert ran.json["capabilities"]["etag-part-copy"] == "no"
    mine = (
        prefix,
        str(shell.cwd),
        seaweedfs.endpoint_url,
        seaweedfs.bucket().remote.bucket,
        *read_credentials(seaweedfs.credentials_file),
    )
    assert not [secret for secret in mine if secret in ran.out]


def test_a_doctor_exits_with_what_it_found(shell: Shell) -> None:
    assert Exit(shell("doctor", "--read-only").status) is Exit.FOUND, "there is no object to read yet"
    write_pairs(shell.cwd, "82_stellar_sketch", 1)
    shell("push", "82")
    assert Exit(shell("doctor", "--read-only").status) is Exit.DONE
    (shell.cwd / "hashmark.toml").write_text('[remote]\nurl = "s3://bucket"\nendpoint_url = "http://127.0.0.1:9"\n')
    assert Exit(shell("doctor").status) is Exit.STORE


def test_a_store_that_ignores_conditions_is_used_with_a_note(rclone: Store, tmp_path: Path, prefix: str) -> None:
    shell = library(rclone, tmp_path / "styles", prefix)
    write_pairs(shell.cwd, "82_stellar_sketch", 2)
    ran = shell("push", "82")
    assert ran.status == 0, ran.err
    assert "This store does not support If-Match" in ran.out
    checks = {check["name"]: check["ok"] for check in shell("doctor", "--json").json["checks"]}
    assert (checks["create-only"], checks["replace-only"], checks["conditional-delete"]) == (False, False, False)


class TestWrongInput:
    """One clear message, the right status, never a trace."""

    def test_no_library(self, tmp_path: Path) -> None:
        ran = Shell(tmp_path, {})("status")
        assert ran.status == 2
        assert "no hashmark.toml" in ran.err
        assert "hashmark init" in ran.err

    def test_an_unknown_dataset_names_the_nearest(self, shell: Shell) -> None:
        ran = shell("status", "82_stellar_skech")
        assert ran.status == 2
        assert "Did you mean '82_stellar_sketch'?" in ran.err
        assert "There is no dataset '0001.txt': it is a file.\n  Name its dataset; use --select." in (
            shell("push", "0001.txt").err
        )

    def test_a_bad_url(self, tmp_path: Path) -> None:
        ran = Shell(tmp_path, {})("init", "--remote", "https://bucket/prefix")
        assert (ran.status, "s3://bucket/prefix" in ran.err) == (2, True)
        assert not (tmp_path / "hashmark.toml").exists()

    def test_bad_toml_names_the_line(self, shell: Shell) -> None:
        (shell.cwd / "hashmark.toml").write_text('[remote]\nurl = "s3://bucket/p\n')
        ran = shell("status")
        assert (ran.status, "line 2" in ran.err) == (2, True)

    def test_an_unknown_setting_names_the_nearest(self, shell: Shell) -> None:
        (shell.cwd / "hashmark.toml").write_text('[remote]\nurl = "s3://bucket/p"\nendpoint = "x"\n')
        ran = shell("status")
        assert (ran.status, "Did you mean 'endpoint_url'?" in ran.err) == (2, True)

    def test_a_missing_bucket(self, shell: Shell, seaweedfs: Store) -> None:
        (shell.cwd / "hashmark.toml").write_text(
            f'[remote]\nurl = "s3://nobody-made-this/p"\nendpoint_url = "{seaweedfs.endpoint_url}"\n'
        )
        ran = shell("status", "82")
        assert ran.status == 3
        assert "'nobody-made-this'" in ran.err
        assert "does not exist" in ran.err

    def test_a_wrong_secret(self, shell: Shell) -> None:
        ran = Shell(shell.cwd, shell.environment | {"AWS_SECRET_ACCESS_KEY": "not-the-secret"})("status", "82")
        assert ran.status == 3
        assert "does not accept the access key or its secret" in ran.err
        assert "not-the-secret" not in ran.err

    def test_no_credentials(self, shell: Shell) -> None:
        ran = Shell(shell.cwd, {})("status", "82")
        assert (ran.status, "AWS_ACCESS_KEY_ID" in ran.err) == (3, True)

    def test_an_unknown_profile(self, shell: Shell) -> None:
        ran = Shell(shell.cwd, {"AWS_PROFILE": "nobody"})("status", "82")
        assert (ran.status, "'nobody'" in ran.err) == (2, True)

    @pytest.mark.slow
    def test_a_server_that_is_down(self, shell: Shell) -> None:
        url = f"http://127.0.0.1:{free_port()}"
        (shell.cwd / "hashmark.toml").write_text(f'[remote]\nurl = "s3://bucket/p"\nendpoint_url = "{url}"\n')
        ran = shell("status", "82")
        assert ran.status == 3
        assert "connection refused" in ran.err

    def test_a_proxy_page_instead_of_s3(self, shell: Shell) -> None:
        page = b"<!DOCTYPE html><html><body>Please sign in</body></html>"
        with scripted(lambda _: Reply(200, page, {"Content-Type": "text/html"})) as server:
            (shell.cwd / "hashmark.toml").write_text(
                f'[remote]\nurl = "s3://bucket/p"\nendpoint_url = "{server.url}"\n'
            )
            ran = shell("status", "82")
            assert ran.status == 3
            assert "not a proxy, login or web page" in ran.err
            ran = shell("push", "82", "--delete", "--max-delete", 1000)
            assert ran.status == 3
            assert {request.method for request in server.seen} == {"GET"}, "nothing was written or deleted"

    def test_a_slow_store_is_waited_for_in_sight(self, shell: Shell) -> None:
        with scripted(lambda _: Reply(200, listing("82_stellar_sketch/0000.txt"), wait=1.0)) as server:
            (shell.cwd / "hashmark.toml").write_text(f'[remote]\nurl = "s3://bucket"\nendpoint_url = "{server.url}"\n')
            terminal = Shell(shell.cwd, shell.environment | {"FORCE_COLOR": "1"})
            for words in (["status"], ["push", "--dry-run"], ["pull", "--dry-run"]):
                assert "waiting for the bucket's listing" in terminal(*words, "82").err
            assert shell("status", "82").err == "", "nothing in a pipe"

    def test_an_error_with_json_is_json(self, shell: Shell) -> None:
        ran = shell("status", "nothing-like-it", "--json")
        assert ran.status == 2
        assert ran.json["error"]["code"] == "no-such-dataset"

    def test_a_saved_listing_that_is_none(self, shell: Shell) -> None:
        (shell.cwd / "x.json").write_text("[]")
        ran = shell("status", "82", "--against", "x.json")
        assert (ran.status, "ls-remote" in ran.err) == (2, True)

    def test_an_unknown_option(self, shell: Shell) -> None:
        ran = shell("status", "--colour")
        assert (ran.status, "--colour" in ran.err) == (2, True)


def test_hostile_names_are_shown_as_text(moto: Store, tmp_path: Path, prefix: str) -> None:
    shell = library(moto, tmp_path / "styles", prefix)
    bucket = moto.bucket()
    (shell.cwd / "82_x").mkdir()
    put_by_boto3(moto, f"{prefix}/82_x/../up.txt", b"x")
    for key in ("[red]markup[red].txt", "bell\x07.txt", "\u202egnp.txt"):
        bucket.put(f"{prefix}/82_x/{key}", b"x")
    ran = shell("status", "82", "--full")
    assert ran.status == 4, "refused keys are told by the status"
    assert "[red]markup[red].txt" in ran.out
    assert "\x07" not in ran.out
    assert "\u202e" not in ran.out
    assert "bell⟨U+0007⟩.txt" in ran.out
    ran = shell("pull", "82")
    assert ran.status == 4
    assert sorted(path.name for path in (shell.cwd / "82_x").iterdir()) == ["[red]markup[red].txt", "\u202egnp.txt"]


def test_version_is_printed() -> None:
    for flag in ("--version", "-V"):
        done = subprocess.run([SCRIPTS / "hashmark", flag], capture_output=True, text=True, check=True)
        assert done.stdout == f"hashmark {__version__}\n"


@pytest.mark.parametrize("is_off", [False, True])
def test_version_and_doctor_say_what_files_are_hashed_with(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, is_off: bool
) -> None:
    expected = BY_HASHLIB if is_off else describe()
    if is_off:
        monkeypatch.setenv("HASHMARK_KERNEL", "off")
    assert shell("--version", "--json").json == {"version": __version__, "hashing": expected}
    (check,) = (check for check in shell("doctor", "--json").json["checks"] if check["name"] == "hashing")
    assert (check["detail"], check["ok"]) == (expected, None if expected == BY_HASHLIB else True)


LIBRARIES = ("PIL", "botocore", "click", "fastapi", "jinja2", "rich")
STANDARD = ("asyncio", "configparser", "ctypes", "difflib", "shutil", "subprocess", "tempfile")
OURS = (
    "actions.move",
    "demo",
    "disk.durable",
    "disk.place",
    "embedded",
    "evidence.body",
    "images",
    "library.listing_file",
    "s3.probe",
    "search",
    "transfer",
    "trash",
    "web",
)
CORE = ("cleaning", "events", "inventory", "lint.facts", "plan", "saved_listing", "word_diff")
UNNEEDED = (*LIBRARIES, *STANDARD, *(f"hashmark.{name}" for name in OURS), *(f"hashmark.core.{name}" for name in CORE))


def imports_of(shell: Shell, *command: str) -> list[str]:
    """The modules that a command imports when it writes into pipes."""
    done = subprocess.run(
        [SCRIPTS / "python", "-X", "importtime", SCRIPTS / "hashmark", *command],
        cwd=shell.cwd,
        env=os.environ | shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return re.findall(r"^import time: .*\| +(\S+)$", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("command", ["status", "ls-remote"])
def test_what_a_check_of_the_bucket_does_not_need_is_not_imported(shell: Shell, command: str) -> None:
    """Into a pipe, and where no file has to be read: their start is most of what they cost."""
    assert shell("push", "82").status == 0
    for path in (shell.cwd / "82_stellar_sketch").iterdir():
        path.unlink()
    imported = imports_of(shell, command, "82")
    assert "hashmark.s3.client" in imported
    assert [name for name in imported if any(f"{name}.".startswith(f"{one}.") for one in UNNEEDED)] == []


@pytest.mark.parametrize("command", ["push", "pull"])
def test_a_pipe_needs_no_colours(shell: Shell, command: str) -> None:
    imported = imports_of(shell, command, "82")
    assert "hashmark.transfer.run" in imported
    assert {"rich.console", "rich.text", "hashmark.actions.verify"}.isdisjoint(imported)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("options", [(), ("--full",)])
def test_output_that_can_not_be_written_is_no_success(shell: Shell, options: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [SCRIPTS / "hashmark", "status", "82", *options],
            cwd=shell.cwd,
            env=os.environ | shell.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert "No space left on device" in done.stderr
    assert done.returncode == 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("words", ["--version", "--help", "push --help"])
def test_help_that_can_not_be_written_is_no_comparison(shell: Shell, words: str) -> None:
    """1 would say that something is not in sync."""
    done = in_sh(shell, f"{words} >/dev/full")
    assert (done.returncode, "Traceback" in done.stderr) == (4, False), done.stderr
    assert "The output: No space left on device" in done.stderr
    assert in_sh(shell, "status nope --json >/dev/full").returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_work_goes_on_where_its_progress_can_not_be_written(shell: Shell, unbuffered: str) -> None:
    shell.environment["PYTHONUNBUFFERED"] = unbuffered
    write_pairs(shell.cwd, "10_ink", 1)
    (shell.cwd / "10_ink" / "0000.txt").write_bytes(b"ink  ")
    assert in_sh(shell, "clean 10 --apply 2>/dev/full").returncode == 0
    assert (shell.cwd / "10_ink" / "0000.txt").read_bytes() == b"ink"
    assert in_sh(shell, "push nope 2>/dev/full").returncode == 2
    assert in_sh(shell, "push 82 10 2>/dev/full").returncode == 0
    assert in_sh(shell, "push 82 -L . 2>/dev/full").returncode == 0
    assert shell("status", "82", "10").status == 0


def test_a_reader_of_both_streams_who_has_enough_ends_no_work(shell: Shell) -> None:
    """`push 2>&1 | head -1`: what can't be told of it is all that is lost."""
    end, start = os.pipe()
    os.close(end)
    command = [str(SCRIPTS / "hashmark"), "push", "82"]
    done = subprocess.run(
        command, cwd=shell.cwd, env=os.environ | shell.environment, stdout=start, stderr=start, check=False
    )
    os.close(start)
    assert done.returncode == 141
    assert shell("status", "82").status == 0


def in_sh(shell: Shell, line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", f"exec '{SCRIPTS / 'hashmark'}' {line}"],
        cwd=shell.cwd,
        env=os.environ | shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_library_in_a_library_is_refused(shell: Shell) -> None:
    """A dataset of the outer one would be a library."""
    for folder in ("82_stellar_sketch", "new/deep"):
        ran = shell("init", folder, "--remote", "s3://bucket/inner")
        assert (ran.status, f"inside the library {shell.cwd}." in ran.err) == (2, True), ran.err
    assert not (shell.cwd / "new").exists()
    assert "already exists" in shell("init", "--remote", "s3://bucket/inner").err


def test_a_deleted_working_directory_is_reported_as_such(shell: Shell) -> None:
    gone = shell.cwd / "gone"
    gone.mkdir()
    command = f"cd '{gone}' && rmdir '{gone}' && exec '{SCRIPTS / 'hashmark'}' status"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        4,
        "hashmark: The current folder was deleted.\n  Change to another folder.\n",
    )


EVERYTHING = ">&- 2>&- <&-"


@pytest.mark.parametrize(
    ("line", "closed", "status"),
    [
        ("status 82", ">&-", 0),
        ("status -L . 82", ">&-", 0),
        ("ls-remote 82", ">&-", 0),
        ("status 82 --json", ">&-", 0),
        ("push 82", EVERYTHING, 0),
        ("status 82 10", ">&-", 1),
        ("status nope", ">&-", 2),
        ("status nope", "2>&-", 2),
        ("status nope -L .", "2>&-", 2),
        ("status nope", EVERYTHING, 2),
        ("status --nope --json", ">&-", 2),
        ("--version", ">&-", 0),
    ],
)
def test_a_stream_that_is_closed_changes_no_exit_status(shell: Shell, line: str, closed: str, status: int) -> None:
    """1 means that something is not in sync: not that nobody could be told."""
    write_pairs(shell.cwd, "10_ink", 1)
    assert shell("push", "82").status == 0
    done = in_sh(shell, f"{line} {closed}")
    assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr


def test_a_refusing_store_sets_the_exit_status_even_when_nothing_can_be_printed(shell: Shell, seaweedfs: Store) -> None:
    settings = shell.cwd / "hashmark.toml"
    settings.write_text(f'[remote]\nurl = "s3://nobody-made-this/p"\nendpoint_url = "{seaweedfs.endpoint_url}"\n')
    for closed in (">&-", "2>&-"):
        command = ["/bin/sh", "-c", f"exec '{SCRIPTS / 'hashmark'}' status 82 {closed}"]
        done = subprocess.run(command, cwd=shell.cwd, env=os.environ | shell.environment, check=False)
        assert done.returncode == 3


@pytest.mark.parametrize("encoding", ["utf-8", "U8", "latin-1", "ascii", "cp1252"])
def test_json_can_be_read_whatever_the_output_s_encoding(shell: Shell, encoding: str) -> None:
    names = {"caf\u00e9 \U0001f600.txt", "caf\u00e9 \U0001f600.png"}
    for name in names:
        (shell.cwd / "82_stellar_sketch" / name).write_text("x")
    ran = Shell(shell.cwd, shell.environment | {"PYTHONIOENCODING": encoding})("status", "82", "--json")
    assert names <= {row["key"] for row in ran.json["datasets"][0]["files"]}
    assert ("\U0001f600" in ran.out) == (encoding in {"utf-8", "U8"}), "as it is, where it can be"
    ran = Shell(shell.cwd, shell.environment | {"PYTHONIOENCODING": encoding})("status", "caf\u00e9", "--json")
    assert "caf\u00e9" in ran.json["error"]["message"]


def test_a_glob_without_a_match_and_a_take_that_cannot_be_are_slips(shell: Shell) -> None:
    ran = shell("push", "82", "--select", "*.tpyo")
    assert (ran.status, "'*.tpyo'" in ran.err) == (2, True)
    ran = shell("push", "82", "--take", "theirs")
    assert (ran.status, "--take mine" in ran.err) == (2, True)
    assert shell("push", "82", "--select", "*.txt").status == 0
    counts = shell("status", "82", "--json").json["datasets"][0]["counts"]
    assert counts == {"synced": 3, "local-only": 3}


def test_a_verification_of_nothing_is_no_success(shell: Shell) -> None:
    """A glob without a match is told, in the place of its dataset; what was verified before it is told all the same."""
    write_pairs(shell.cwd, "10_ink", 2)
    assert shell("push", "82", "10").status == 0
    ran = shell("verify", "82", "--select", "0002.tx")
    assert (ran.status, ran.out, "Nothing in 82_stellar_sketch matches --select '0002.tx'." in ran.err) == (2, "", True)
    ran = shell("verify", "82", "10", "--select", "0002.txt", "--json")
    first, second = ran.json["datasets"]
    assert (ran.status, first["name"], second["error"]["code"]) == (2, "82_stellar_sketch", "usage")


def test_one_refused_dataset_does_not_hide_what_was_done_for_another(shell: Shell) -> None:
    write_pairs(shell.cwd, "10_ink", 2)
    assert shell("push", "10").status == 0
    for path in (shell.cwd / "10_ink").iterdir():
        path.unlink()
    ran = shell("push", "82", "10", "--delete", "--json")
    assert ran.status == 4
    first, second = ran.json["datasets"]
    assert (first["dataset"], first["done"]) == ("82_stellar_sketch", 6)
    assert (second["dataset"], second["error"]["code"]) == ("10_ink", "refused")


def test_a_reader_that_stops_reading_does_not_get_status_0(shell: Shell) -> None:
    process = shell.start("status", "82", "--json")
    assert process.stdout
    process.stdout.close()
    assert process.wait(30) not in (0, 1)
    assert process.stderr
    assert process.stderr.read() == ""
    process.stderr.close()


def test_the_disk_s_trash_comes_back_without_the_bucket(shell: Shell, seaweedfs: Store, prefix: str) -> None:
    shell("push", "82")
    seaweedfs.bucket().put(f"{prefix}/82_stellar_sketch/0001.txt", b"changed in the bucket\n")
    caption = shell.cwd / "82_stellar_sketch" / "0001.txt"
    before = caption.read_bytes()
    ran = shell("pull", "82")
    batch = re.search(r"trash restore (\S+)", ran.out)
    assert batch
    wrong = Shell(shell.cwd, shell.environment | {"AWS_SECRET_ACCESS_KEY": "not-the-secret"})
    ran = wrong("trash", "list")
    assert (ran.status, batch.group(1) in ran.out) == (3, True)
    ran = wrong("trash", "restore", batch.group(1))
    assert (ran.status, "1 restored" in ran.out) == (4, True)
    assert caption.read_bytes() == before


def test_folders_that_cannot_be_datasets_are_named(shell: Shell, seaweedfs: Store, prefix: str) -> None:
    seaweedfs.bucket().put(f"{prefix}/CON/a.txt", b"x")
    (shell.cwd / os.fsdecode(b"83_\xff")).mkdir()
    ran = shell("status")
    assert ran.status == 4
    assert "CON: is a folder whose name" in ran.out
    assert "83_\\xff: is a folder whose name is not valid UTF-8" in ran.out


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_sibling_s_name_is_nothing_to_a_dataset_that_is_named(options: tuple[str, ...], shell: Shell) -> None:
    assert shell("push", "82").status == 0
    (shell.cwd / "nul").mkdir()
    assert shell("status", "82", *options).status == 0
    assert shell("status", *options).status == 4


def test_datasets_that_overlap_in_the_bucket_are_refused(shell: Shell) -> None:
    settings = shell.cwd / "hashmark.toml"
    settings.write_text(settings.read_text() + '\n[datasets."10_ink"]\nprefix = "82_stellar_sketch/ink"\n')
    write_pairs(shell.cwd, "10_ink", 1)
    ran = shell("status")
    assert (ran.status, "overlap in the bucket" in ran.err) == (2, True)


@pytest.mark.parametrize("what", ["bundle", "profile"])
def test_aws_settings_that_cannot_be_used_are_reported_plainly(what: str, shell: Shell, tmp_path: Path) -> None:
    settings = shell.cwd / "hashmark.toml"
    if what == "bundle":
        (tmp_path / "ca.pem").write_text("not a certificate")
        text = settings.read_text().replace("http://", "https://") + f'ca_bundle = "{tmp_path / "ca.pem"}"\n'
        settings.write_text(text)
        ran = shell("status", "82")
        assert (ran.status, "ca.pem" in ran.err) == (2, True)
    else:
        (tmp_path / "config").write_text("[profile work]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = nobody\n")
        settings.write_text(settings.read_text() + 'profile = "work"\n')
        ran = Shell(shell.cwd, shell.environment | {"AWS_CONFIG_FILE": str(tmp_path / "config")})("status", "82")
        assert (ran.status, "'work'" in ran.err) == (3, True)


@pytest.mark.parametrize("batch", ["", ".", "..", "../..", "../../82_stellar_sketch", "/", "a/b"])
@pytest.mark.parametrize("verb", [("empty", "--yes"), ("restore",)])
def test_a_batch_that_is_no_name_touches_nothing(batch: str, verb: tuple[str, ...], shell: Shell) -> None:
    """An unset variable in a script, or a path, must neither empty the trash nor reach the library's own files."""
    folder = shell.cwd / "82_stellar_sketch"
    kept = shell.cwd / ".hashmark" / "trash" / "20260101T000000Z-pull-abcd" / "82_stellar_sketch" / "old.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("an old caption\n")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    ran = shell("trash", verb[0], *verb[1:], "--", batch)
    assert ran.status == 2, ran.out
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert kept.read_text() == "an old caption\n"
