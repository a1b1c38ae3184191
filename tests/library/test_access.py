"""Whose settings count, and where signed requests may go without the user's permission."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from hashmark.core.errors import NotTrusted, SettingsError, UsageError
from hashmark.library.access import permission_for
from hashmark.library.library import Library
from hashmark.library.settings import SETTINGS
from hashmark.s3.endpoint import Remote, resolve
from hashmark.state import permissions
from support.command import Shell, typed

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
NOBODY = 65534
STORE = "https://store.example:9000"


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    (folder / "82_sketch").mkdir(parents=True)
    (folder / "82_sketch" / "a.txt").write_text("a caption")
    return folder


def settings(root: Path, more: str = "") -> None:
    (root / SETTINGS).write_text(f'[remote]\nurl = "s3://training-data/styles"\n{more}\n')


def own_address() -> str:
    """An address of this machine that is not loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect(("192.0.2.1", 9))
            return str(one.getsockname()[0])
        except OSError:
            pytest.skip("this machine has no address but loopback")


# --- whose settings ----------------------------------------------------------------------------------------------


@ROOT_ONLY
@pytest.mark.parametrize("start", ["", "82_sketch"])
def test_another_users_settings_are_refused_until_they_are_trusted(root: Path, start: str) -> None:
    settings(root)
    os.chown(root / SETTINGS, NOBODY, NOBODY)
    with pytest.raises(NotTrusted, match=f"belongs to another user .number {NOBODY}") as refused:
        Library.open(root / start)
    assert refused.value.hint.endswith(f"`hashmark trust {root}`.")
    assert Shell(root, {})("trust", root).status == 0
    Library.open(root / start).close()
    assert Shell(root, {})("trust", root, "--forget").status == 0
    with pytest.raises(NotTrusted):
        Library.open(root / start)


@ROOT_ONLY
def test_root_accepts_the_settings_of_the_user_who_called_sudo(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(root)
    os.chown(root / SETTINGS, NOBODY, NOBODY)
    monkeypatch.setenv("SUDO_UID", str(NOBODY))
    Library.open(root).close()
    monkeypatch.setenv("SUDO_UID", "1")
    with pytest.raises(NotTrusted):
        Library.open(root)


# --- where signed requests go ------------------------------------------------------------------------------------


def test_row_43_nothing_is_sent_to_an_endpoint_that_the_user_never_named(root: Path) -> None:
    """Guard: without the check, the first request goes there, signed with the profile."""
    with socket.create_server((own_address(), 0)) as server:
        server.settimeout(0.5)
        host, port = server.getsockname()
        settings(root, f'endpoint_url = "http://{host}:{port}"\nprofile = "prod"')
        for command in ("status", "push", "pull", "verify", "doctor", "ls-remote"):
            ran = Shell(root, {})(command, *(["82_sketch"] if command != "doctor" else []))
            assert ran.status != 0
            assert "the AWS profile 'prod'" in ran.err + ran.out
            assert f"hashmark trust http://{host}:{port} --profile prod" in ran.err + ran.out
        with pytest.raises(TimeoutError):
            server.accept()


def test_trust_is_per_endpoint_and_profile(root: Path) -> None:
    settings(root, f'endpoint_url = "{STORE.upper()}/"'.replace("HTTPS", "https"))
    with Library.open(root) as library:
        with pytest.raises(NotTrusted, match="your default AWS credentials"):
            library.check_endpoint()
        permissions.remember("endpoint", STORE, "prod")
        with pytest.raises(NotTrusted):
            library.check_endpoint()
        permissions.remember("endpoint", STORE, "")
        library.check_endpoint()


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:9000",
        "http://127.0.0.1:9000",
        "http://127.8.9.1",
        "http://[::1]:9000",
        "https://s3.eu-west-3.amazonaws.com",
        "https://s3.cn-north-1.amazonaws.com.cn",
    ],
)
def test_this_machine_and_aws_need_no_permission(root: Path, url: str) -> None:
    settings(root, f'endpoint_url = "{url}"')
    with Library.open(root) as library:
        library.check_endpoint()


@pytest.mark.parametrize(
    "url",
    [
        "http://s3.eu-west-3.amazonaws.com",
        "https://localhost.example",
        "https://127.0.0.1.example",
        "https://s3.amazonaws.com.example",
        "https://evil-s3.amazonaws.com.example",
        "https://ec2-1-2-3-4.compute.amazonaws.com",
        "http://0.0.0.0:9000",
    ],
)
def test_what_only_looks_like_them_does(root: Path, url: str) -> None:
    settings(root, f'endpoint_url = "{url}"')
    with Library.open(root) as library, pytest.raises(NotTrusted):
        library.check_endpoint()


def test_an_endpoint_in_the_environment_is_named_by_the_user(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(root, f'endpoint_url = "{STORE}"')
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"{STORE}/")
    with Library.open(root) as library:
        library.check_endpoint()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://other.example")
    with Library.open(root) as library, pytest.raises(NotTrusted):
        library.check_endpoint()


def test_an_invalid_endpoint_in_the_environment_does_not_matter_where_the_settings_name_one(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(root, 'endpoint_url = "http://127.0.0.1:9000"')
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:4566/path")
    with Library.open(root) as library:
        library.check_endpoint()


def test_init_names_the_endpoint(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {})
    ran = shell("init", "lib", "--remote", "s3://training-data", "--endpoint-url", STORE, "--profile", "team")
    assert ran.status == 0
    with Library.open(tmp_path / "lib") as library:
        library.check_endpoint()
    assert permissions.known() == [("endpoint", STORE, "team")]


def test_a_person_at_a_terminal_is_asked_once(root: Path) -> None:
    address = own_address()
    with socket.create_server((address, 0)) as server:
        port = server.getsockname()[1]
    settings(root, f'endpoint_url = "http://{address}:{port}"')
    shell = Shell(root, {"AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "secret"})
    refused = typed(shell, "no\n", "ls-remote", "82_sketch")
    assert refused.status == 2
    assert "Type yes to go on: " in refused.err
    assert permissions.known() == []
    allowed = typed(shell, "yes\n", "ls-remote", "82_sketch")
    assert "hashmark trust" not in allowed.err
    assert "Cannot connect" in allowed.err or "refused" in allowed.err, "nothing listens there, but it was tried"
    assert permissions.known() == [("endpoint", f"http://{address}:{port}", "")]
    with Library.open(root) as library:
        library.check_endpoint()


def test_requests_that_are_not_encrypted_are_a_warning_at_every_run(root: Path) -> None:
    for url, codes in (
        ("http://store.example", ["not-encrypted"]),
        (STORE, []),
        ("http://127.0.0.1:9", []),
    ):
        settings(root, f'endpoint_url = "{url}"')
        with Library.open(root) as library:
            assert [problem.code for problem in library.warnings()] == codes


@pytest.mark.parametrize("region", ["x.example/#", "evil.example:80/", "a b", "É"])
def test_a_region_can_not_lead_to_another_host(region: str) -> None:
    with pytest.raises(SettingsError, match="not a region of AWS"):
        resolve(Remote("training-data", region=region))


# --- the command -------------------------------------------------------------------------------------------------


def test_trust_lists_and_forgets(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {})
    assert "Nothing is allowed" in shell("trust").out
    assert shell("trust", STORE, "--profile", "team").out == f"endpoint {STORE} with profile team: allowed\n"
    assert shell("trust").out == f"endpoint {STORE} with profile team\n"
    assert shell("trust", "--json").json == {"permissions": [["endpoint", STORE, "team"]]}
    assert shell("trust", STORE, "--forget").status == 2
    assert shell("trust", STORE, "--profile", "team", "--forget").status == 0
    assert permissions.known() == []


@pytest.mark.parametrize("target", ["ftp://store.example", "https://user:secret@store.example", "no/such", "."])
def test_only_an_endpoint_or_a_folder_of_hashmarks_can_be_trusted(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as refused:
        permission_for(target)
    assert "secret" not in str(refused.value)
