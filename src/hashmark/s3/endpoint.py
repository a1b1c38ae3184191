"""Where a bucket is and how a request names it: URL, region, path-style or virtual-hosted.

What the library's settings leave open comes from the environment and the AWS settings files. Credentials
(`s3.credentials`) are not known here, and nothing is sent.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from hashmark.core.errors import SettingsError
from hashmark.core.keys import STATE_FOLDER
from hashmark.core.model import key_bytes
from hashmark.s3.aws_settings import profile_settings

_BUCKET = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,254}")
_IN_HOST_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,61}[a-z0-9]")
"""Bucket names that can be part of a host name, under AWS's certificate."""

_OF_S3 = re.compile(
    r"(.+\.)?s3(-[a-z0-9-]+)?(\.dualstack)?(\.[a-z]{2,}(-[a-z]+)+-\d+)?(\.vpce)?\.amazonaws\.com(\.cn)?"
)
"""S3's own host names (AWS General Reference, "Amazon S3 endpoints"). Others under amazonaws.com may be anybody's."""

_HOST_AND_PORT = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?")
_REGION = re.compile(r"[a-z0-9-]{1,63}")
"""A region that becomes part of AWS's host names: with other characters, the host could be anybody's."""

ADDRESSING = ("auto", "path", "virtual")


@dataclass(frozen=True)
class Remote:
    """The settings of one remote; `prefix` has no slash at either end.

    `endpoint_url` None means AWS itself. `verify` False disables certificate checks, which every run reports.
    """

    bucket: str
    prefix: str = ""
    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    addressing: str = "auto"
    ca_bundle: str | None = None
    verify: bool = True
    credentials_file: str | None = None
    store_name: str | None = None
    """A name under which the store is remembered if its address changes from run to run."""

    @property
    def url(self) -> str:
        """Return `s3://bucket/prefix`, as the user writes it."""
        return f"s3://{self.bucket}/{self.prefix}" if self.prefix else f"s3://{self.bucket}"


def parse_url(url: str) -> tuple[str, str]:
    """Return the bucket and the prefix of `s3://bucket/prefix`.

    Raises:
        SettingsError: it is not such a URL.
    """
    match = re.fullmatch(r"s3://([^/]+)/?(.*)", url)
    if not match or "@" in match.group(1):
        shown = re.sub(r"^.*@", "…@", url, flags=re.DOTALL)  # without a password
        raise SettingsError(f"'{shown}' is not a bucket's address.", "Write it as s3://bucket/prefix.")
    if not _BUCKET.fullmatch(match.group(1)):
        wrong = f"'{match.group(1)}' is not a bucket's name: 3 to 63 of a-z, 0-9, . and -."
        raise SettingsError(wrong, "Write the address as s3://bucket/prefix.")
    prefix = match.group(2).removesuffix("/")
    if any(part in {"", ".", ".."} for part in prefix.split("/")) and prefix:
        raise SettingsError(f"The prefix of '{url}' has an empty, '.' or '..' segment.", "Use plain folder names.")
    if STATE_FOLDER in prefix.split("/"):
        own = f"the segment '{STATE_FOLDER}', which is hashmark's own: its trash is there"
        raise SettingsError(f"The prefix of '{url}' has {own}.", "Use another folder.")
    return match.group(1), prefix


def parse_endpoint(url: str) -> SplitResult:
    """Return the parts of an endpoint's address, `http(s)://host:port`.

    Raises:
        SettingsError: it is not such an address, or carries a password.
    """
    if "@" in url:
        raise SettingsError("The endpoint's address carries a user or password.", "Keep credentials in ~/.aws.")
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        plain = not (parts.path.strip("/") or parts.query or parts.fragment)
        if parts.scheme in {"http", "https"} and plain and _HOST_AND_PORT.fullmatch(parts.netloc) and parts.port != 0:
            return parts
    raise SettingsError(f"The endpoint '{url}' is not an http(s)://host:port address.")


class Endpoint(NamedTuple):
    """A resolved address: what to connect to, and how to name a bucket and key in a request."""

    host: str
    """The host name with its port, as in the Host header."""
    tls: bool
    region: str
    bucket: str
    virtual: bool
    is_aws: bool

    @property
    def url(self) -> str:
        """Return scheme, host and port."""
        return f"{'https' if self.tls else 'http'}://{self.host}"

    @property
    def hostname(self) -> str:
        """Return the host without its port."""
        return urlsplit(self.url).hostname or self.host

    @property
    def is_loopback(self) -> bool:
        """Whether requests stay on this machine."""
        return _is_loopback(self.hostname)

    def path(self, key: str = "") -> str:
        """Return the path of a key (or of the bucket) in a request, percent-encoded byte by byte, else unchanged."""
        quoted = quote(key_bytes(key), safe="-_.~/")
        return f"/{quoted}" if self.virtual else f"/{quote(self.bucket)}/{quoted}"


class NamedEndpoint(NamedTuple):
    """An endpoint that the library's settings name."""

    url: str
    """Scheme, host and port, in lower case."""
    is_loopback: bool
    is_safe: bool
    """Whether requests may go there without asking: to AWS over TLS, to this machine, or to where the environment says.
    """

    @property
    def is_encrypted(self) -> bool:
        """Whether requests travel over TLS, or not over a network at all."""
        return self.url.startswith("https:") or self.is_loopback


def named_endpoint(remote: Remote) -> NamedEndpoint | None:
    """Return the endpoint that the settings name; None where they leave it to AWS or to the user's environment."""
    if remote.endpoint_url is None:
        return None
    parts, url = parse_endpoint(remote.endpoint_url), normal_url(remote.endpoint_url)
    host = parts.hostname or ""
    loopback = _is_loopback(host)
    aws = parts.scheme == "https" and _OF_S3.fullmatch(host) is not None
    return NamedEndpoint(url, loopback, aws or loopback or url in _endpoints_of_environment())


def _endpoints_of_environment() -> set[str]:
    """Return the endpoints that the environment names. An invalid one counts only where it is used."""
    found = set()
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        with contextlib.suppress(SettingsError):
            found.add(normal_url(os.environ.get(name, "")))
    return found


def normal_url(url: str) -> str:
    """Return an endpoint's address as trust in it is recorded: in lower case, without a path.

    Raises:
        SettingsError: it is not such an address.
    """
    parts = parse_endpoint(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def resolve(remote: Remote) -> Endpoint:
    """Resolve the settings, with the environment and the AWS settings files for what they leave open.

    Raises:
        SettingsError: the endpoint is not an http or https URL, carries a password, or the profile is unknown.
    """
    config = profile_settings(remote.profile)
    region = remote.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    region = region or config.get("region") or "us-east-1"
    url = remote.endpoint_url or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    url = url or config.get("endpoint_url")
    if url is None:
        if not _REGION.fullmatch(region):
            raise SettingsError(f"'{region}' is not a region of AWS.", "Set endpoint_url for other stores.")
        virtual = remote.addressing != "path" and _IN_HOST_NAME.fullmatch(remote.bucket) is not None
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        host = f"s3.{region}.{suffix}"
        return Endpoint(_host(host, remote.bucket, virtual), True, region, remote.bucket, virtual, is_aws=True)
    parts = parse_endpoint(url)
    name = parts.hostname or ""
    virtual = remote.addressing == "virtual"
    if virtual and _is_address(name):
        raise SettingsError("addressing = 'virtual' needs a host name, not an IP address.", "Use 'path'.")
    is_aws = _OF_S3.fullmatch(name) is not None
    host = _host(parts.netloc, remote.bucket, virtual)
    return Endpoint(host, parts.scheme == "https", region, remote.bucket, virtual, is_aws)


def _host(host: str, bucket: str, virtual: bool) -> str:
    return f"{bucket}.{host}" if virtual else host


def _is_address(host: str) -> bool:
    import ipaddress  # noqa: PLC0415 - not needed for AWS itself

    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    import ipaddress  # noqa: PLC0415 - as above

    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
