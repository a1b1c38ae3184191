"""Other users of the machine, and pages in a browser, get nothing of a running embedded bucket."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hashmark.core.errors import NoSuchBucket
from hashmark.library.library import Library
from hashmark.library.settings import SETTINGS
from support.embedded import ports_of
from support.waiting import wait_for
from tools import neighbour

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc"),
]


@pytest.fixture
def root() -> Iterator[Path]:
    """A library in a folder that everybody can enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / SETTINGS).write_text('[remote]\nurl = "s3://training-data/styles"\nembedded = true\n')
    yield folder
    shutil.rmtree(folder)


def attack(root: Path, ports: list[int]) -> list[str]:
    """What `nobody` got, by the script that anybody can run."""
    command = [sys.executable, neighbour.__file__, str(root), *map(str, ports)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    lines = done.stdout.splitlines()
    assert done.returncode == (len(lines) > 1), done.stderr
    assert lines[-1].startswith(f"User 65534 tried {len(ports)} ports (with SeaweedFS's shell)"), done.stdout
    return lines[:-1]


def test_row_41_another_user_gets_nothing_of_a_running_bucket(root: Path) -> None:
    """Guard: without the certificates, the filer, the master and gRPC answer everybody."""
    with Library.open(root) as library:
        library.bucket.put("styles/82_sketch/0001.txt", b"a caption")
        assert library.embedded
        ports = ports_of(library.embedded)
        assert len(ports) >= 9, "S3 and the server's parts, each with a port for gRPC"
        assert attack(root, ports) == []
        assert [o.key for o in library.bucket.objects("")] == ["styles/82_sketch/0001.txt"]
        assert library.bucket.get("styles/82_sketch/0001.txt") == b"a caption"
        library.embedded.stop()


@pytest.mark.slow
def test_the_attack_gets_into_a_server_without_certificates(root: Path) -> None:
    """Otherwise the test before would show nothing."""
    own = root / ".hashmark"
    code = (
        "import sys; from pathlib import Path; import hashmark.embedded.servers as e; e._certificates = lambda _: {}; "
        "from hashmark.embedded.supervisor import supervise; "
        "sys.exit(supervise(Path(sys.argv[1]), 'training-data'))"
    )
    with Library.open(root) as library:
        library.bucket.put("styles/82_sketch/0001.txt", b"a caption")
        assert library.embedded
        library.embedded.stop()
    with subprocess.Popen([sys.executable, "-c", code, own / "bucket"], stderr=subprocess.DEVNULL) as supervisor:
        try:
            wait_for((own / "bucket" / "address.json").exists)
            with Library.open(root) as library:
                bucket = library.bucket
                assert library.embedded
                own.chmod(0o755)
                got = attack(root, ports_of(library.embedded))
                assert any(
                    "DELETE /buckets/training-data?recursive=true over HTTP was answered" in line for line in got
                )
                assert any("shell was answered" in line for line in got)
                assert any("can be listed" in line for line in got)
                held: list[str] = []
                with contextlib.suppress(NoSuchBucket):
                    held = [o.key for o in bucket.objects("")]
                assert "styles/82_sketch/0001.txt" not in held
        finally:
            supervisor.terminate()
