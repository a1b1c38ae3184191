"""Reaching a store: TLS with a private authority, virtual-hosted addressing, and the places credentials come from."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hashmark.core.errors import HashmarkError, NoCredentials, SettingsError, TlsFailure
from hashmark.library.library import Library
from hashmark.library.settings import Settings
from hashmark.s3.bucket import Bucket
from hashmark.s3.endpoint import Remote
from support.certificates import make_certificate
from support.stores import BUCKET, Store, serving_rclone


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Remote, Path]]:
    """`rclone serve s3` over https, with a certificate of its own."""
    folder = tmp_path_factory.mktemp("https")
    pem, private = make_certificate(folder)
    with serving_rclone(folder, "--cert", pem, "--key", private, cafile=pem) as store:
        yield store.remote(), pem


def test_a_private_authority_is_trusted_when_it_is_named(https: tuple[Remote, Path]) -> None:
    remote, pem = https
    bucket = Bucket(replace(remote, ca_bundle=str(pem)))
    bucket.put("tls/a.txt", b"over https")
    assert bucket.get("tls/a.txt") == b"over https"


def test_a_private_authority_is_not_trusted_otherwise_and_that_is_told_soon(https: tuple[Remote, Path]) -> None:
    """Left to itself the runtime takes minutes to say so."""
    begun = time.monotonic()
    with pytest.raises(TlsFailure, match=r"is not trusted .*ca_bundle"):
        list(Bucket(https[0]).objects(""))
    assert time.monotonic() - begun < 60


def test_checks_can_be_switched_off_but_never_silently(https: tuple[Remote, Path], tmp_path: Path) -> None:
    remote = replace(https[0], verify=False)
    assert list(Bucket(remote).objects("nothing-here/")) == []
    assert [p.code for p in Library(tmp_path, Settings(remote)).warnings()] == ["tls-not-verified"]
    assert Library(tmp_path, Settings(https[0])).warnings() == []


def test_a_missing_bundle_is_named(https: tuple[Remote, Path]) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.pem"):
        Bucket(replace(https[0], ca_bundle="nowhere.pem"))


def test_http_and_https_mixed_up_says_so(seaweedfs: Store) -> None:
    url = seaweedfs.endpoint_url.replace("http://", "https://")
    with pytest.raises(HashmarkError, match=r"write its endpoint_url with http://"):
        list(Bucket(replace(seaweedfs.remote(), endpoint_url=url)).objects(""))


VIRTUAL = """
import sys
from hashmark.s3.bucket import Bucket
from hashmark.s3.endpoint import Remote
bucket = Bucket(Remote("training-data", "", sys.argv[1], "us-east-1", addressing="virtual"))
bucket.put("virtual/a b+c.txt", b"by host name")
print(bucket.client.endpoint.host, [o.key for o in bucket.objects("virtual/")], bucket.get("virtual/a b+c.txt"))
"""


def test_a_virtual_hosted_bucket_is_part_of_the_host(moto: Store, tmp_path: Path) -> None:
    """The name is made to resolve in a mount namespace of the child's own."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost s3.localhost.localdomain training-data.s3.localhost.localdomain\n")
    url = f"http://s3.localhost.localdomain:{moto.endpoint_url.rsplit(':', 1)[1]}"
    script = f"mount --bind {hosts} /etc/hosts && exec {sys.executable} -c '{VIRTUAL}' {url}"
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script]
    if subprocess.run([*command[:3], "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine gives no mount namespaces")
    done = subprocess.run(command, env=os.environ | moto.environment(), capture_output=True, text=True, check=False)
    host = url.removeprefix("http://s3.")
    assert done.stdout == f"training-data.s3.{host} ['a b+c.txt'] b'by host name'\n", done.stderr


KEYS = ("TESTKEY", "testsecret")


class TestCredentials:
    """Against a store that checks signatures: only the right keys get in."""

    def reach(self, store: Store, profile: str | None = None) -> list[str]:
        return [o.key for o in Bucket(Remote(BUCKET, "", store.endpoint_url, "us-east-1", profile)).objects("none/")]

    @pytest.fixture
    def config(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        config, shared = tmp_path / "config", tmp_path / "shared"
        config.write_text("")
        shared.write_text("")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
        return tmp_path

    def test_from_the_environment(self, rclone: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(NoCredentials):
            self.reach(rclone)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS[0])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS[1])
        assert self.reach(rclone) == []

    def test_from_the_default_profile(self, rclone: Store, config: Path) -> None:
        text = "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n"
        (config / "shared").write_text(text.format(*KEYS))
        assert self.reach(rclone) == []

    @pytest.mark.parametrize("where", ["setting", "environment"])
    def test_from_a_named_profile(
        self, where: str, rclone: Store, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = "[work]\naws_access_key_id = {}\naws_secret_access_key = {}\n"
        (config / "shared").write_text(text.format(*KEYS))
        if where == "environment":
            monkeypatch.setenv("AWS_PROFILE", "work")
        assert self.reach(rclone, "work" if where == "setting" else None) == []

    def test_a_profile_in_the_settings_comes_before_the_environment(
        self, rclone: Store, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = "[work]\naws_access_key_id = {}\naws_secret_access_key = {}\n"
        (config / "shared").write_text(text.format(*KEYS))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "SOMEONE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "else")
        assert self.reach(rclone, "work") == []

    @pytest.mark.parametrize("profile", [None, "work"])
    def test_from_a_process(self, profile: str | None, rclone: Store, config: Path) -> None:
        script = config / "give.py"
        answer = {"Version": 1, "AccessKeyId": KEYS[0], "SecretAccessKey": KEYS[1]}
        script.write_text(f"import json; print(json.dumps({answer}))")
        section = f"profile {profile}" if profile else "default"
        (config / "config").write_text(f"[{section}]\ncredential_process = {sys.executable} {script}\n")
        assert self.reach(rclone, profile) == []

    def test_an_sso_profile_goes_through_botocore(self, rclone: Store, config: Path) -> None:
        (config / "config").write_text(
            "[profile work]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = r\n"
            "[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.example/start\n"
        )
        with pytest.raises(NoCredentials, match="aws sso login"):
            self.reach(rclone, "work")
