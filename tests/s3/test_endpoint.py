"""An address, the environment and the AWS files say where a bucket is; a secret in any of them stays there."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.errors import SettingsError
from hashmark.core.model import key_bytes
from hashmark.s3.aws_settings import profile_settings
from hashmark.s3.endpoint import Endpoint, Remote, parse_endpoint, parse_url, resolve


@pytest.fixture(autouse=True)
def fixture_no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only what a test sets counts."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


# --- s3:// addresses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://bucket", "bucket", ""),
        ("s3://bucket/", "bucket", ""),
        ("s3://bucket/styles", "bucket", "styles"),
        ("s3://bucket/styles/", "bucket", "styles"),
        ("s3://my.dotted-bucket_1/a/b c/日本", "my.dotted-bucket_1", "a/b c/日本"),
        ("s3://bucket/a@b/...", "bucket", "a@b/..."),
    ],
)
def test_an_address_is_a_bucket_and_a_prefix_without_slashes_at_its_ends(url: str, bucket: str, prefix: str) -> None:
    assert parse_url(url) == (bucket, prefix)
    assert parse_url(Remote(bucket, prefix).url) == (bucket, prefix)


@pytest.mark.parametrize(
    "url",
    ["", "bucket", "bucket/prefix", "s3:bucket", "s3://", "s3:///x", "S3://bucket", "https://bucket", "s3://b",
     "s3://-bucket", "s3://buc ket", "s3://bücket", "s3://bucket\n", "s3://bucket?x", " s3://bucket",
     "s3://" + "b" * 256, "s3://bucket:9000/x"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_the_form_of_one(url: str) -> None:
    with pytest.raises(SettingsError, match=r"is not a bucket's (address|name: 3 to 63)") as raised:
        parse_url(url)
    assert "s3://bucket/prefix" in raised.value.hint


@pytest.mark.parametrize("prefix", ["a//b", "/a", "a//", ".", "..", "a/../b", "a/./b"])
def test_a_prefix_with_an_empty_or_dot_segment_is_refused(prefix: str) -> None:
    with pytest.raises(SettingsError, match="segment"):
        parse_url(f"s3://bucket/{prefix}")


def test_a_key_and_secret_pasted_into_an_address_are_not_echoed() -> None:
    for url in ("s3://AKIAEXAMPLE:hunter2@bucket/x", "AKIAEXAMPLE:hun/ter2@bucket"):
        with pytest.raises(SettingsError) as raised:
            parse_url(url)
        assert "AKIA" not in str(raised.value)
        assert "ter2" not in str(raised.value)


# --- AWS itself --------------------------------------------------------------------------------------------------


def aws(host: str, bucket: str, *, virtual: bool, region: str = "us-east-1") -> Endpoint:
    return Endpoint(host, True, region, bucket, virtual, is_aws=True)


def test_a_bucket_of_aws_is_named_in_the_host() -> None:
    found = resolve(Remote("bucket", region="eu-west-1"))
    assert found == aws("bucket.s3.eu-west-1.amazonaws.com", "bucket", virtual=True, region="eu-west-1")
    assert found.url == "https://bucket.s3.eu-west-1.amazonaws.com"
    assert found.path("a.txt") == "/a.txt"
    assert found.path() == "/"


@pytest.mark.parametrize("bucket", ["dotted.bucket", "UpperCase", "under_score", "trailing-", "b" * 64])
def test_a_bucket_that_can_be_no_host_name_is_named_in_the_path(bucket: str) -> None:
    for addressing in ("auto", "virtual"):
        found = resolve(Remote(bucket, addressing=addressing))
        assert found == aws("s3.us-east-1.amazonaws.com", bucket, virtual=False)
        assert found.path("a.txt") == f"/{bucket}/a.txt"


def test_path_style_can_be_asked_for() -> None:
    assert resolve(Remote("bucket", addressing="path")) == aws("s3.us-east-1.amazonaws.com", "bucket", virtual=False)


def test_regions_in_china_have_their_own_domain() -> None:
    found = resolve(Remote("bucket", region="cn-north-1"))
    assert found == aws("bucket.s3.cn-north-1.amazonaws.com.cn", "bucket", virtual=True, region="cn-north-1")


# --- other stores ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host", "tls"),
    [
        ("http://127.0.0.1:8333", "127.0.0.1:8333", False),
        ("https://minio.lan", "minio.lan", True),
        ("https://minio.lan/", "minio.lan", True),
        ("HTTPS://Minio.lan:443", "Minio.lan:443", True),
        ("http://my_minio:9000", "my_minio:9000", False),
        ("http://[::1]:9000", "[::1]:9000", False),
    ],
)
def test_another_store_is_asked_at_its_host_with_the_bucket_in_the_path(url: str, host: str, tls: bool) -> None:
    found = resolve(Remote("bucket", endpoint_url=url))
    assert found == Endpoint(host, tls, "us-east-1", "bucket", virtual=False, is_aws=False)
    assert found.url == f"{'https' if tls else 'http'}://{host}"


def test_another_store_may_name_the_bucket_in_the_host_but_not_in_an_ip_address() -> None:
    found = resolve(Remote("bucket", endpoint_url="https://store.lan:9000", addressing="virtual"))
    assert (found.host, found.virtual) == ("bucket.store.lan:9000", True)
    for address in ("http://127.0.0.1:9000", "http://[::1]:9000"):
        with pytest.raises(SettingsError, match="not an IP address"):
            resolve(Remote("bucket", endpoint_url=address, addressing="virtual"))


@pytest.mark.parametrize(
    ("url", "is_aws"),
    [
        ("https://s3.eu-west-1.amazonaws.com", True),
        ("https://S3.cn-north-1.AmazonAWS.com.cn", True),
        ("https://s3-us-west-2.amazonaws.com", True),
        ("https://s3.dualstack.us-gov-west-1.amazonaws.com", True),
        ("https://s3-fips.us-east-1.amazonaws.com", True),
        ("https://bucket.s3.us-east-1.amazonaws.com", True),
        ("https://bucket.vpce-1a2b-3c4d.s3.us-east-1.vpce.amazonaws.com", True),
        ("https://name-123456789012.s3-accesspoint.us-east-1.amazonaws.com", True),
        ("https://s3-accelerate.amazonaws.com", True),
        ("http://ec2-198-51-100-1.compute-1.amazonaws.com:9000", False),
        ("http://ec2-198-51-100-1.eu-west-1.compute.amazonaws.com:9000", False),
        ("https://s3-proxy-1234567890.us-east-1.elb.amazonaws.com", False),
        ("https://minio-1a2b.elb.us-east-1.amazonaws.com", False),
        ("https://abc.execute-api.us-east-1.amazonaws.com", False),
        ("https://s3.amazonaws.com.evil.example", False),
        ("https://evil-amazonaws.com", False),
        ("https://storage.googleapis.com", False),
    ],
)
def test_only_a_host_of_s3_itself_counts_as_aws(url: str, is_aws: bool) -> None:
    assert resolve(Remote("bucket", endpoint_url=url)).is_aws is is_aws


@pytest.mark.parametrize(
    "url",
    ["minio.lan:9000", "ftp://minio.lan", "http://", "http:///x", "http://host/path", "http://host?x=1", "http://host#x",
     "http://host:port", "http://host:99999", "http://host:0", "http://host:", "http://[::1", "http://ho st", "//host",
     "http://[not-an-address]", "nonsense"],
)  # fmt: skip
def test_what_is_no_http_address_of_a_host_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="is not an http"):
        resolve(Remote("bucket", endpoint_url=url))


@given(st.text(max_size=30) | st.text(st.sampled_from("htp:/@[]%?#.0a "), max_size=20).map("http://{}".format))
def test_whatever_stands_for_an_endpoint_the_only_error_is_ours(url: str) -> None:
    try:
        parts = parse_endpoint(url)
    except SettingsError:
        return
    assert parts.scheme in {"http", "https"}
    assert parts.hostname
    assert parts.username is None


@pytest.mark.parametrize(
    "url", ["http://user:hunter2@host", "http://user:hun/hunter2@host", "user:hunter2@host:9000", "http://hunter2@h"]
)
@pytest.mark.parametrize("where", ["settings", "environment", "profile"])
def test_a_password_in_an_endpoint_is_refused_and_not_echoed(
    url: str, where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if where == "environment":
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    elif where == "profile":
        (tmp_path / "config").write_text(f"[default]\nendpoint_url = {url}\n")
    with pytest.raises(SettingsError, match="carries a user or password") as raised:
        resolve(Remote("bucket", endpoint_url=url if where == "settings" else None))
    assert "hunter2" not in str(raised.value)


# --- the environment and the AWS files ---------------------------------------------------------------------------

SECRET = "wJalrXUtnFEMI/K7MDENG"
CREDENTIALS = f"""
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key = {SECRET}
aws_session_token = {SECRET}
region = us-west-1
[work]
aws_access_key_id = AKIAWORK
aws_secret_access_key = {SECRET}
aws_security_token = {SECRET}
[keys-only]
aws_access_key_id = AKIAKEYS
"""
CONFIG = """
[default]
region = us-west-2
s3 =
    max_concurrent_requests = 20
[profile work]
region = eu-north-1
endpoint_url = https://work.example:9000
role_arn = arn:aws:iam::1:role/100%sure
[work]
region = not-a-profile
[profile empty]
"""


def write_files(folder: Path) -> None:
    (folder / "config").write_text(CONFIG)
    (folder / "credentials").write_text(CREDENTIALS)


def where(remote: Remote) -> tuple[str, str]:
    found = resolve(remote)
    return found.region, found.host


def test_a_region_comes_from_the_settings_then_the_environment_then_the_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve(Remote("bucket")).region == "us-east-1"
    write_files(tmp_path)
    assert resolve(Remote("bucket")).region == "us-west-2"
    assert resolve(Remote("bucket", profile="work")).region == "eu-north-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    assert resolve(Remote("bucket")).region == "ap-south-1"
    monkeypatch.setenv("AWS_REGION", "ap-east-1")
    assert resolve(Remote("bucket", profile="work")).region == "ap-east-1"
    assert resolve(Remote("bucket", region="sa-east-1")).region == "sa-east-1"


def test_an_endpoint_comes_from_the_settings_then_the_environment_then_the_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path)
    assert where(Remote("bucket", profile="work")) == ("eu-north-1", "work.example:9000")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://general:1")
    assert resolve(Remote("bucket", profile="work")).host == "general:1"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://for-s3:2")
    assert resolve(Remote("bucket")).host == "for-s3:2"
    assert resolve(Remote("bucket", endpoint_url="http://own:3")).host == "own:3"


def test_a_profile_named_in_the_environment_counts_and_one_in_the_settings_counts_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path)
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert resolve(Remote("bucket")).region == "eu-north-1"
    assert resolve(Remote("bucket", profile="default")).region == "us-west-2"


def test_a_profile_is_read_from_both_files_and_no_secret_comes_with_the_endpoint(tmp_path: Path) -> None:
    write_files(tmp_path)
    work = profile_settings("work")
    assert work["role_arn"] == "arn:aws:iam::1:role/100%sure", "a percent sign is just that"
    assert work["region"] == "eu-north-1", "of [profile work], not of [work]"
    for profile in (None, "default", "work", "keys-only"):
        assert SECRET not in str(resolve(Remote("bucket", profile=profile)))


def test_the_old_name_of_the_default_profile_is_read(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile default]\nregion = us-west-2\n")
    assert resolve(Remote("bucket")).region == "us-west-2"


@pytest.mark.parametrize("profile", ["empty", "keys-only"])
def test_a_profile_that_leaves_all_open_is_still_a_profile(tmp_path: Path, profile: str) -> None:
    write_files(tmp_path)
    assert resolve(Remote("bucket", profile=profile)).region == "us-east-1"


def test_a_profile_that_no_file_has_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="no AWS profile called 'gone'"):
        resolve(Remote("bucket", profile="gone"))
    write_files(tmp_path)
    monkeypatch.setenv("AWS_PROFILE", "gone")
    with pytest.raises(SettingsError, match="no AWS profile called 'gone'"):
        resolve(Remote("bucket"))
    assert resolve(Remote("bucket", profile="work")).region == "eu-north-1"


@pytest.mark.parametrize("content", [f"{SECRET}\n[default]\n".encode(), b"[default]\n" + SECRET.encode(), b"[x]\n\xff"])
@pytest.mark.parametrize("name", ["config", "credentials"])
def test_an_aws_file_that_cannot_be_parsed_is_named_without_its_content(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SettingsError, match=rf"{name} can't be parsed") as raised:
        resolve(Remote("bucket"))
    assert SECRET not in str(raised.value)


def test_a_user_without_a_home_has_no_aws_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "~nobody-of-that-name/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "~nobody-of-that-name/credentials")
    assert profile_settings(None) == {}


def test_the_files_in_the_home_folder_are_the_usual_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_CONFIG_FILE")
    monkeypatch.delenv("AWS_SHARED_CREDENTIALS_FILE")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    write_files(tmp_path / ".aws")
    assert resolve(Remote("bucket", profile="work")).region == "eu-north-1"


# --- keys in a request -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a/b-c_d.~e.png", "a/b-c_d.~e.png"),
        ("a b+c?d#e&f=g;h:i@j", "a%20b%2Bc%3Fd%23e%26f%3Dg%3Bh%3Ai%40j"),
        ("100%.txt", "100%25.txt"),
        ("caf\u00e9/cafe\u0301", "caf%C3%A9/cafe%CC%81"),
        ("caf\udce9", "caf%E9"),
        ("//a//./../b/", "//a//./../b/"),
        ("(1)*!'\"\\\n", "%281%29%2A%21%27%22%5C%0A"),
    ],
)
def test_a_key_is_quoted_byte_by_byte_and_otherwise_untouched(key: str, path: str) -> None:
    assert resolve(Remote("bucket")).path(key) == f"/{path}"
    assert resolve(Remote("bucket", addressing="path")).path(key) == f"/bucket/{path}"


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\udc80\udcff/%+")))
def test_any_key_can_be_read_back_from_its_path_and_is_plain_ascii(key: str) -> None:
    path = aws("host", "bucket", virtual=True).path(key)
    assert path.isascii()
    assert path.isprintable()
    assert unquote_to_bytes(path) == b"/" + key_bytes(key)
